package desk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
)

// The journal is copied into the database, so that lists and histories are queries. The copy can always be made again.

const columns = "number, at, kind, by, reason, scope, key, event, machine, score, until, cluster, version, old, undoes"

// atOnce is how many decisions are copied at a time.
const atOnce = 5000

// mirror copies what the journal has more than the database.
func (d *Desk) mirror(ctx context.Context, journal *decisions.Journal) error {
	var last uint64
	if err := d.o.DB.Read().QueryRowContext(ctx, "SELECT coalesce(max(number), 0) FROM decision").Scan(&last); err != nil {
		return err
	}
	var inJournal uint64
	journal.Read(func(l decisions.Look) { inJournal = l.Last() })
	other, read := inJournal < last, journal.Reread()
	if !other && read != d.reread {
		var err error
		if other, err = d.isOther(journal, last); err != nil {
			return err
		}
	}
	if other { // somebody restored a backup, or has put another model there
		if err := d.o.DB.Write(ctx, func(tx *sql.Tx) error { _, err := tx.Exec("DELETE FROM decision"); return err }); err != nil {
			return err
		}
		last = 0
		d.mu.Lock()
		d.known = 0
		d.rev++
		d.global = d.rev
		if d.serving != nil {
			clear(d.serving.decided)
		}
		d.mu.Unlock()
	}
	d.reread = read
	if inJournal == last {
		d.mu.Lock()
		d.known = max(d.known, last)
		d.mu.Unlock()
		return nil
	}
	var fresh []decisions.Decision
	put := func() error {
		if err := d.o.DB.Write(ctx, func(tx *sql.Tx) error { return copyDecisions(tx, fresh) }); err != nil {
			return err
		}
		d.mu.Lock()
		defer d.mu.Unlock()
		d.taken(fresh)
		fresh = fresh[:0]
		return nil
	}
	if _, err := journal.EachAfter(last, func(x decisions.Decision) error {
		if fresh = append(fresh, x); len(fresh) == atOnce {
			return put()
		}
		return nil
	}); err != nil {
		return fmt.Errorf("decision journal: %w", err)
	}
	return put()
}

// isOther tells whether the last decision that was copied is another one in the journal. Then what is copied is of another journal.
func (d *Desk) isOther(journal *decisions.Journal, last uint64) (other bool, err error) {
	if last == 0 {
		return false, nil
	}
	var copied *decisions.Decision
	if err := d.eachCopy("number = ?", func(x decisions.Decision) error { copied = &x; return nil }, last); err != nil || copied == nil {
		return false, err
	}
	_, err = journal.EachAfter(last-1, func(x decisions.Decision) error {
		other = x.Number == last && !(x.At.Equal(copied.At) && x.Kind == copied.Kind && x.By == copied.By && x.Key == copied.Key && x.Cluster == copied.Cluster && x.Undoes == copied.Undoes)
		return errEnough
	})
	if err != nil && !errors.Is(err, errEnough) {
		return false, fmt.Errorf("decision journal: %w", err)
	}
	return other, nil
}

func copyDecisions(tx *sql.Tx, all []decisions.Decision) error {
	statement, err := tx.Prepare("INSERT OR IGNORE INTO decision (" + columns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	defer statement.Close()
	for _, x := range all {
		var until int64
		if !x.Until.IsZero() {
			until = x.Until.UnixMicro()
		}
		if _, err := statement.Exec(x.Number, x.At.UnixMicro(), string(x.Kind), x.By, x.Reason, string(x.Scope), x.Key[:], x.Subject.Event, x.Subject.Machine, x.Score, until,
			x.Cluster, x.Version, x.Old, x.Undoes); err != nil {
			return err
		}
	}
	return nil
}

// taken makes decisions known to what is kept in memory; mu is held.
func (d *Desk) taken(fresh []decisions.Decision) {
	for _, x := range fresh {
		d.known = max(d.known, x.Number)
		d.rev++
		if x.Kind == decisions.Undo || x.Subject.Event == "" {
			d.global = d.rev
		} else {
			d.events[x.Subject.Event] = d.rev
		}
		if x.Kind == decisions.Cluster && d.serves(x.Version) {
			d.serving.decided[x.Cluster] = decided{x.Number, x.By, x.At, x.Score, x.Reason}
		}
	}
}

// lastScores are the last decisions about the clusters of a generation.
func (d *Desk) lastScores(generation string) (map[int]decided, error) {
	last := map[int]decided{}
	return last, d.eachCopy("kind = 'cluster' ORDER BY number", func(x decisions.Decision) error {
		if d.generation(x.Version) == generation {
			last[x.Cluster] = decided{x.Number, x.By, x.At, x.Score, x.Reason}
		}
		return nil
	})
}

// eachCopy gives the decisions of the database that a condition selects, until use returns errEnough.
func (d *Desk) eachCopy(where string, use func(decisions.Decision) error, arguments ...any) error {
	rows, err := d.o.DB.Query(context.Background(), "SELECT "+columns+" FROM decision WHERE "+where, arguments...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var x decisions.Decision
		var at, until int64
		var key []byte
		if err := rows.Scan(&x.Number, &at, &x.Kind, &x.By, &x.Reason, &x.Scope, &key, &x.Subject.Event, &x.Subject.Machine, &x.Score, &until, &x.Cluster, &x.Version, &x.Old,
			&x.Undoes); err != nil {
			return err
		}
		x.At = time.UnixMicro(at).UTC()
		if until != 0 {
			x.Until = time.UnixMicro(until).UTC()
		}
		copy(x.Key[:], key)
		if err := use(x); errors.Is(err, errEnough) {
			return nil
		} else if err != nil {
			return err
		}
	}
	return rows.Err()
}

// errEnough ends eachCopy.
var errEnough = errors.New("enough")

// Decisions lists decisions, the newest first. more tells that there are others.
func (d *Desk) Decisions(q review.DecisionQuery) (all []review.Entry, more bool, err error) {
	if q.Limit <= 0 {
		q.Limit = 100
	}
	err = d.EachDecision(q, func(e review.Entry) error {
		if len(all) == q.Limit {
			more = true
			return errEnough
		}
		all = append(all, e)
		return nil
	})
	return all, more, err
}

// listedAtOnce is how many decisions are read before use gets them: whoever reads a list slowly keeps no reader of the database waiting.
const listedAtOnce = 500

// EachDecision gives decisions, the newest first.
func (d *Desk) EachDecision(q review.DecisionQuery, use func(review.Entry) error) error {
	before := q.Before
	if before == 0 {
		before = 1 << 62
	}
	matches := decisionFilter(q.Text)
	for {
		var some []decisions.Decision
		if err := d.eachCopy("number < ? ORDER BY number DESC LIMIT ?", func(x decisions.Decision) error {
			some = append(some, x)
			return nil
		}, before, listedAtOnce); err != nil {
			return err
		}
		for _, x := range some {
			e := d.entry(x)
			if !matches(e) {
				continue
			}
			if err := use(e); errors.Is(err, errEnough) {
				return nil
			} else if err != nil {
				return err
			}
		}
		if len(some) < listedAtOnce {
			return nil
		}
		before = some[len(some)-1].Number
	}
}

// entry tells what became of a decision.
func (d *Desk) entry(x decisions.Decision) review.Entry {
	e := review.Entry{Decision: x, Action: string(x.Kind)}
	d.mu.Lock()
	defer d.mu.Unlock()
	switch x.Kind {
	case decisions.Cluster:
		e.Action = "score"
		if x.Score == interpreter.NoScore {
			e.Action = "withdraw"
		}
		e.State = "replaced"
		if !d.serves(x.Version) {
			break
		}
		e.Item = board.ClusterID(d.serving.generation, x.Cluster)
		if d.serving.decided[x.Cluster].number == x.Number {
			e.Batch = batchOf(x.Number, x.Number)
			if p, waits := d.pending[place{d.serving.generation, x.Cluster}]; waits && p.number == x.Number {
				e.State = "to_publish"
			} else if x.Cluster < len(d.serving.model.Clusters) && d.serving.model.Clusters[x.Cluster].Score == x.Score { // else it was rolled back
				e.State = "published"
			}
		}
	case decisions.Answer, decisions.Mute:
		if x.Kind == decisions.Answer {
			e.Action = "score"
		}
		if d.journal != nil {
			d.journal.Read(func(l decisions.Look) { e.State = string(l.State(x.Number)) })
		}
		if e.State == string(decisions.InForce) || e.State == string(decisions.Due) {
			e.Batch = batchOf(x.Number, x.Number)
		}
		d.o.Board.View(func(v board.View) {
			if q := v.ByPattern(x.Key); q != nil {
				e.Item = q.ID
			}
		})
	}
	return e
}

// batchOf names the decisions that were made together.
func batchOf(first, last uint64) string { return fmt.Sprintf("n%d-%d", first, last) }

// decisionFilter reads words and by: event: machine: kind: state: score: with a value.
func decisionFilter(text string) func(review.Entry) bool {
	all := terms(text)
	return func(e review.Entry) bool {
		for _, t := range all {
			score := trim(e.Score)
			var ok bool
			switch t.field {
			case "by":
				ok = t.in(e.By)
			case "event":
				ok = t.in(e.Subject.Event)
			case "machine":
				ok = t.in(e.Subject.Machine)
			case "kind":
				ok = t.value == strings.ToLower(string(e.Kind)) || t.value == e.Action
			case "state":
				ok = t.value == e.State
			case "scope":
				ok = t.value == string(e.Scope)
			case "score":
				ok = t.value == score
			default:
				ok = t.in(e.Subject.Event) || t.in(e.Subject.Machine) || t.in(e.By) || t.in(e.Reason)
			}
			if !ok {
				return false
			}
		}
		return true
	}
}

// history are the decisions about an event that concern an item, the newest first, at most 50.
func (d *Desk) history(event string, concerns func(decisions.Decision) bool) (all []review.Entry, err error) {
	err = d.eachCopy("event = ? ORDER BY number DESC LIMIT 2000", func(x decisions.Decision) error {
		if concerns(x) {
			all = append(all, d.entry(x))
		}
		if len(all) == 50 {
			return errEnough
		}
		return nil
	}, event)
	return all, err
}
