package excerpt_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"connect-deepcase/internal/excerpt"
)

func TestOf(t *testing.T) {
	for _, c := range []struct {
		text string
		most int
		want string
	}{
		{"", 0, ""},
		{"abc", 3, "abc"},
		{"abcd", 3, "abc…"},
		{"aé", 3, "aé"},
		{"aéb", 2, "a…"},
		{"aéb", 3, "aé…"},
		{"日本", 3, "日…"},
		{"日本", 5, "日…"},
		{"𝄞𝄞", 7, "𝄞…"},
		{"\xff\xfe\xfd", 2, "\xff\xfe…"},
		{"\x80\x80\x80\x80\x80\x80", 5, "\x80\x80\x80\x80\x80…"},
	} {
		assert.Equal(t, c.want, excerpt.Of(c.text, c.most), c.text)
	}
}

func TestOfNeverCutsACharacter(t *testing.T) {
	text := strings.Repeat("aé日𝄞", 5)
	for most := range len(text) + 1 {
		got := excerpt.Of(text, most)
		assert.True(t, utf8.ValidString(got), most)
		kept := strings.TrimSuffix(got, "…")
		assert.True(t, strings.HasPrefix(text, kept))
		assert.LessOrEqual(t, len(kept), most)
		assert.Greater(t, len(kept), most-utf8.UTFMax)
	}
}

func TestQuote(t *testing.T) {
	assert.Equal(t, `"a\n\xff"`, excerpt.Quote("a\n\xff"))
	assert.Equal(t, `"`+strings.Repeat("x", 60)+`…"`, excerpt.Quote(strings.Repeat("x", 61)))
}
