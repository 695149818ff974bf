package cef

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for line, want := range map[string]Event{
		`CEF:0|Security|threatmanager|1.0|100|worm stopped|10|src=10.0.0.1 dst=192.0.2.1 spt=1232`: {
			Version: "0", Vendor: "Security", Product: "threatmanager", Release: "1.0", ID: "100", Name: "worm stopped", Severity: "10",
			Extension: map[string][]string{"src": {"10.0.0.1"}, "dst": {"192.0.2.1"}, "spt": {"1232"}},
		},
		`<14>Sep 19 08:26:10 host-1 CEF:1|a\|b|c\\d|1|e\f|=g|Very-High|`: {
			Syslog: "<14>Sep 19 08:26:10 host-1 ", Version: "1", Vendor: "a|b", Product: `c\d`, Release: "1", ID: `e\f`, Name: "=g", Severity: "Very-High",
			Extension: map[string][]string{},
		},
		"\uFEFFCEF: 0|a|b|1|c|d|5":                          {Version: "0", Vendor: "a", Product: "b", Release: "1", ID: "c", Name: "d", Severity: "5", Extension: map[string][]string{}},
		`Sep 19 08:26:10 h app[1]:CEF:0|a|b|||d||` + "\r\n": {Syslog: "Sep 19 08:26:10 h app[1]:", Version: "0", Vendor: "a", Product: "b", Name: "d", Extension: map[string][]string{}},
	} {
		got, err := Parse(line)
		if assert.NoError(t, err, line) {
			assert.Equal(t, want, got, line)
		}
	}
}

func TestExtension(t *testing.T) {
	for text, want := range map[string]map[string][]string{
		``:                             {},
		`msg=two words fname=/a b.txt`: {"msg": {"two words"}, "fname": {"/a b.txt"}},
		`act=blocked a | b \= c`:       {"act": {"blocked a | b = c"}},
		`request=http://h/?a\=1&b=2 cs1Label=Rule`: {"request": {"http://h/?a=1&b=2"}, "cs1Label": {"Rule"}},
		`request=http://h/?a=1 b`:                  {"request": {"http://h/?a=1 b"}}, // an equals sign that a product did not escape
		`msg=line one\nline two path=C:\\temp`:     {"msg": {"line one\nline two"}, "path": {`C:\temp`}},
		`filePath=C:\Windows\system32 suser=A\bob`: {"filePath": {`C:\Windows\system32`}, "suser": {`A\bob`}},
		`cs1= cs2=x`:                        {"cs1": {""}, "cs2": {"x"}},
		`ad.list[0]=x ad.b-c=y _cefVer=0.1`: {"ad.list[0]": {"x"}, "ad.b-c": {"y"}, "_cefVer": {"0.1"}},
		"src=10.0.0.1\tdst=10.0.0.2":        {"src": {"10.0.0.1"}, "dst": {"10.0.0.2"}},
		`dst=1.1.1.1 msg=x dst=2.2.2.2`:     {"dst": {"1.1.1.1", "2.2.2.2"}, "msg": {"x"}}, // not only the first or the last
		`cat=a cat=a`:                       {"cat": {"a"}},
		`name\=x=1 a=\`:                     nil,
		`just text`:                         nil,
	} {
		got, err := Parse("CEF:0|a|b|1|c|d|5|" + text)
		if want == nil {
			require.ErrorContains(t, err, "want key=value", text)
			continue
		}
		if assert.NoError(t, err, text) {
			assert.Equal(t, want, got.Extension, text)
		}
	}
}

func TestLinesThatAreRefused(t *testing.T) {
	for line, want := range map[string]string{
		"":                                   "no CEF: want CEF:0|vendor|product",
		"<14>Sep 19 08:26:10 h sshd: x":      "no CEF",
		"xCEF:0|a|b|1|c|d|5|":                "no CEF",
		"LEEF:1.0|a|b|1|c|":                  "no CEF",
		"CEF:0|a|b":                          "ends after 3 of its 7 fields: want version|vendor|product",
		"CEF:0|a|b|1|c|d":                    "ends after 6 of its 7 fields",
		"CEF:0|a|b|1|c|d|e|5|src=10.0.0.1":   `the CEF extension starts with "5|src=10.0.0.1": want key=value`,
		"CEF:0|a|b|1|c|d|5|src 10.0.0.1":     "want key=value",
		`CEF:0|a|b|1|c|d|5|text src=1.1.1.1`: "want key=value",
	} {
		_, err := Parse(line)
		assert.ErrorContains(t, err, want, line)
	}
}

// FuzzParse: what is written by the rules is read as it was.
func FuzzParse(f *testing.F) {
	f.Add(`CEF:0|a|b|1|c|d|5|msg=a\=b`, `a|b\`, "a=b c\nd")
	f.Add("<1>CEF: 0|||||||", "", `\n`)
	f.Fuzz(func(t *testing.T, line, name, value string) {
		if e, err := Parse(line); err == nil {
			require.Contains(t, line, e.Syslog)
			for _, values := range e.Extension {
				require.NotEmpty(t, values)
			}
		}
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if strings.Trim(name, "\r\n\x00") != name || strings.Trim(value, "\r\n\x00") != value {
			return
		}
		bar := strings.NewReplacer(`\`, `\\`, `|`, `\|`)
		equals := strings.NewReplacer(`\`, `\\`, `=`, `\=`, "\n", `\n`, "\r", `\r`)
		e, err := Parse("CEF:0|v|" + bar.Replace(name) + "|1|2|3|4|a=" + equals.Replace(value) + " b=7")
		require.NoError(t, err)
		require.Equal(t, name, e.Product)
		require.Equal(t, map[string][]string{"a": {value}, "b": {"7"}}, e.Extension)
	})
}
