package board

import (
	"encoding/binary"
	"math/bits"
	"time"

	"github.com/cespare/xxhash/v2"

	"connect-deepcase/model"
)

// Alerts are drawn at random day by day, to compare versions of the model on them.
const (
	sampledDays = 7
	aDay        = 750 // drawn a day
)

// Sample is an alert that was drawn.
type Sample struct {
	At      time.Time `json:"at"`
	Machine string    `json:"machine"`
	Event   string    `json:"event"`
	Context []string  `json:"context"`
	Of      int       `json:"of"` // alerts of its day so far, when it was drawn
}

// sample draws an alert or not: each of a day has the same chance (reservoir sampling, Vitter's algorithm R, with a hash for chance).
func (b *Board) sample(a *Alert) {
	if a.Status == model.NoModel {
		return
	}
	day := a.At.Truncate(24*time.Hour).Unix() / 86400
	base := int(day%(sampledDays+1)+sampledDays+1) % (sampledDays + 1) * aDay
	first := b.samples[base]
	n := 0
	if first != nil && sameDay(first.At, a.At) {
		n = first.Of
	} else {
		if first != nil && first.At.After(a.At) {
			return // of a week ago
		}
		for slot := base; slot < base+aDay; slot++ {
			if b.samples[slot] != nil {
				delete(b.samples, slot)
				b.changed.samples[slot] = nil
			}
		}
	}
	slot := n
	if n >= aDay {
		slot = draw(a, n)
	}
	if n > 0 {
		first.Of = n + 1
		b.changed.samples[base] = first
	}
	if slot < aDay {
		s := &Sample{a.At, a.Machine, a.Event, a.Context, n + 1}
		if slot == 0 && first != nil && n > 0 {
			s.Of = first.Of
		}
		b.samples[base+slot] = s
		b.changed.samples[base+slot] = s
	}
}

func sameDay(a, b time.Time) bool {
	return a.Truncate(24 * time.Hour).Equal(b.Truncate(24 * time.Hour))
}

// draw is a number of 0 to n by the alert.
func draw(a *Alert, n int) int {
	h := xxhash.New()
	_, _ = h.WriteString(a.Machine) // it never fails
	_, _ = h.Write(a.Pattern[:])
	_, _ = h.Write(binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, uint64(a.At.UnixNano())), uint64(n)))
	high, _ := bits.Mul64(h.Sum64(), uint64(n+1))
	return int(high)
}
