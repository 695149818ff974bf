package input

import (
	"hash/maphash"
	"testing"

	"github.com/stretchr/testify/assert"

	"connect-deepcase/input/spool"
)

func TestSeen(t *testing.T) {
	s := seen{seed: maphash.MakeSeed(), keys: map[uint64]bool{}}
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
		assert.False(t, s.again(&r), r)
		assert.True(t, s.again(&r), r)
	}
	assert.True(t, s.again(&spool.Record{Machine: "m", Event: "a", Seconds: 1, ID: "i", Context: []string{"", ""}}), "the context came later")
	nameless := spool.Record{Machine: "m", Event: "a", Seconds: 1}
	assert.False(t, s.again(&nameless))
	assert.False(t, s.again(&nameless), "without an id nothing is taken for another")
}
