package cell

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCellsAreNoFormulas(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "",
		"a=b":                 "a=b",
		"it's":                "it's",
		"scan (70 %); login":  "scan (70 %); login",
		"=1+1":                "'=1+1",
		"@x":                  "'@x",
		"-x":                  "'-x",
		"+x":                  "'+x",
		"  =1":                "'  =1",
		"\u00a0=1":            "'\u00a0=1",
		"\u200b=1":            "'\u200b=1",
		"\uff1d1":             "'\uff1d1",
		"\uff20x":             "'\uff20x",
		"\t=1":                "'\t'=1",
		"\r\n=1":              "'\r\n'=1",
		"\tx":                 "'\tx",
		"x;=HYPERLINK(\"u\")": "x;'=HYPERLINK(\"u\")",
		"x; -1":               "x;' -1",
		"x\n=1\n\n+2":         "x\n'=1\n\n'+2",
		"'=1":                 "''=1",
	} {
		assert.Equal(t, want, Quote(text))
		assert.Equal(t, text, Unquote(want))
	}
	for _, text := range []string{"3", "0.5", "", "'a'", "20261123T141500Z-3f2a", "-2.5"} {
		assert.Equal(t, text, Unquote(text))
	}
}

func FuzzQuote(f *testing.F) {
	f.Add("\r\n=1;+2")
	f.Add("''\t=\ufeff@")
	f.Fuzz(func(t *testing.T, text string) {
		quoted := Quote(text)
		for _, part := range strings.FieldsFunc(quoted, func(r rune) bool { return strings.ContainsRune(";\t\r\n", r) }) {
			require.NotRegexp(t, "^"+blanks+"*"+sign, part)
		}
		if text != "" {
			require.NotContains(t, "\t\r\n", quoted[:1])
		}
		require.Equal(t, text, Unquote(quoted))
	})
}
