package board

import "time"

// The charts have bins of two hours, over eight days.
const (
	binTime = 2 * time.Hour
	binned  = 96
)

// Bins count alerts by time, the last 96 bins before the newest alert.
type Bins struct {
	Top int64          `json:"top"` // the number of the newest bin, counted from 1970
	N   [binned]uint32 `json:"n"`   // bin b is at b modulo 96
}

func binOf(at time.Time) int64 { return at.Truncate(binTime).Unix() / int64(binTime/time.Second) }

func (b *Bins) add(at time.Time) {
	bin := binOf(at)
	switch {
	case bin >= b.Top+binned || b.Top == 0:
		*b = Bins{Top: bin}
	case bin > b.Top:
		for n := b.Top + 1; n <= bin; n++ {
			b.N[index(n)] = 0
		}
		b.Top = bin
	case bin <= b.Top-binned:
		return
	}
	b.N[index(bin)]++
}

func index(bin int64) int { return int((bin%binned + binned) % binned) }

// Until gives the counts of the eight days up to a time, oldest first.
func (b *Bins) Until(now time.Time) []int {
	counts := make([]int, binned)
	end := binOf(now)
	for i := range counts {
		if bin := end - binned + 1 + int64(i); bin <= b.Top && bin > b.Top-binned {
			counts[i] = int(b.N[index(bin)])
		}
	}
	return counts
}

// Since counts the alerts of the last bins before a time.
func (b *Bins) Since(now time.Time, bins int) (n int) {
	end := binOf(now)
	for bin := max(end-int64(bins)+1, b.Top-binned+1); bin <= min(end, b.Top); bin++ {
		n += int(b.N[index(bin)])
	}
	return n
}
