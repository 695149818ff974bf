package desk

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"connect-deepcase/internal/review"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
)

const (
	maxItems = 1000
	maxWhy   = 2000
	maxScore = 1e9
)

// The actions of review.Decide.
const (
	actionScore    = "score"
	actionWithdraw = "withdraw"
	actionMute     = "mute"
	actionSnooze   = "snooze"
	actionClose    = "close"
)

// request is what is decided, after it was checked.
type request struct {
	review.Decide
	until   time.Time
	version string // whose clusters are scored
	targets []*target
}

// Decide takes a decision about items: all of them, or none. Errors are review.ErrInvalid, ErrNotFound, ErrLocked, ErrClosed,
// *review.ConflictError and *review.ConfirmError.
func (d *Desk) Decide(ctx context.Context, in review.Decide) (done review.Done, err error) {
	return d.alone(func() (review.Done, error) { return d.decide(ctx, in) })
}

// alone runs a decision or an undo while no other one runs, and again if other programs have written in between.
func (d *Desk) alone(change func() (review.Done, error)) (done review.Done, err error) {
	d.deciding.Lock()
	defer d.deciding.Unlock()
	for range 5 {
		if done, err = change(); !errors.Is(err, errAgain) {
			return done, err
		}
	}
	return done, fmt.Errorf("%w, again and again", review.ErrLocked)
}

// errAgain is returned if others wrote decisions that are not known yet.
var errAgain = errors.New("others decided meanwhile")

func (d *Desk) decide(ctx context.Context, in review.Decide) (done review.Done, err error) {
	if err := d.refresh(ctx, false); err != nil {
		return done, err
	}
	r, err := d.check(ctx, in)
	if err != nil {
		return done, err
	}
	if effect, needed := d.mustConfirm(r); needed && !in.Confirm {
		return done, &review.ConfirmError{Effect: effect}
	}
	var written []decisions.Decision
	if r.journalled() {
		if written, err = d.append(ctx, func(look decisions.Look) ([]decisions.Decision, error) {
			if conflicts := d.conflicts(r, look); len(conflicts) > 0 {
				return nil, &review.ConflictError{Conflicts: conflicts}
			}
			return r.decisions(look), nil
		}); err != nil {
			return done, err
		}
	} else if conflicts := d.asideConflicts(r); len(conflicts) > 0 {
		return done, &review.ConflictError{Conflicts: conflicts}
	}
	return d.carryOut(ctx, r, written)
}

// append writes decisions into the journal, after all that others wrote.
func (d *Desk) append(ctx context.Context, decide func(decisions.Look) ([]decisions.Decision, error)) ([]decisions.Decision, error) {
	d.mu.Lock()
	journal, known := d.journal, d.known
	d.mu.Unlock()
	if journal == nil {
		return nil, fmt.Errorf("%w: %s is not there yet", review.ErrClosed, d.o.Model)
	}
	waiting, cancel := context.WithTimeout(ctx, lockWait)
	defer cancel()
	written, err := journal.Append(waiting, func(look decisions.Look) ([]decisions.Decision, error) {
		if look.Last() != known {
			return nil, errAgain
		}
		return decide(look)
	})
	if err != nil {
		return nil, writeError(err)
	}
	return written, nil
}

// writeError tells apart why nothing was written.
func writeError(err error) error {
	conflict, confirm := (*review.ConflictError)(nil), (*review.ConfirmError)(nil)
	switch {
	case errors.Is(err, errAgain), errors.Is(err, review.ErrInvalid), errors.Is(err, review.ErrNotFound), errors.As(err, &conflict), errors.As(err, &confirm):
		return err
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return fmt.Errorf("%w: %w", review.ErrLocked, err)
	}
	return fmt.Errorf("%w: %w", review.ErrClosed, err)
}

// check finds the items, and refuses what cannot be decided.
func (d *Desk) check(ctx context.Context, in review.Decide) (*request, error) {
	invalid := func(format string, arguments ...any) (*request, error) {
		return nil, fmt.Errorf("%w: %s", review.ErrInvalid, fmt.Sprintf(format, arguments...))
	}
	r := &request{Decide: in}
	switch {
	case !slices.Contains([]string{actionScore, actionWithdraw, actionMute, actionSnooze, actionClose}, in.Action):
		return invalid("action %q: need score, withdraw, mute, snooze or close", in.Action)
	case len(in.Items) == 0 || len(in.Items) > maxItems:
		return invalid("%d items: need 1 to %d", len(in.Items), maxItems)
	case len(in.Why) > maxWhy:
		return invalid("the reason has %d bytes: need at most %d", len(in.Why), maxWhy)
	case math.IsNaN(in.Score) || in.Score < 0 || in.Score > maxScore:
		return invalid("score %v: need 0 to %g", in.Score, maxScore)
	case in.Action == actionSnooze && (in.More < 1 || in.More > 1e9):
		return invalid("more %d: need the number of alerts after which it is asked again, 1 or more", in.More)
	case in.Action == actionMute && (in.Why == "" || in.Expires == ""):
		return invalid("a mute needs a reason and an expiry")
	}
	if r.Scope == "" {
		r.Scope = decisions.PatternOnMachine
	}
	if _, err := decisions.ParseScope(string(r.Scope)); err != nil {
		return invalid("%v", err)
	}
	if in.Expires != "" {
		until, err := expiry(in.Expires, d.o.Now())
		if err != nil {
			return invalid("%v", err)
		}
		r.until = until
	}
	d.mu.Lock()
	serving := d.serving
	d.mu.Unlock()
	seen := map[string]bool{}
	var gone []review.Conflict
	for _, t := range in.Items {
		if seen[t.ID] {
			return invalid("item %s comes twice", t.ID)
		}
		seen[t.ID] = true
		rev, err := parseRev(t.Rev)
		if err != nil {
			return nil, err
		}
		x, conflict, err := d.target(ctx, t.ID, rev)
		if err != nil {
			return nil, err
		} else if conflict != nil {
			gone = append(gone, *conflict)
			continue
		}
		if err := errors.Join(x.choose(t.Patterns), r.fits(x)); err != nil {
			return nil, fmt.Errorf("%w: %w", review.ErrInvalid, err)
		}
		r.targets = append(r.targets, x)
	}
	if len(gone) > 0 {
		return nil, &review.ConflictError{Conflicts: gone}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.serving != serving { // some of the clusters are those of the model before
		return nil, errAgain
	}
	if serving != nil {
		r.version = serving.version
	}
	return r, nil
}

// expiry reads a duration from now on, or a time.
func expiry(text string, now time.Time) (time.Time, error) {
	if lasts, err := time.ParseDuration(text); err == nil {
		if lasts <= 0 {
			return time.Time{}, fmt.Errorf("expires %q: need more than 0", text)
		}
		return now.Add(lasts).UTC(), nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("expires %q: need a duration such as 72h, or a time such as 2026-03-05T09:00:00Z", text)
	}
	if !at.After(now) {
		return time.Time{}, fmt.Errorf("expires %q: it is in the past", text)
	}
	return at.UTC(), nil
}

// journalled tells whether the decision is one about events.
func (r *request) journalled() bool {
	if r.Action == actionSnooze || r.Action == actionClose {
		return false
	}
	return slices.ContainsFunc(r.targets, func(x *target) bool { return r.Action == actionMute || x.answers() || x.cluster >= 0 })
}

// decisions are what is written into the journal.
func (r *request) decisions(look decisions.Look) (all []decisions.Decision) {
	written := map[decisions.Key]bool{}
	add := func(kind decisions.Kind, s subject) {
		about := s.In(r.Scope)
		key := s.keys[slices.Index(decisions.Scopes, r.Scope)]
		if !written[key] {
			written[key] = true
			x := decisions.Decision{Kind: kind, By: r.By, Reason: r.Why, Scope: r.Scope, Key: key, Subject: about, Until: r.until}
			if kind == decisions.Answer {
				x.Score = r.Score
			}
			all = append(all, x)
		}
	}
	for _, x := range r.targets {
		switch {
		case r.Action == actionMute && len(x.subjects) == 0:
			s := decisions.Subject{Event: x.event}
			add(decisions.Mute, subject{Subject: s, keys: s.Keys()})
		case r.Action == actionMute:
			for _, s := range x.subjects {
				add(decisions.Mute, s)
			}
		case r.Action == actionWithdraw && x.answers():
			for _, s := range x.subjects {
				for _, k := range s.keys {
					if found, _ := look.On(decisions.Answer, k); found != nil && !written[k] {
						written[k] = true
						all = append(all, decisions.Decision{Kind: decisions.Undo, By: r.By, Reason: r.Why, Undoes: found.Number})
					}
				}
			}
		case x.answers():
			fresh := slices.ContainsFunc(x.subjects, func(s subject) bool { return !s.decided })
			for _, s := range x.subjects {
				if !fresh || !s.decided { // all of them, if somebody changes his mind
					add(decisions.Answer, s)
				}
			}
		}
	}
	return append(all, r.scores()...)
}

// scores are the decisions about clusters.
func (r *request) scores() (all []decisions.Decision) {
	for _, x := range r.targets {
		if x.cluster < 0 || r.Action == actionMute || x.answers() {
			continue
		}
		score := r.Score
		if r.Action == actionWithdraw {
			score = interpreter.NoScore
		}
		all = append(all, decisions.Decision{Kind: decisions.Cluster, By: r.By, Reason: r.Why, Cluster: x.cluster, Score: score, Old: x.old, Subject: decisions.Subject{Event: x.event},
			Version: r.version})
	}
	return all
}

// record makes decisions known that this desk has written into the journal.
func (d *Desk) record(ctx context.Context, written []decisions.Decision) error {
	if len(written) == 0 {
		return nil
	}
	d.reading.Lock()
	defer d.reading.Unlock()
	waits := d.waiting(written)
	err := d.o.DB.Write(context.WithoutCancel(ctx), func(tx *sql.Tx) error { return errors.Join(copyDecisions(tx, written), putPending(tx, waits)) })
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken(written) // they hold whatever became of the copy
	d.wait(waits)
	if err != nil {
		return fmt.Errorf("the decision counts, but the review store cannot be written: %w. Nothing else can be decided until it can: free space, or give access", err)
	}
	return nil
}

// carryOut does what comes after the journal, and tells what was done.
func (d *Desk) carryOut(ctx context.Context, r *request, written []decisions.Decision) (done review.Done, err error) {
	if err := d.record(ctx, written); err != nil {
		return done, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var parts []string
	if n := len(written); n > 0 {
		parts = append(parts, batchOf(written[0].Number, written[n-1].Number))
	}
	for _, x := range r.targets {
		switch {
		case r.Action == actionSnooze:
			rev, err := d.setSnooze(ctx, x.id, x.alerts+r.More, r.By, r.Why)
			if err != nil {
				return done, err
			}
			parts = append(parts, fmt.Sprintf("s%s@%d", x.id, rev))
		case x.kind == review.CaseKind && !x.part && r.Action != actionMute && r.Action != actionWithdraw:
			v := verdict{kind: x.caseKind, closed: true, by: r.By}
			if r.Action == actionScore {
				v.score = &r.Score
			}
			rev, err := d.setVerdict(ctx, x.id, v, r.Why)
			if err != nil {
				return done, err
			}
			parts = append(parts, fmt.Sprintf("v%s@%d", x.id, rev))
		}
	}
	done.Batch = strings.Join(parts, ",")
	for _, x := range r.targets {
		made := review.Made{ID: x.id, Event: x.event, Action: r.Action, By: r.By, Rev: x.rev(d.known, d.asideOf(x.id))}
		if r.Action == actionScore {
			score := r.Score
			made.Score = &score
		}
		done.Made = append(done.Made, made)
	}
	d.note(done.Made)
	done.Seq = d.seq
	return done, nil
}
