package cpu

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
)

// With few events contexts repeat; with many only the first of a context's events fit into what is compared first.
func TestByContext(t *testing.T) {
	const length = 5
	for _, events := range []int{2, 17, 20_000} {
		for _, n := range []int{0, 1, 255, 256, 3000} {
			t.Run(fmt.Sprintf("events=%d,rows=%d", events, n), func(t *testing.T) {
				contexts := random(n, length, events).Contexts
				for i := range len(contexts) / length { // every third row differs in its last event only from the one before
					if i%3 == 2 {
						copy(contexts[i*length:], contexts[(i-1)*length:][:length-1])
					}
				}
				want := make([]int32, n)
				for i := range want {
					want[i] = int32(i)
				}
				slices.SortFunc(want, func(a, b int32) int {
					return cmp.Or(slices.Compare(contextOf(contexts, length, a), contextOf(contexts, length, b)), cmp.Compare(a, b))
				})
				assert.Equal(t, want, byContext(contexts, length, events, n))
			})
		}
	}
}
