package field

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
)

// Index knows where the members of a JSON object are, so that values are found without going through the object again. The zero value knows
// nothing.
type Index struct {
	text    []byte
	members []span
	except  string
}

// span is where a member is in the text. Offsets take a third of the memory of slices, and the garbage collector need not follow them.
type span struct{ key, keyEnd, value, end uint32 }

// Room is memory for the indexes of a batch.
type Room []span

// Index begins the index of an object. Each of its members has to be added.
func (r *Room) Index(text []byte) Index {
	return Index{text: text, members: (*r)[len(*r):]}
}

// Add adds a member. The key, in quotes, and the value are pieces of the text.
func (r *Room) Add(x *Index, key, value []byte) {
	from := len(*r) - len(x.members)
	start, valueStart := cap(x.text)-cap(key), cap(x.text)-cap(value)
	*r = append(*r, span{uint32(start), uint32(start + len(key)), uint32(valueStart), uint32(valueStart + len(value))})
	x.members = (*r)[from:]
}

// Without is the index for an object that equals the indexed one, except for the member of that key.
func (x Index) Without(key string) Index {
	x.members = slices.Clip(x.members)
	x.except = key
	return x
}

// FindJSON is the function FindJSON for the object, if the index knows the answer.
func (x *Index) FindJSON(path string) (found json.RawMessage, known bool) {
	if x.members == nil || len(x.text) > math.MaxUint32 || strings.HasPrefix(path, x.except) && x.except != "" || strings.IndexByte(path, '~') >= 0 {
		return nil, false
	}
	var few [4]lead
	leads := few[:0]
	for i := range x.members {
		m := &x.members[i]
		leads = addLead(leads, leadLength(path, KeyText(x.text[m.key:m.keyEnd]), false), x.text[m.value:m.end])
	}
	return follow(leads, path), true
}
