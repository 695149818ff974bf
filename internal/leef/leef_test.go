package leef

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	two := map[string][]string{"src": {"192.0.2.1"}, "msg": {"a b=c"}}
	for line, want := range map[string]Event{
		"LEEF:1.0|Microsoft|MSExchange|4.0 SP1|15345|src=192.0.2.1\tmsg=a b=c": {
			Version: "1.0", Vendor: "Microsoft", Product: "MSExchange", Release: "4.0 SP1", ID: "15345", Attributes: two,
		},
		"<13>Jan 18 11:07:53 host-1 LEEF:2.0|a|b|1|c|^|src=192.0.2.1^msg=a b=c\r\n": {
			Syslog: "<13>Jan 18 11:07:53 host-1 ", Version: "2.0", Vendor: "a", Product: "b", Release: "1", ID: "c", Attributes: two,
		},
		"LEEF:2.0|a|b|1|c|0x5E|src=192.0.2.1^msg=a b=c":    {Version: "2.0", Vendor: "a", Product: "b", Release: "1", ID: "c", Attributes: two},
		"LEEF:2.0|a|b|1|c|x09|src=192.0.2.1\tmsg=a b=c":    {Version: "2.0", Vendor: "a", Product: "b", Release: "1", ID: "c", Attributes: two},
		"LEEF:2.0|a|b|1|c|¦|src=192.0.2.1¦msg=a b=c":       {Version: "2.0", Vendor: "a", Product: "b", Release: "1", ID: "c", Attributes: two},
		"LEEF:2.0|a|b|1|c||src=192.0.2.1\tmsg=a b=c":       {Version: "2.0", Vendor: "a", Product: "b", Release: "1", ID: "c", Attributes: two},
		"LEEF:2.0|a|b|1|c|src=192.0.2.1\tmsg=a b=c":        {Version: "2.0", Vendor: "a", Product: "b", Release: "1", ID: "c", Attributes: two},
		"LEEF:2.0|a|b|1|c|src=192.0.2.1\tmsg=a|b":          {Version: "2.0", Vendor: "a", Product: "b", Release: "1", ID: "c", Attributes: map[string][]string{"src": {"192.0.2.1"}, "msg": {"a|b"}}},
		"LEEF:1.0|a|b|1|c|src=192.0.2.1#011msg=a b=c":      {Version: "1.0", Vendor: "a", Product: "b", Release: "1", ID: "c", Attributes: two},
		"LEEF:1.0|a|b|1|c|\tsrc=192.0.2.1\t\tmsg=a b=c \t": {Version: "1.0", Vendor: "a", Product: "b", Release: "1", ID: "c", Attributes: two},
		"LEEF:1.0|a|b|1|c|":                                {Version: "1.0", Vendor: "a", Product: "b", Release: "1", ID: "c", Attributes: map[string][]string{}},
		"LEEF:1.0|a|b|1|c":                                 {Version: "1.0", Vendor: "a", Product: "b", Release: "1", ID: "c", Attributes: map[string][]string{}},
		"LEEF:1.0|a|b|1|c|dst=1.1.1.1\tdst=2.2.2.2\tcat=x\tcat=x": {
			Version: "1.0", Vendor: "a", Product: "b", Release: "1", ID: "c", Attributes: map[string][]string{"dst": {"1.1.1.1", "2.2.2.2"}, "cat": {"x"}},
		},
	} {
		got, err := Parse(line)
		if assert.NoError(t, err, line) {
			assert.Equal(t, want, got, line)
		}
	}
}

func TestLinesThatAreRefused(t *testing.T) {
	for line, want := range map[string]string{
		"":                   "no LEEF: want LEEF:1.0|vendor|product|version|id|",
		"CEF:0|a|b|1|c|d|5|": "no LEEF",
		"LEEF:1.0|a|b":       "ends after 3 of its 5 fields",
		"LEEF:1.0|a|b|1|c|src=192.0.2.1 dst=10.0": "have no tab between them",
		"LEEF:2.0|a|b|1|c|^|src=192.0.2.1^text":   `the LEEF attribute "text": want key=value, separated by "^"`,
		"LEEF:2.0|a|b|1|c|||src=1.1.1.1|dst=2.2":  `the LEEF attribute "|src=1.1.1.1|dst=2.2": want key=value`,
		"LEEF:1.0|a|b|1|c|=x\ta=b":                `the LEEF attribute "=x": want key=value`,
	} {
		_, err := Parse(line)
		assert.ErrorContains(t, err, want, line)
	}
}

// FuzzParse: what is written by the rules is read as it was.
func FuzzParse(f *testing.F) {
	f.Add("LEEF:2.0|a|b|1|c|0x5e|a=b^c=d", "id", "a b=c")
	f.Add("<1>LEEF: 1.0|||||", "", "#011")
	f.Fuzz(func(t *testing.T, line, id, value string) {
		if e, err := Parse(line); err == nil {
			require.Contains(t, line, e.Syslog)
			for name, values := range e.Attributes {
				require.NotEmpty(t, name)
				require.NotEmpty(t, values)
			}
		}
		id, value = strings.TrimSpace(id), strings.TrimSpace(value)
		if strings.ContainsAny(id, "|") || strings.Contains(value, "^") {
			return
		}
		e, err := Parse("LEEF:2.0|v|p|1|" + id + "|^|a=" + value + "^b=7")
		require.NoError(t, err)
		require.Equal(t, id, e.ID)
		require.Equal(t, map[string][]string{"a": {value}, "b": {"7"}}, e.Attributes)
	})
}
