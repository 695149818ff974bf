package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"

	"github.com/redpanda-data/benthos/v4/public/bloblang"

	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/field"
)

func init() {
	const method = "deepcase_name"
	spec := bloblang.NewPluginSpec().
		Category("Coercion").
		Description("A text or a number as a name: as text, without spaces around it. A list of one is its value, because search servers do not tell them apart. An IPv6 address has one name, however it is written: its short form, such as `2001:db8::7`. Null if there is none: for null, an empty text or list, and a placeholder such as `-`, `unknown` or `N/A`. Anything else is an error: a name is not guessed from several.").
		Example("", `root.machine = this.host.name.`+method+`()`,
			[2]string{`{"host":{"name":["web-1"]}}`, `{"machine":"web-1"}`},
			[2]string{`{"host":{"name":"unknown"}}`, `{"machine":null}`})
	bloblang.MustRegisterMethodV2(method, spec, func(*bloblang.ParsedParams) (bloblang.Method, error) { return newName, nil })
}

// newName is a value as a name, or nil.
func newName(v any) (any, error) {
	if list, ok := field.One(v).([]any); ok && len(list) == 0 {
		return nil, nil
	}
	text, err := field.Text(v)
	if errors.Is(err, field.ErrMissing) {
		return nil, nil
	}
	if err != nil {
		written, failed := json.Marshal(v)
		if failed != nil {
			written = fmt.Appendf(nil, "%v", v)
		}
		return nil, fmt.Errorf("%s is no name, it %w", excerpt.Of(string(written), excerpt.Short), err)
	}
	if text = field.Named(text); text == "" {
		return nil, nil
	}
	if ip, err := netip.ParseAddr(text); err == nil {
		return ip.String(), nil
	}
	return text, nil
}
