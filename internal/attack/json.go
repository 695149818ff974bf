package attack

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"connect-deepcase/internal/field"
)

// OfJSON is Techniques for a document that is not decoded. Of it, no more is decoded than the members that may name a technique. Where it is not
// valid JSON, some may be missing.
func OfJSON(document []byte) (ids []string) {
	if !mayName(document) {
		return nil
	}
	members := make([]json.RawMessage, len(root.keys))
	for name, value := range field.Members(document) {
		if at, known := slices.BinarySearchFunc(root.keys, name, func(k key, name string) int { return strings.Compare(k.name, name) }); known {
			members[at] = value // if a key comes twice, the last one counts
		}
	}
	for i, member := range members {
		var value any
		if member != nil && mayName(member) && json.Unmarshal(member, &value) == nil {
			root.keys[i].to.read(value, &ids)
		}
	}
	return ids
}

// mayName tells whether the id of a technique may be in a text of JSON: it is there, or something is escaped.
func mayName(text []byte) bool {
	const digits4 = 4
	for i := 0; i+digits4 < len(text); i++ {
		end := i + 1 + digits4
		if text[i]|0x20 == 't' && digits(text[i+1:end]) && (end == len(text) || text[end] < '0' || text[end] > '9') { // not a time, as in names of versions
			return true
		}
	}
	return bytes.Contains(text, []byte(`\u00`))
}

// Count is how many documents name a technique.
type Count struct {
	Technique string `json:"technique"`
	Count     int    `json:"count"`
}

// Counts counts the techniques of documents that are not decoded, by id.
func Counts[T ~[]byte](documents []T) (counts []Count) {
	found := map[string]int{}
	for _, document := range documents {
		for _, id := range OfJSON(document) {
			found[id]++
		}
	}
	for _, id := range slices.Sorted(maps.Keys(found)) {
		counts = append(counts, Count{id, found[id]})
	}
	return counts
}
