package review

import (
	"cmp"
	"maps"
	"math"
	"slices"
)

// Attention is how much attention events get, by name.
type Attention map[string]float64

// AttentionOf is what the events of a context get. attention has a number for each of them, or none.
func AttentionOf(context []string, attention []float64) Attention {
	a := Attention{}
	for i, x := range attention {
		if x > 0 {
			a[context[i]] += x
		}
	}
	return a
}

// List gives each event once, by name.
func (a Attention) List() []Share {
	all := make([]Share, 0, len(a))
	for _, name := range slices.Sorted(maps.Keys(a)) {
		all = append(all, Share{name, a[name]})
	}
	return all
}

// Shares are the events with their shares of all attention, the most first.
func (a Attention) Shares() []Share {
	all, sum := a.List(), 0.0
	for _, s := range all {
		sum += s.Share
	}
	for i := range all {
		all[i].Share /= sum
	}
	slices.SortStableFunc(all, func(a, b Share) int { return cmp.Compare(b.Share, a.Share) })
	return all
}

// Weigh gives what shares say by name.
func Weigh(shares []Share) Attention {
	a := make(Attention, len(shares))
	for _, s := range shares {
		a[s.Name] = s.Share
	}
	return a
}

// Distance is the L1 distance to a list in which each name comes once: at most 2, because neither adds up to more than 1.
func (a Attention) Distance(list []Share) float64 {
	sum := 0.0
	for _, x := range a {
		sum += x
	}
	for _, s := range list {
		here := a[s.Name]
		sum += math.Abs(s.Share-here) - here
	}
	return sum
}
