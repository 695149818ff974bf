package board

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// forgetOldest drops the questions that were seen longest ago.
func (b *Board) forgetOldest(n int) {
	all := slices.SortedFunc(maps.Values(b.questions), func(a, b *Question) int { return cmp.Or(a.Last.Compare(b.Last), cmp.Compare(a.Number, b.Number)) })
	for _, q := range all[:min(n, len(all))] {
		b.forget(q)
	}
	b.o.Log("The review store holds %d questions: the %d that were seen longest ago are forgotten, with their counts", len(all), min(n, len(all)))
}

// forgetOldestCases drops the cases whose last alert is the longest ago.
func (b *Board) forgetOldestCases(n int) {
	all := slices.SortedFunc(maps.Values(b.cases), func(a, b *Case) int { return cmp.Or(a.Last.Compare(b.Last), cmp.Compare(a.Number, b.Number)) })
	for _, c := range all[:min(n, len(all))] {
		b.forgetCase(c)
	}
	b.o.Log("The review store holds %d cases: the %d that are quiet for longest are forgotten", len(all), min(n, len(all)))
}

func (b *Board) forget(q *Question) {
	delete(b.questions, q.ID)
	b.events[q.Event] = slices.DeleteFunc(b.events[q.Event], func(o *Question) bool { return o == q })
	if len(b.events[q.Event]) == 0 {
		delete(b.events, q.Event)
	}
	for k, p := range q.Patterns {
		delete(b.patterns, k)
		delete(b.changed.patterns, p)
	}
	delete(b.changed.questions, q)
	b.changed.gone = append(b.changed.gone, row{"DELETE FROM question WHERE number = ?", []any{q.Number}}, row{"DELETE FROM pattern WHERE question = ?", []any{q.Number}},
		row{"DELETE FROM document WHERE number >= ? AND number < ?", []any{q.Number * slots, (q.Number + 1) * slots}})
	b.changes++
}

func (b *Board) forgetPattern(q *Question, p *Pattern) {
	delete(q.Patterns, p.Keys[0])
	delete(b.patterns, p.Keys[0])
	delete(b.changed.patterns, p)
	b.changed.gone = append(b.changed.gone, row{"DELETE FROM pattern WHERE number = ?", []any{p.Number}})
}

func (b *Board) forgetCase(c *Case) {
	delete(b.cases, c.ID)
	delete(b.changed.cases, c)
	b.changed.gone = append(b.changed.gone, row{"DELETE FROM cases WHERE number = ?", []any{c.Number}})
	b.changes++
}

// forgetOld forgets what is older than Keep, once an hour.
func (b *Board) forgetOld() {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	if b.o.Now == nil || now.Sub(b.cleaned) < time.Hour {
		return
	}
	b.cleaned = now
	old := now.Add(-b.o.Keep)
	for _, q := range b.questions {
		if q.Last.Before(old) {
			b.forget(q)
			continue
		}
		for _, p := range q.Patterns {
			if p.Last.Before(old) {
				b.forgetPattern(q, p)
				b.changes++
				q.Changed = b.changes
			}
		}
	}
	for _, c := range b.cases {
		if c.Last.Before(old) {
			b.forgetCase(c)
		}
	}
	gone := &b.changed.gone
	for n := range b.hours {
		if hour := old.Unix() / 3600; n < hour {
			delete(b.hours, n)
			delete(b.changed.hours, n)
			*gone = append(*gone, row{"DELETE FROM hour WHERE number = ?", []any{n}})
		}
	}
	*gone = append(*gone, row{"DELETE FROM log WHERE last < ?", []any{old.UnixMicro()}}, row{"DELETE FROM document WHERE at < ?", []any{old.UnixMicro()}})
}
