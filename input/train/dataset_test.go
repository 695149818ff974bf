package train

import (
	"encoding/json"
	"hash/maphash"
	"testing"

	"github.com/stretchr/testify/assert"

	"connect-deepcase/internal/spool"
)

func TestSeen(t *testing.T) {
	s := seen{seed: maphash.MakeSeed(), first: map[uint64]remembered{}, further: map[uint64]uint32{}}
	again := func(r *spool.Record) bool {
		again, _, other := s.again(r)
		assert.False(t, other)
		return again
	}
	for _, r := range []spool.Record{
		{Machine: "m", Event: "a", Seconds: 1, ID: "i"},
		{Machine: "n", Event: "a", Seconds: 1, ID: "i"},
		{Machine: "m", Event: "b", Seconds: 1, ID: "i"},
		{Machine: "m", Event: "a", Seconds: 2, ID: "i"},
		{Machine: "m", Event: "a", Seconds: 1, Nanos: 1, ID: "i"},
		{Machine: "m", Event: "a", Seconds: 1, ID: "j"},
		{Machine: "mi", Event: "a", Seconds: 1, ID: "a"},
		{Machine: "m", Event: "a", ID: "i", Context: []string{"", "a"}},
		{Machine: "m", Event: "a", ID: "i", Context: []string{"a", "a"}},
	} {
		assert.False(t, again(&r), r)
		assert.True(t, again(&r), r)
	}
	assert.True(t, again(&spool.Record{Machine: "m", Event: "a", Seconds: 1, ID: "i", Context: []string{"", ""}}), "the context came later")
	nameless := spool.Record{Machine: "m", Event: "a", Seconds: 1}
	assert.False(t, again(&nameless))
	assert.False(t, again(&nameless), "without an id nothing is taken for another")
}

// An id that is reused is noticed, and so is an event that comes again with another document: perhaps it is another event.
func TestSeenTellsWhatIsStrange(t *testing.T) {
	s := seen{seed: maphash.MakeSeed(), first: map[uint64]remembered{}, further: map[uint64]uint32{}}
	for _, c := range []struct {
		second                   int64
		document                 string
		again, reused, different bool
	}{
		{1, "{}", false, false, false}, {1, "{}", true, false, false}, {1, "{ }", true, false, true},
		{2, "{}", false, true, false}, {2, "{}", true, false, false}, {2, "{ }", true, false, true},
	} {
		again, reused, other := s.again(&spool.Record{Machine: "m", Event: "a", ID: "rule", Seconds: c.second, Document: json.RawMessage(c.document)})
		assert.Equal(t, []bool{c.again, c.reused, c.different}, []bool{again, reused, other}, c)
	}
}
