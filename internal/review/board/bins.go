package board

import (
	"slices"
	"time"
)

// The charts have bins of two hours, over eight days.
const (
	binTime = 2 * time.Hour
	binned  = 96
)

// Bins count alerts by time, in the 96 bins up to the newest alert: the numbers of the bins that are not empty, counted from 1970, oldest
// first, and their counts. Most patterns have one or two.
type Bins [][2]uint32

func binOf(at time.Time) int64 { return at.Truncate(binTime).Unix() / int64(binTime/time.Second) }

func (b *Bins) add(at time.Time) {
	bin := uint32(binOf(at)) // Read lets no time before 1970 pass
	i := len(*b)
	for i > 0 && (*b)[i-1][0] > bin {
		i--
	}
	switch {
	case i > 0 && (*b)[i-1][0] == bin:
		(*b)[i-1][1]++
		return
	case i < len(*b) && bin+binned <= b.top():
		return
	}
	*b = slices.Insert(*b, i, [2]uint32{bin, 1})
	old := 0
	for (*b)[old][0]+binned <= b.top() {
		old++
	}
	*b = slices.Delete(*b, 0, old)
}

// top is the number of the newest bin.
func (b *Bins) top() uint32 { return (*b)[len(*b)-1][0] }

// Until gives the counts of the eight days up to a time, oldest first.
func (b *Bins) Until(now time.Time) []int {
	counts := make([]int, binned)
	begin := binOf(now) - binned + 1
	for _, x := range *b {
		if i := int64(x[0]) - begin; i >= 0 && i < binned {
			counts[i] = int(x[1])
		}
	}
	return counts
}

// Since counts the alerts of the last bins before a time.
func (b *Bins) Since(now time.Time, bins int) (n int) {
	end := binOf(now)
	for _, x := range *b {
		if bin := int64(x[0]); bin <= end && bin > end-int64(bins) {
			n += int(x[1])
		}
	}
	return n
}
