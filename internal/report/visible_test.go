package report

import (
	"bytes"
	"encoding/json"
	"testing"
	"unicode"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVisible(t *testing.T) {
	for text, want := range map[string]string{
		"sshd: „failed“ × 3 \\o/": "sshd: „failed“ × 3 \\o/",
		"\x1b]0;owned\x07":        `\x1b]0;owned\a`,
		"a\nb\r\tc\x00":           `a\nb\r\tc\x00`,
		"\u202egnp.exe":           `\u202egnp.exe`,
		"\u009b31m\u2028\u00a0":   `\u009b31m\u2028\u00a0`,
		"\xff\xfea":               `\xff\xfea`,
		"\ufffd":                  "\ufffd",
	} {
		assert.Equal(t, want, Visible(text))
	}
}

func FuzzVisible(f *testing.F) {
	f.Add("\x1b[2J\u202e\xff\U000e0001")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range Visible(text) {
			require.True(t, unicode.IsPrint(r))
		}
		quoted, err := json.Marshal(text)
		require.NoError(t, err)
		shown := VisibleJSON(quoted)
		require.Equal(t, -1, bytes.IndexFunc(shown, hidden))
		var before, after string
		require.NoError(t, json.Unmarshal(quoted, &before))
		require.NoError(t, json.Unmarshal(shown, &after))
		require.Equal(t, before, after, "it means the same")
	})
}
