package mapping

import (
	"github.com/redpanda-data/benthos/v4/public/bloblang"

	"connect-deepcase/internal/homenet"
)

func init() {
	const method, paramHome = "deepcase_internal", "home"
	spec := bloblang.NewPluginSpec().
		Category("Object & Array Manipulation").
		Description("Whether a text is an internal address: a private one (10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16, fc00::/7, fe80::/10) or one of the networks that are given. Anything else, such as a host name or null, is not.").
		Param(bloblang.NewStringParam(paramHome).
			Description("More internal networks, separated by commas: `203.0.113.0/24`, `2001:db8:7::/48`, or the groups that they begin with: `203.0.113.`.").
			Default("")).
		Example("", `root.inside = this.ips.filter(ip -> ip.`+method+`(home: "203.0.113.0/24"))`,
			[2]string{`{"ips":["203.0.113.9","198.51.100.1","10.0.0.1"]}`, `{"inside":["203.0.113.9","10.0.0.1"]}`})
	bloblang.MustRegisterMethodV2(method, spec, func(args *bloblang.ParsedParams) (bloblang.Method, error) {
		list, err := args.GetString(paramHome)
		if err != nil {
			return nil, err
		}
		home, err := homenet.Parse(list)
		if err != nil {
			return nil, err
		}
		return func(v any) (any, error) {
			address, _ := v.(string)
			return home.Has(address), nil
		}, nil
	})
}
