// Package attack reads the techniques of MITRE ATT&CK that a document names, as T1110 or T1059.001.
package attack

import (
	"slices"
	"strings"
)

// Most is how many techniques are read of a document, and kept of many. All of ATT&CK has fewer than a thousand.
const Most = 32

// Techniques are the techniques that a document of decoded JSON names where sources name them (see sources): sorted, each once, at most Most.
// What looks otherwise than an id of a technique is left out: names, tactics, and what a user wrote there.
func Techniques(document map[string]any) (ids []string) {
	root.read(document, &ids)
	return ids
}

// Merge adds techniques to those that are there, which are sorted. If there are Most, no further one is added.
func Merge(ids []string, more ...string) []string {
	for _, id := range more {
		if at, there := slices.BinarySearch(ids, id); !there && len(ids) < Most {
			ids = slices.Insert(ids, at, id)
		}
	}
	return ids
}

// Within tells whether a technique is another one, or a part of it: T1110.001 is within T1110.
func Within(id, whole string) bool {
	rest, begins := strings.CutPrefix(id, whole)
	return begins && (rest == "" || rest[0] == '.')
}

// Parse reads the id of a technique, in any case. The result keeps no other text in memory.
func Parse(text string) (id string, ok bool) {
	switch len(text) {
	case len("T1110"):
	case len("T1110.001"):
		if text[5] != '.' || !digits(text[6:]) || text[6:] == "000" {
			return "", false
		}
	default:
		return "", false
	}
	if text[0]|0x20 != 't' || !digits(text[1:5]) {
		return "", false
	}
	return "T" + text[1:], true
}

func digits[T string | []byte](text T) bool {
	for i := range len(text) {
		if text[i] < '0' || text[i] > '9' {
			return false
		}
	}
	return true
}

// readIDs reads a text of one id, or of several with something between them.
func readIDs(text string, ids *[]string) {
	for part := range strings.FieldsFuncSeq(text, func(r rune) bool { return strings.ContainsRune(" ,;|¦", r) }) {
		if id, ok := Parse(part); ok {
			*ids = Merge(*ids, id)
		}
	}
}

// readTag reads a tag that is an id, as Falco has it, or one of Sigma (attack.t1110). In another tag, an id may stand for anything.
func readTag(text string, ids *[]string) {
	const sigma = "attack."
	text = strings.TrimSpace(text)
	if len(text) > len(sigma) && strings.EqualFold(text[:len(sigma)], sigma) {
		text = text[len(sigma):]
	}
	if id, ok := Parse(text); ok {
		*ids = Merge(*ids, id)
	}
}
