package desk

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"connect-deepcase/internal/drift"
	"connect-deepcase/internal/review"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/model/store"
)

const shownChanges = 100

// Models lists the versions of the model directory, the newest first. If from and to are given, it compares these two.
func (d *Desk) Models(ctx context.Context, from, to string) (m review.Models, err error) {
	s, err := store.Open(d.o.Model, false)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	} else if err != nil {
		return m, err
	}
	versions, err := s.Versions()
	if err != nil {
		return m, err
	}
	scores, err := d.scoresByVersion()
	if err != nil {
		return m, err
	}
	for i, v := range versions {
		out := review.Version{Name: v.Name, Created: v.Created, Current: v.Current, Clusters: v.Clusters, Scored: v.Scored, Events: v.Events}
		switch {
		case v.Err != nil:
			out.Damaged, out.What = v.Err.Error(), "cannot be read"
		case s.Clustering(v.Name) == v.Name && v.Clusters == 0:
			out.What = "a network without clusters"
		case s.Clustering(v.Name) == v.Name:
			out.What = fmt.Sprintf("learnt from %d alerts", v.Samples)
		default:
			out.What = "scores of people"
			if i > 0 {
				out.By = people(scores[versions[i-1].Name], v.Created)
			}
			if len(out.By) > 0 {
				out.What = "scores"
			}
		}
		m.Versions = append(m.Versions, out)
	}
	slices.Reverse(m.Versions)
	if from == "" || to == "" {
		return m, nil
	}
	m.Compared, err = d.compare(ctx, s, from, to)
	return m, err
}

// scoresByVersion are the scores of clusters, by the version in which they were seen.
func (d *Desk) scoresByVersion() (map[string][]decisions.Decision, error) {
	all := map[string][]decisions.Decision{}
	return all, d.eachCopy("kind = 'cluster' ORDER BY number", func(x decisions.Decision) error {
		all[x.Version] = append(all[x.Version], x)
		return nil
	})
}

// people are those who scored before a version was created.
func people(made []decisions.Decision, created time.Time) (names []string) {
	for _, x := range made {
		if x.By != "" && !x.At.After(created) && !slices.Contains(names, x.By) {
			names = append(names, x.By)
		}
	}
	slices.Sort(names)
	return names
}

// compare tells what a version does differently from another.
func (d *Desk) compare(ctx context.Context, s *store.Store, from, to string) (*review.Comparison, error) {
	before, err := load(s, from)
	if err != nil {
		return nil, err
	}
	now, err := load(s, to)
	if err != nil {
		return nil, err
	}
	c := &review.Comparison{From: from, To: to}
	pairs, err := d.pairs(ctx, s, from, to, before, now)
	if err != nil {
		return nil, err
	}
	inNow := make([]bool, len(now.Clusters))
	for i := range before.Clusters {
		old := &before.Clusters[i]
		j := pairs[i]
		if j < 0 {
			c.VanishedN++
			c.Vanished = append(c.Vanished, review.ClusterChange{Cluster: i, Event: old.Event, After: top(after(old.Contexts)), Size: old.Size, Old: scoreOrNil(old.Score)})
			continue
		}
		inNow[j] = true
		if fresh := &now.Clusters[j]; fresh.Score != old.Score {
			c.RescoredN++
			c.Rescored = append(c.Rescored, review.ClusterChange{Cluster: j, Event: fresh.Event, After: top(after(fresh.Contexts)), Size: fresh.Size, Old: scoreOrNil(old.Score),
				New: scoreOrNil(fresh.Score)})
		}
	}
	for j := range now.Clusters {
		if !inNow[j] {
			fresh := &now.Clusters[j]
			c.AppearedN++
			c.Appeared = append(c.Appeared, review.ClusterChange{Cluster: j, Event: fresh.Event, After: top(after(fresh.Contexts)), Size: fresh.Size, New: scoreOrNil(fresh.Score)})
		}
	}
	for _, list := range []*[]review.ClusterChange{&c.Appeared, &c.Vanished, &c.Rescored} {
		slices.SortFunc(*list, func(a, b review.ClusterChange) int { return cmp.Or(b.Size-a.Size, a.Cluster-b.Cluster) })
		*list = (*list)[:min(shownChanges, len(*list))]
	}
	if err := d.changedVerdicts(ctx, c, before, now); err != nil {
		return nil, err
	}
	return c, d.undoes(s, c)
}

func load(s *store.Store, name string) (*model.Model, error) {
	m, err := s.Load(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("version %s: %w", name, review.ErrNotFound)
	} else if err != nil {
		return nil, fmt.Errorf("%w: version %s cannot be read: %w", review.ErrInvalid, name, err)
	}
	return m, nil
}

// pairs finds for each cluster of a version the one of another that has all its contexts, −1 if none has.
func (d *Desk) pairs(ctx context.Context, s *store.Store, from, to string, before, now *model.Model) ([]int, error) {
	if s.SameClusters(to, from) || s.SameClusters(from, to) || before.SameClusters(now) == nil {
		pairs := make([]int, len(before.Clusters))
		for i := range pairs {
			pairs[i] = i
		}
		return pairs, nil
	}
	return d.found(ctx, before.Clusters, now)
}

// changedVerdicts counts the alerts of the last days whose verdict would change.
func (d *Desk) changedVerdicts(ctx context.Context, c *review.Comparison, before, now *model.Model) error {
	samples := d.samples(before.Params.Length)
	if before.Params.Length != now.Params.Length || len(samples) == 0 || len(before.Clusters) == 0 || len(now.Clusters) == 0 {
		return nil
	}
	old, err := d.predict(ctx, before, asSamples(samples))
	if err != nil {
		return err
	}
	fresh, err := d.predict(ctx, now, asSamples(samples))
	if err != nil {
		return err
	}
	compared := drift.Compare()
	d.mu.Lock()
	journal := d.journal
	d.mu.Unlock()
	journal.Read(func(l decisions.Look) {
		for i, x := range samples {
			keys := decisions.Subject{Event: x.Event, Context: x.Context, Machine: x.Machine}.Keys()
			compared.Add(x.Event, x.Machine, drift.Verdict{Verdict: old[i], Settled: l.Settle(old[i], keys)}, drift.Verdict{Verdict: fresh[i], Settled: l.Settle(fresh[i], keys)},
				func() json.RawMessage { return nil })
		}
	})
	c.Tried = len(samples)
	for _, x := range compared.Changes() {
		c.Changed += x.Alerts
		if len(c.Verdicts) < 20 {
			c.Verdicts = append(c.Verdicts, review.VerdictChange{Event: x.Event, Old: outcomeText(x.Before), New: outcomeText(x.Now), Alerts: x.Alerts})
		}
	}
	return nil
}

func outcomeText(o drift.Outcome) string {
	if o.Score != nil {
		return o.Status + " " + trim(*o.Score)
	}
	return o.Status
}

// undoes are the scores that a rollback from c.From to c.To would take back: those that were given since c.To was created, at most 200.
func (d *Desk) undoes(s *store.Store, c *review.Comparison) error {
	versions, err := s.Versions()
	if err != nil {
		return err
	}
	i := slices.IndexFunc(versions, func(v store.Version) bool { return v.Name == c.To })
	if i < 0 {
		return nil
	}
	if j := slices.IndexFunc(versions, func(v store.Version) bool { return v.Name == c.From }); j < i {
		return nil // forward
	}
	return d.eachCopy("kind = 'cluster' AND at > ? ORDER BY number DESC LIMIT 200", func(x decisions.Decision) error {
		c.Undoes = append(c.Undoes, d.entry(x))
		return nil
	}, versions[i].Created.UnixMicro())
}

// Rollback makes an earlier version the current one. seen is the current version that the analyst saw: if it is another now, nothing happens.
func (d *Desk) Rollback(ctx context.Context, who, version, seen string) (string, error) {
	d.deciding.Lock()
	defer d.deciding.Unlock()
	s, err := store.Open(d.o.Model, false)
	if err != nil {
		return "", fmt.Errorf("%w: %w", review.ErrClosed, err)
	}
	current, err := s.Current()
	if err != nil {
		return "", fmt.Errorf("%w: %w", review.ErrClosed, err)
	}
	if current != seen {
		return "", &review.ConflictError{Conflicts: []review.Conflict{{What: fmt.Sprintf("version %s serves now, not %s", current, seen)}}}
	}
	d.mu.Lock()
	waits := len(d.pending)
	d.mu.Unlock()
	if waits > 0 {
		return "", fmt.Errorf("%w: %s not published yet: publish or undo first, and then roll back", review.ErrInvalid, plural(waits, "score"))
	}
	if _, err := load(s, version); err != nil {
		return "", err
	}
	waiting, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	name, err := s.Rollback(waiting, version)
	if err != nil {
		return "", writeError(err)
	}
	d.tell("reading", d.refresh(ctx, false))
	d.o.Log("%s rolled back from version %s to %s", who, current, name)
	return name, nil
}

func scoreOrNil(score float64) *float64 {
	if score == interpreter.NoScore {
		return nil
	}
	return &score
}
