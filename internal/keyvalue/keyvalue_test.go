package keyvalue

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParse(t *testing.T) {
	for text, want := range map[string]map[string][]string{
		"":                                 {},
		" a=1  b=\"two words\"\tc=x\r\n":   {"a": {"1"}, "b": {"two words"}, "c": {"x"}},
		`a="say \"x\"" b="C:\temp\\" c=""`: {"a": {`say "x"`}, "b": {`C:\temp\`}, "c": {""}},
		`a= b=2`:                           {"a": {""}, "b": {"2"}},
		`url=/?x=1&y=2 n=5`:                {"url": {"/?x=1&y=2"}, "n": {"5"}},
		`msg="a=b, c=d" dstip=10.0.0.1`:    {"msg": {"a=b, c=d"}, "dstip": {"10.0.0.1"}},
		`dstip=10.0.0.1 dstip=10.0.0.2 a=1 a="1"`: {"dstip": {"10.0.0.1", "10.0.0.2"}, "a": {"1"}},
	} {
		got, err := Parse(text, ' ')
		if assert.NoError(t, err, text) {
			assert.Equal(t, want, got, text)
		}
	}
	got, err := Parse(`date=2024-05-01,time=10:00:00, devname="FGT, 1",msg=two words,a=,`, ',')
	require.NoError(t, err)
	require.Equal(t, map[string][]string{"date": {"2024-05-01"}, "time": {"10:00:00"}, "devname": {"FGT, 1"}, "msg": {"two words"}, "a": {""}}, got)
	for text, want := range map[string]string{
		`a=1 text b=2`:  `"text b=2": want key=value or key="value"`,
		`=1`:            `"=1": want key=value`,
		`a="x`:          `the value of a: "\"x" has no closing quote`,
		`a="x\"`:        `has no closing quote`,
		`a="x"y b=1`:    `the value of a is followed by "y b=1": want ' '`,
		`a="x",b=1`:     `the value of a is followed by ",b=1"`,
		`no pairs here`: `want key=value`,
	} {
		_, err := Parse(text, ' ')
		assert.ErrorContains(t, err, want, text)
	}
}

// FuzzParse: what is written by the rules is read as it was.
func FuzzParse(f *testing.F) {
	f.Add(`a=1 b="x\"y" c=z`, `say "x"\`)
	f.Add("a=\"", "\xff")
	f.Fuzz(func(t *testing.T, text, value string) {
		for _, separator := range []byte{' ', ','} {
			values, err := Parse(text, separator)
			for key, v := range values {
				require.NoError(t, err)
				require.NotEmpty(t, key)
				require.NotEmpty(t, v)
			}
			written := strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value)
			got, err := Parse(`a="`+written+`"`+string(separator)+`b=7`, separator)
			require.NoError(t, err)
			require.Equal(t, map[string][]string{"a": {value}, "b": {"7"}}, got)
		}
	})
}
