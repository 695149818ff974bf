package syslog

import (
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/bloblang"

	"connect-deepcase/internal/auditrecord"
	"connect-deepcase/internal/cef"
	"connect-deepcase/internal/keyvalue"
	"connect-deepcase/internal/leef"
)

func init() {
	const several = " A key that comes twice with different values has the list of them, so that none is taken for the other."
	register("parse_deepcase_cef", "Parses an event in ArcSight's Common Event Format: `version`, `vendor`, `product`, `product_version`, `id`, `name`, `severity`, "+
		"and the object `extension`. `syslog` is what comes before it."+several,
		`root = content().string().parse_deepcase_cef()`,
		[2]string{
			`<14>Sep 19 08:26:10 web-1 CEF:0|Acme|Guard|1.0|100|worm stopped|10|src=192.0.2.1 msg=two words`,
			`{"extension":{"msg":"two words","src":"192.0.2.1"},"id":"100","name":"worm stopped","product":"Guard","product_version":"1.0","severity":"10","syslog":"<14>Sep 19 08:26:10 web-1 ","vendor":"Acme","version":"0"}`,
		},
		func(text string) (any, error) {
			e, err := cef.Parse(text)
			return map[string]any{
				"syslog": e.Syslog, "version": e.Version, "vendor": e.Vendor, "product": e.Product, "product_version": e.Release,
				"id": e.ID, "name": e.Name, "severity": e.Severity, "extension": single(e.Extension),
			}, err
		})
	register("parse_deepcase_leef", "Parses an event in IBM's Log Event Extended Format, version 1 or 2: `version`, `vendor`, `product`, `product_version`, `id`, "+
		"and the object `attributes`. `syslog` is what comes before it."+several,
		`root = content().string().parse_deepcase_leef()`,
		[2]string{
			`LEEF:2.0|Acme|Guard|1.0|login|^|src=192.0.2.1^sev=5`,
			`{"attributes":{"sev":"5","src":"192.0.2.1"},"id":"login","product":"Guard","product_version":"1.0","syslog":"","vendor":"Acme","version":"2.0"}`,
		},
		func(text string) (any, error) {
			e, err := leef.Parse(text)
			return map[string]any{
				"syslog": e.Syslog, "version": e.Version, "vendor": e.Vendor, "product": e.Product, "product_version": e.Release,
				"id": e.ID, "attributes": single(e.Attributes),
			}, err
		})
	register("parse_deepcase_audit", "Parses a record of Linux' audit daemon: `node`, `type`, `time` (Unix seconds), `serial`, and the object `fields`. Values that the "+
		"kernel writes in hexadecimal digits, because users choose them, are text again. `text` is what comes before the first field, `before` what comes before the record, such as a syslog header."+several,
		`root = content().string().parse_deepcase_audit()`,
		[2]string{
			`node=web-1 type=USER_CMD msg=audit(1364481363.243:7): msg='cmd=6C73202D6C res=success'`,
			`{"before":"","fields":{"cmd":"ls -l","res":"success"},"node":"web-1","serial":"7","text":"","time":"1364481363.243","type":"USER_CMD"}`,
		},
		func(text string) (any, error) {
			r, err := auditrecord.Parse(text)
			return map[string]any{
				"before": r.Before, "node": r.Node, "type": r.Type, "time": r.Time, "serial": r.Serial, "text": r.Text, "fields": single(r.Fields),
			}, err
		})

	const paramSeparator = "separator"
	spec := bloblang.NewPluginSpec().Category("Parsing").
		Description("Parses a line of `key=value` and `key=\"value\"`. In quotes, a backslash escapes a quote and itself."+several).
		Param(bloblang.NewStringParam(paramSeparator).Description("The character between them.").Default(" ")).
		Example("", `root = content().string().parse_deepcase_key_value()`,
			[2]string{`type="utm" msg="a \"b\"" srcip=192.0.2.1`, `{"msg":"a \"b\"","srcip":"192.0.2.1","type":"utm"}`})
	bloblang.MustRegisterMethodV2("parse_deepcase_key_value", spec, func(args *bloblang.ParsedParams) (bloblang.Method, error) {
		separator, err := args.GetString(paramSeparator)
		if err != nil {
			return nil, err
		}
		if len(separator) != 1 {
			return nil, fmt.Errorf("%s: %q, want one character", paramSeparator, separator)
		}
		return bloblang.StringMethod(func(text string) (any, error) {
			values, err := keyvalue.Parse(text, separator[0])
			return single(values), err
		}), nil
	})
}

// register makes a method without parameters.
func register(name, description, mapping string, example [2]string, parse func(string) (any, error)) {
	spec := bloblang.NewPluginSpec().Category("Parsing").Description(description).Example("", mapping, example)
	bloblang.MustRegisterMethodV2(name, spec, func(*bloblang.ParsedParams) (bloblang.Method, error) { return bloblang.StringMethod(parse), nil })
}

// single turns a list of one value into the value.
func single(values map[string][]string) map[string]any {
	fields := make(map[string]any, len(values))
	for key, all := range values {
		if len(all) == 1 {
			fields[key] = all[0]
			continue
		}
		list := make([]any, len(all))
		for i, value := range all {
			list[i] = value
		}
		fields[key] = list
	}
	return fields
}
