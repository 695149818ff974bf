package model

import (
	"cmp"
	"math"
	"slices"
)

// picker chooses samples that represent all of them: the first and the last in time, and then again and again the one whose context, machine
// and day have the largest share of the samples. Each pick divides the shares of samples like it (the Sainte-Laguë method), so that what is
// frequent is picked more often, but not alone.
type picker struct {
	samples  []sample // by context, machine and day
	groups   []group
	contexts map[int32]*share
	machines map[int32]*share
	days     map[int64]*share
	ends     []int // indices of the first and the last sample, until they are picked
	taken    map[int]bool
}

// group is a range of samples that are alike.
type group struct {
	from, to, picked     int
	context, machine, on *share
}

type share struct{ of, picked float64 }

func (s *share) left() float64 { return s.of / (1 + 2*s.picked) }

func newPicker(samples []sample) *picker {
	p := &picker{samples: slices.Clone(samples), contexts: map[int32]*share{}, machines: map[int32]*share{}, days: map[int64]*share{}, taken: map[int]bool{}}
	alike := func(a, b sample) int {
		return cmp.Or(cmp.Compare(a.context, b.context), cmp.Compare(a.machine, b.machine), cmp.Compare(a.day(), b.day()))
	}
	slices.SortFunc(p.samples, func(a, b sample) int { return cmp.Or(alike(a, b), inTime(a, b)) })
	first, last := 0, 0
	for i, s := range p.samples {
		if i == 0 || alike(p.samples[i-1], s) != 0 {
			p.groups = append(p.groups, group{from: i, context: count(p.contexts, s.context), machine: count(p.machines, s.machine), on: count(p.days, s.day())})
		}
		g := &p.groups[len(p.groups)-1]
		g.to = i + 1
		g.context.of++
		g.machine.of++
		g.on.of++
		if inTime(s, p.samples[first]) < 0 {
			first = i
		}
		if inTime(s, p.samples[last]) > 0 {
			last = i
		}
	}
	p.ends = []int{first, last}
	return p
}

func count[K comparable](shares map[K]*share, of K) *share {
	s := shares[of]
	if s == nil {
		s = &share{}
		shares[of] = s
	}
	return s
}

// next picks a sample. ok is false if all are picked.
func (p *picker) next() (s sample, ok bool) {
	for len(p.ends) > 0 && len(p.samples) > 0 {
		at := p.ends[0]
		p.ends = p.ends[1:]
		if !p.taken[at] {
			g, _ := slices.BinarySearchFunc(p.groups, at, func(g group, at int) int {
				switch {
				case g.to <= at:
					return -1
				case g.from > at:
					return 1
				}
				return 0
			})
			return p.take(&p.groups[g], at), true
		}
	}
	var best *group
	most, furthest := 0.0, 0.0
	for i := range p.groups {
		g := &p.groups[i]
		left := g.context.left() + g.machine.left() + g.on.left()
		if g.picked == g.to-g.from || left < most {
			continue
		}
		if far := p.distance(g); left > most || far > furthest { // of equals, the one furthest from those already picked
			best, most, furthest = g, left, far
		}
	}
	if best == nil {
		return s, false
	}
	// Take the middle first, then the middles of the halves, and so on. If a sample is taken, take the one after it.
	at, step := 0.0, 1.0
	for n := best.picked + 1; n > 0; n /= 2 {
		step /= 2
		at += step * float64(n%2)
	}
	size := best.to - best.from
	place := int(at * float64(size))
	for p.taken[best.from+place] {
		place = (place + 1) % size
	}
	return p.take(best, best.from+place), true
}

// distance is how many rows the middle of a group is away from the nearest pick.
func (p *picker) distance(g *group) float64 {
	nearest := math.Inf(1)
	for at := range p.taken {
		nearest = min(nearest, math.Abs(float64(p.samples[(g.from+g.to)/2].row-p.samples[at].row)))
	}
	return nearest
}

func (p *picker) take(g *group, at int) sample {
	p.taken[at] = true
	g.picked++
	for _, s := range []*share{g.context, g.machine, g.on} {
		s.picked++
	}
	return p.samples[at]
}
