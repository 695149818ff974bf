package mapping

import (
	"encoding/json"
	"math"

	"github.com/redpanda-data/benthos/v4/public/bloblang"

	"connect-deepcase/internal/field"
)

// fieldMethod is the Bloblang method that reads a path as the command line and the mapping fields do.
const fieldMethod = "deepcase_field"

func init() {
	spec := bloblang.NewPluginSpec().
		Category("Object & Array Manipulation").
		Description("The value at a path: that of the key that is the whole path with its dots, or else that of nested keys. Null if there is none.").
		Param(bloblang.NewStringParam("path").Description("A path such as `id.orig_h`. `~1` stands for a dot inside a key.")).
		Example("", `root.machine = this.`+fieldMethod+`("id.orig_h")`,
			[2]string{`{"id.orig_h":"192.0.2.10"}`, `{"machine":"192.0.2.10"}`},
			[2]string{`{"id":{"orig_h":"192.0.2.10"}}`, `{"machine":"192.0.2.10"}`})
	bloblang.MustRegisterMethodV2(fieldMethod, spec, func(args *bloblang.ParsedParams) (bloblang.Method, error) {
		path, err := args.GetString("path")
		if err != nil {
			return nil, err
		}
		return func(document any) (any, error) { return number(field.Find(document, path)), nil }, nil
	})
}

// number turns a number into one that Bloblang can calculate with, if that is exact.
func number(v any) any {
	n, ok := v.(json.Number)
	if !ok {
		return v
	}
	if i, err := n.Int64(); err == nil {
		return i
	}
	if f, err := n.Float64(); err == nil && math.Abs(f) < 1<<53 {
		return f
	}
	return v
}
