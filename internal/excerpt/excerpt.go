// Package excerpt shortens texts for errors, logs and people.
package excerpt

import (
	"strconv"
	"unicode/utf8"
)

// Of is the text itself if it has at most so many bytes, or else its beginning and an ellipsis. It does not cut a character in two.
func Of(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for cut := most; cut > 0 && cut > most-utf8.UTFMax; cut-- {
		if utf8.RuneStart(text[cut]) {
			return text[:cut] + "…"
		}
	}
	return text[:most] + "…" // not UTF-8
}

// Short is how many bytes of a value an error or a log line needs so that its reader recognises the value.
const Short = 60

// Quote is a short excerpt in quotes.
func Quote(text string) string { return strconv.Quote(Of(text, Short)) }
