package mapping

import (
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/bloblang"

	"connect-deepcase/internal/attack"
	"connect-deepcase/internal/field"
)

const (
	timeMethod       = "deepcase_field_time"
	techniquesMethod = "deepcase_techniques"
)

func init() {
	spec := bloblang.NewPluginSpec().
		Category("Object & Array Manipulation").
		Description("The time at a path of a document, read by the rules of docs/events.md, as RFC 3339 in UTC. An error names the path and the value.").
		Param(bloblang.NewStringParam("path").Description("As in `deepcase_field`.")).
		Param(bloblang.NewStringParam("format").Description("As `time_format` of `deepcase_sequence`.").Default("auto")).
		Example("", `root.time = this.`+timeMethod+`("timestamp")`, [2]string{`{"timestamp":1700000000}`, `{"time":"2023-11-14T22:13:20Z"}`})
	bloblang.MustRegisterMethodV2(timeMethod, spec, newTimeMethod)
	spec = bloblang.NewPluginSpec().
		Category("Object & Array Manipulation").
		Description("The techniques of MITRE ATT&CK that a document names where docs/events.md says: a sorted list of ids, which may be empty.").
		Example("", `root.techniques = this.`+techniquesMethod+`()`, [2]string{`{"rule":{"mitre":{"id":["T1110"]}},"tags":["attack.t1078"]}`, `{"techniques":["T1078","T1110"]}`})
	bloblang.MustRegisterMethodV2(techniquesMethod, spec, func(*bloblang.ParsedParams) (bloblang.Method, error) {
		return bloblang.ObjectMethod(func(document map[string]any) (any, error) {
			list := []any{}
			for _, id := range attack.Techniques(document) {
				list = append(list, id)
			}
			return list, nil
		}), nil
	})
}

func newTimeMethod(args *bloblang.ParsedParams) (bloblang.Method, error) {
	path, err := args.GetString("path")
	if err != nil {
		return nil, err
	}
	name, err := args.GetString("format")
	if err != nil {
		return nil, err
	}
	format, err := field.ParseTimeFormat(name)
	if err != nil {
		return nil, fmt.Errorf("format: %w", err)
	}
	return func(document any) (any, error) {
		text, err := field.Text(field.Find(document, path))
		if err != nil {
			return nil, fmt.Errorf("%s %w", path, err)
		}
		at, err := format.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		return at.Format(time.RFC3339Nano), nil
	}, nil
}
