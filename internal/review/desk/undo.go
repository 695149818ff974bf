package desk

import (
	"context"
	"fmt"
	"math"
	"strings"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/model/decisions"
)

// aside is a snooze or a verdict of a batch.
type aside struct {
	kind byte // s or v
	id   string
	rev  int
}

// parseBatch reads what Done.Batch says.
func parseBatch(batch string) (first, last uint64, asides []aside, err error) {
	bad := fmt.Errorf("%w: batch %q is none of this page", review.ErrInvalid, batch)
	for part := range strings.SplitSeq(batch, ",") {
		switch {
		case part == "":
			return 0, 0, nil, bad
		case part[0] == 'n':
			twice := first != 0
			if n, _ := fmt.Sscanf(part, "n%d-%d", &first, &last); twice || n != 2 || first == 0 || last < first || last-first > 1<<20 || last > math.MaxInt64 {
				return 0, 0, nil, bad
			}
		case part[0] == 's' || part[0] == 'v':
			id, rev, found := strings.Cut(part[1:], "@")
			a := aside{kind: part[0], id: id}
			if n, _ := fmt.Sscanf(rev, "%d", &a.rev); !found || n != 1 || a.rev < 1 {
				return 0, 0, nil, bad
			}
			asides = append(asides, a)
		default:
			return 0, 0, nil, bad
		}
	}
	return first, last, asides, nil
}

// Undo takes back what was decided together: all of it, or nothing if somebody decided about one of the items since.
func (d *Desk) Undo(ctx context.Context, who, batch string) (done review.Done, err error) {
	first, last, asides, err := parseBatch(batch)
	if err != nil {
		return done, err
	}
	return d.alone(func() (review.Done, error) { return d.undo(ctx, who, first, last, asides) })
}

func (d *Desk) undo(ctx context.Context, who string, first, last uint64, asides []aside) (done review.Done, err error) {
	if err := d.refresh(ctx, false); err != nil {
		return done, err
	}
	before, err := d.between(first, last)
	if err != nil {
		return done, err
	}
	if conflicts := d.undoConflicts(before, asides); len(conflicts) > 0 {
		return done, &review.ConflictError{Conflicts: conflicts}
	}
	var written []decisions.Decision
	if len(before) > 0 {
		if written, err = d.append(ctx, func(decisions.Look) ([]decisions.Decision, error) {
			if conflicts := d.undoConflicts(before, asides); len(conflicts) > 0 { // others may have decided since
				return nil, &review.ConflictError{Conflicts: conflicts}
			}
			return d.takeBack(who, before)
		}); err != nil {
			return done, err
		}
		if err := d.record(ctx, written); err != nil {
			return done, err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	ids := map[string]string{} // events by item
	for _, a := range asides {
		if a.kind == 's' {
			_, err = d.setSnooze(ctx, a.id, 0, who, "")
		} else {
			_, err = d.setVerdict(ctx, a.id, verdict{kind: d.verdicts[a.id].kind, by: who}, "")
		}
		if err != nil {
			return done, err
		}
		ids[a.id] = ""
	}
	d.o.Board.View(func(v board.View) {
		for _, x := range before {
			if id := d.itemOf(v, x); id != "" {
				ids[id] = x.Subject.Event
			}
		}
		for id, event := range ids {
			made := review.Made{ID: id, Event: event, Action: "undo", By: who}
			if x := d.find(v, id); x != nil {
				made.Event, made.Rev, made.Score = x.event, d.revOf(v, x), x.state.score
			}
			done.Made = append(done.Made, made)
		}
	})
	d.note(done.Made)
	done.Seq = d.seq
	return done, nil
}

// between are the decisions of a batch that can be taken back.
func (d *Desk) between(first, last uint64) (all []decisions.Decision, err error) {
	if first == 0 {
		return nil, nil
	}
	err = d.eachCopy("number BETWEEN ? AND ? ORDER BY number", func(x decisions.Decision) error {
		if x.Kind == decisions.Undo {
			return fmt.Errorf("%w: decision %d took something back: decide again instead", review.ErrInvalid, x.Number)
		}
		all = append(all, x)
		return nil
	}, first, last)
	if err == nil && len(all) != int(last-first)+1 {
		err = fmt.Errorf("decisions %d to %d: %w", first, last, review.ErrNotFound)
	}
	return all, err
}

// undoConflicts are the items that somebody decided about since.
func (d *Desk) undoConflicts(before []decisions.Decision, asides []aside) (all []review.Conflict) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.o.Board.View(func(v board.View) {
		for _, x := range before {
			c := review.Conflict{ID: d.itemOf(v, x), Event: x.Subject.Event}
			if x.Kind == decisions.Cluster {
				switch last := d.decidedOf(x); {
				case last.number == 0:
					c.What = "a new training has other clusters"
				case last.number == x.Number:
					continue
				default:
					c.What, c.By, c.At, c.Why = "scored "+scoreText(last.score), last.by, last.at, last.why
				}
				all = append(all, c)
				continue
			}
			d.journal.Read(func(l decisions.Look) {
				switch l.State(x.Number) {
				case decisions.Replaced:
					found, _ := l.On(x.Kind, x.Key)
					c.What = "answered again"
					if found != nil {
						c.What, c.By, c.At, c.Score = "answered "+scoreText(found.Score), found.By, found.At, &found.Score
					}
					all = append(all, c)
				case decisions.Undone:
					c.What = "already taken back"
					all = append(all, c)
				}
			})
		}
	})
	for _, a := range asides {
		if a.kind == 's' && d.snoozes[a.id].rev != a.rev || a.kind == 'v' && d.verdicts[a.id].rev != a.rev {
			all = append(all, review.Conflict{ID: a.id, What: "put off, closed or opened again since", By: d.verdicts[a.id].by})
		}
	}
	return all
}

// decidedOf is the last decision about the cluster of a decision, if the model that serves has it. mu is held.
func (d *Desk) decidedOf(x decisions.Decision) decided {
	if !d.serves(x.Version) {
		return decided{}
	}
	return d.serving.decided[x.Cluster]
}

// serves tells whether the model that serves has the clusters of a version. mu is held.
func (d *Desk) serves(version string) bool {
	return d.serving != nil && d.generation(version) == d.serving.generation
}

// takeBack are the decisions that take back others.
func (d *Desk) takeBack(who string, before []decisions.Decision) (all []decisions.Decision, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range before {
		if x.Kind != decisions.Cluster {
			all = append(all, decisions.Decision{Kind: decisions.Undo, By: who, Undoes: x.Number})
			continue
		}
		if d.serving == nil {
			return nil, fmt.Errorf("%w: there is no model", review.ErrInvalid)
		}
		now := x.Score
		all = append(all, decisions.Decision{Kind: decisions.Cluster, By: who, Reason: "taken back", Cluster: x.Cluster, Version: d.serving.version, Score: noScore(x.Old), Old: &now,
			Subject: x.Subject})
	}
	return all, nil
}

// itemOf is the item that a decision is about, "" if there is none. mu is held.
func (d *Desk) itemOf(v board.View, x decisions.Decision) string {
	if x.Kind == decisions.Cluster {
		if d.serves(x.Version) {
			return board.ClusterID(d.serving.generation, x.Cluster)
		}
		return ""
	}
	if q := v.ByPattern(x.Key); q != nil {
		return q.ID
	}
	for _, q := range v.OfEvent(x.Subject.Event) {
		for _, p := range q.Patterns {
			for _, k := range p.Keys {
				if k == x.Key {
					return q.ID
				}
			}
		}
	}
	return ""
}
