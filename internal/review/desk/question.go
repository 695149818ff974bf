package desk

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

const (
	shownPatterns = 200
	shownContexts = 10
	shownAround   = 300
)

// find is the item of an ID. mu is held, and v is of a View.
func (d *Desk) find(v board.View, id string) *item {
	if c := v.Cases()[id]; c != nil {
		return d.caseItem(v, id, c)
	}
	days := liveDays(v)
	if q := v.Questions()[id]; q != nil && q.Kind == review.PatternKind {
		return d.complete(v, d.patternItem(q, true), days)
	}
	if i := d.clusterOf(id); i >= 0 {
		return d.complete(v, d.clusterItem(v, i), days)
	}
	return nil
}

// clusterOf is the cluster of an ID in the model that serves, −1 if it is of none. mu is held.
func (d *Desk) clusterOf(id string) int {
	var cluster int
	var generation string
	if d.serving == nil {
		return -1
	}
	if n, err := fmt.Sscanf(id, "c%d-%s", &cluster, &generation); err != nil || n != 2 || cluster < 0 || cluster >= len(d.serving.model.Clusters) ||
		id != board.ClusterID(d.serving.generation, cluster) {
		return -1
	}
	return cluster
}

// Question gives a question with all that an analyst needs.
func (d *Desk) Question(id string) (q review.Question, err error) {
	documents, err := d.o.Board.Documents(context.Background(), id)
	if err != nil {
		return q, err
	}
	var concerns func(decisions.Decision) bool
	found := false
	d.mu.Lock()
	d.o.Board.View(func(v board.View) {
		x := d.find(v, id)
		if x == nil || x.kind == review.CaseKind {
			return
		}
		found = true
		q = d.question(v, x)
		concerns = d.concerning(x)
	})
	d.mu.Unlock()
	if !found {
		return q, fmt.Errorf("question %s: %w", id, review.ErrNotFound)
	}
	if q.Documents = documents; len(documents) == 0 {
		q.Documents = d.examples(q.Cluster)
	}
	q.History, err = d.history(q.Event, concerns)
	return q, err
}

// question completes an item. mu is held.
func (d *Desk) question(v board.View, x *item) review.Question {
	q := review.Question{Item: d.item(v, x), Agree: x.state.agree, Of: x.state.of}
	if s := d.serving; s != nil {
		q.Version, q.Needed = s.version, float64(s.model.Params.Interpreter.Threshold)
	}
	if b := x.question; b != nil {
		if b.ConfidenceN > 0 {
			q.Confidence = b.ConfidenceSum / float64(b.ConfidenceN)
		}
		for _, id := range slices.Backward(b.Cases) {
			if c := v.Cases()[id]; c != nil {
				q.Cases = append(q.Cases, d.item(v, d.caseItem(v, id, c)))
			}
		}
	}
	var of []review.Share
	if x.kind == review.ClusterKind {
		c := d.serving.model.Clusters[x.cluster]
		for _, context := range c.Contexts {
			q.Contexts = append(q.Contexts, review.Context{Count: context.Count, Events: context.Context, Attention: floats(context.Attention)})
		}
		for _, m := range c.Mixed() {
			q.Mixed = append(q.Mixed, review.Labels{Score: m.Score, Count: m.Count})
		}
		of = d.serving.after[x.cluster]
	} else {
		q.Listed, q.Contexts = d.patterns(x.question), contexts(x.question)
		of = x.question.After
	}
	q.Nearest = d.allNear(of, x.event, x.cluster, 5)
	if q.Near != nil {
		q.Suggested = q.Near.Score
	}
	open := openOr(q.ID, d.picture(v).questions)
	q.Previous, q.Next, q.Rank = neighbours(q.ID, open)
	q.Ranks = len(open)
	for _, x := range open {
		if x.id != q.ID && x.event == q.Event && len(q.Together) < 4 {
			q.Together = append(q.Together, d.item(v, x))
		}
	}
	return q
}

// openOr are the open items of a list, and the one with an ID.
func openOr(id string, list []*item) []*item {
	return slices.DeleteFunc(slices.Clone(list), func(x *item) bool { return !x.open && x.id != id })
}

// neighbours are the items before and after one in a list, "" if there is none, and its place, from 1.
func neighbours(id string, list []*item) (previous, next string, rank int) {
	i := slices.IndexFunc(list, func(x *item) bool { return x.id == id })
	if i < 0 {
		return "", "", 0
	}
	if i > 0 {
		previous = list[i-1].id
	}
	if i+1 < len(list) {
		next = list[i+1].id
	}
	return previous, next, i + 1
}

// listed are the patterns of a question that its page lists, and that an answer covers: of the first seq patterns those without an answer come
// before the others, and older ones before newer ones, at most shownPatterns. So they are the same when the answer comes. mu is held.
func (d *Desk) listed(q *board.Question, seq int) []*board.Pattern {
	var open, decided []*board.Pattern
	for _, p := range q.Patterns {
		switch settled := d.settle(p); {
		case p.Seq > seq:
		case settled.Found == nil && settled.Status.Unsure():
			open = append(open, p)
		default:
			decided = append(decided, p)
		}
	}
	older := func(a, b *board.Pattern) int { return a.Seq - b.Seq }
	slices.SortFunc(open, older)
	slices.SortFunc(decided, older)
	all := slices.Concat(open, decided)
	return all[:min(shownPatterns, len(all))]
}

// patterns shows the patterns that are listed, the newest first. mu is held.
func (d *Desk) patterns(q *board.Question) (all []review.Pattern) {
	list := d.listed(q, q.Seq)
	slices.SortFunc(list, func(a, b *board.Pattern) int { return cmp.Or(b.Last.Compare(a.Last), b.Seq-a.Seq) })
	for _, p := range list {
		all = append(all, d.pattern(q.Event, p))
	}
	return all
}

func (d *Desk) pattern(event string, p *board.Pattern) review.Pattern {
	out := review.Pattern{Key: p.Keys[0], Event: event, Machine: p.Machine, Context: p.Context, Attention: p.Attention, Status: p.Status.String(), Alerts: p.Alerts,
		First: p.First, Last: p.Last}
	settled := d.settle(p)
	found := cmp.Or(settled.Found, settled.Before)
	if found == nil && settled.Status == model.Scored {
		out.Status = settled.Status.String()
	}
	if found != nil {
		out.Answer = &review.Answer{Number: found.Number, Kind: found.Kind, Scope: found.Scope, Score: found.Score, By: found.By, At: found.At, Until: found.Until,
			Due: found.Due, InForce: settled.Found != nil}
	}
	return out
}

// contexts are the most frequent contexts of the patterns of a question.
func contexts(b *board.Question) []review.Context {
	counts := map[decisions.Key]*review.Context{}
	for _, p := range b.Patterns {
		c := counts[p.Keys[1]]
		if c == nil {
			c = &review.Context{Events: p.Context, Attention: p.Attention}
			counts[p.Keys[1]] = c
		}
		c.Count += p.Alerts
	}
	all := make([]review.Context, 0, len(counts))
	for _, c := range counts {
		all = append(all, *c)
	}
	slices.SortFunc(all, func(a, b review.Context) int { return cmp.Or(b.Count-a.Count, slices.Compare(a.Events, b.Events)) })
	return all[:min(shownContexts, len(all))]
}

func floats(all []float32) []float64 {
	out := make([]float64, len(all))
	for i, x := range all {
		out[i] = math.Round(float64(x)*1e4) / 1e4
	}
	return out
}

// concerning tells which decisions are in the history of an item. mu is held.
func (d *Desk) concerning(x *item) func(decisions.Decision) bool {
	if x.kind == review.ClusterKind {
		generation := d.serving.generation
		return func(c decisions.Decision) bool {
			return c.Kind == decisions.Cluster && c.Cluster == x.cluster && d.generation(c.Version) == generation
		}
	}
	keys := map[decisions.Key]bool{}
	if x.question != nil {
		for _, p := range x.question.Patterns {
			for _, k := range p.Keys {
				keys[k] = true
			}
		}
	}
	return func(c decisions.Decision) bool { return keys[c.Key] }
}

// examples are the documents that the training kept of a cluster.
func (d *Desk) examples(cluster int) (all []review.Document) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if cluster < 0 || d.serving == nil || cluster >= len(d.serving.model.Clusters) {
		return nil
	}
	c := d.serving.model.Clusters[cluster]
	for _, text := range slices.Backward(c.Examples) {
		all = append(all, review.Document{Event: c.Event, Body: text})
	}
	return all
}

// Case gives a case with its alerts.
func (d *Desk) Case(id string) (c review.CaseView, err error) {
	ctx := context.Background()
	found := false
	machine, from, to := "", time.Time{}, time.Time{}
	var ids []string
	d.mu.Lock()
	d.o.Board.View(func(v board.View) {
		b := v.Cases()[id]
		if b == nil {
			return
		}
		found = true
		x := d.caseItem(v, id, b)
		c.Item = d.item(v, x)
		for _, q := range board.Busiest(b.Questions, 20) {
			if y := d.find(v, q.Name); y != nil {
				c.Questions = append(c.Questions, d.item(v, y))
				ids = append(ids, q.Name)
			}
		}
		for _, k := range b.Patterns {
			if q := v.ByPattern(k); q != nil {
				c.Patterns = append(c.Patterns, d.pattern(q.Event, q.Patterns[k]))
			}
		}
		if len(c.Machines) > 0 {
			machine = c.Machines[0].Name
		}
		from, to = b.First.Add(-time.Hour), b.Last.Add(time.Hour)
		cases := openOr(id, d.picture(v).cases)
		order(cases, "recent")
		c.Previous, c.Next, c.Rank = neighbours(id, cases)
		c.Ranks = len(cases)
	})
	d.mu.Unlock()
	if !found {
		return c, fmt.Errorf("case %s: %w", id, review.ErrNotFound)
	}
	var damaged error
	c.Alerts, c.Left, damaged = d.o.Board.CaseAlerts(ctx, id)
	if machine != "" {
		c.Around, err = d.o.Board.Around(ctx, machine, from, to, id, shownAround)
		damaged = errors.Join(damaged, err)
	}
	d.tell("log", damaged)
	for _, q := range ids {
		documents, err := d.o.Board.Documents(ctx, q)
		if err != nil {
			return c, err
		}
		for _, doc := range documents {
			if slices.ContainsFunc(c.Machines, func(m review.Count) bool { return m.Name == doc.Machine }) && len(c.Documents) < 12 {
				c.Documents = append(c.Documents, doc)
			}
		}
	}
	slices.SortStableFunc(c.Documents, func(a, b review.Document) int { return b.At.Compare(a.At) })
	events, keys := map[string]bool{}, map[decisions.Key]bool{}
	for _, p := range c.Patterns {
		events[p.Event], keys[p.Key] = true, true
	}
	for event := range events {
		entries, err := d.history(event, func(x decisions.Decision) bool { return keys[x.Key] })
		if err != nil {
			return c, err
		}
		c.History = append(c.History, entries...)
	}
	slices.SortFunc(c.History, func(a, b review.Entry) int { return cmp.Compare(b.Number, a.Number) })
	return c, nil
}
