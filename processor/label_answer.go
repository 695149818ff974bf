package processor

import (
	"context"
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/replay"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

// answering is an answer to a document, or a mute.
type answering struct {
	decisions.Decision
	document document
	lasts    time.Duration // until it expires; 0 if Until says when, or if it does not expire
	confirm  bool

	figures *replay.Figures  // nil if there are no recent documents
	old     *decisions.Found // the decision that it replaces, nil for none
	same    *answering       // the one of this batch that was written in its place, nil for none
}

// undoing takes a decision back.
type undoing struct{ decisions.Decision }

// answer writes the answers, mutes and undos of requests: all of them, or none.
func (l *label) answer(ctx context.Context, batch service.MessageBatch, requests []*request) {
	var asked, answers []*request
	for _, r := range requests {
		if r.err == nil && r.answering != nil {
			answers = append(answers, r)
		}
		if r.err == nil && (r.answering != nil || r.undoing != nil) {
			asked = append(asked, r)
		}
	}
	refuseContradictions(answers)
	l.replay(batch, requests, answers)
	if len(asked) == 0 {
		return
	}
	_, journal, err := l.open()
	if err == nil {
		err = write(ctx, journal, asked)
	}
	if err != nil {
		l.log.With("model", l.dir).Errorf("%d decisions not written: %v", len(asked), err)
		for _, r := range asked {
			if r.err == nil {
				r.err = fmt.Errorf("decisions not written: %w", err)
			}
		}
		return
	}
	journal.Read(func(look decisions.Look) {
		for _, r := range asked {
			if r.err == nil {
				r.reply = r.show(look)
			}
		}
	})
}

// open gives the model directory and its decision journal, once they are there.
func (l *label) open() (*store.Store, *decisions.Journal, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.models == nil {
		models, err := store.Open(l.dir, false, store.Retain(l.retain))
		if err != nil {
			return nil, nil, err
		}
		l.models, l.journal = models, models.Decisions(l.hold)
	}
	return l.models, l.journal, nil
}

// subject names what answers and mutes of a batch may contradict each other about.
type subject struct {
	kind decisions.Kind
	key  decisions.Key
}

func (a *answering) about() subject { return subject{a.Kind, a.Key} }

// refuseContradictions refuses decisions of a batch about the same subject that are not the same.
func refuseContradictions(requests []*request) {
	firsts, differ := map[subject]*answering{}, map[subject]bool{}
	for _, r := range requests {
		a := r.answering
		first, there := firsts[a.about()]
		if !there {
			firsts[a.about()] = a
		} else if first.Score != a.Score || first.lasts != a.lasts || !first.Until.Equal(a.Until) {
			differ[a.about()] = true
		}
	}
	for _, r := range requests {
		if a := r.answering; differ[a.about()] {
			r.err = fmt.Errorf("%s: %s %s is given different scores or expiries in one batch, score %v here: need one decision", fieldScope, a.Scope, a.document.keys[0], a.Score)
		}
	}
}

// write appends what requests decide. What is as it was already is not written again.
func write(ctx context.Context, journal *decisions.Journal, requests []*request) error {
	var asked []*decisions.Decision
	written, err := journal.Append(ctx, func(look decisions.Look) (all []decisions.Decision, err error) {
		asked = decide(look, requests)
		for _, d := range asked {
			all = append(all, *d)
		}
		return all, nil
	})
	for i := range written {
		*asked[i] = written[i] // with number and time
	}
	return err
}

// decide gives the decisions that are to be written.
func decide(look decisions.Look, requests []*request) (all []*decisions.Decision) {
	now := look.Now()
	undone, decided := map[uint64]bool{}, map[subject]*answering{}
	add := func(r *request, d *decisions.Decision) {
		if r.err = d.Validate(); r.err == nil {
			r.changed = true
			all = append(all, d)
		}
	}
	for _, r := range requests {
		switch u, a := r.undoing, r.answering; {
		case r.err != nil:
		case u != nil:
			state := look.State(u.Undoes)
			if state == "" {
				r.err = fmt.Errorf("%s: %d is no answer or mute: need the number of one (the score of a cluster is changed by another score)", fieldUndo, u.Undoes)
			} else if state != decisions.Undone && !undone[u.Undoes] {
				undone[u.Undoes] = true
				add(r, &u.Decision)
			}
		case decided[a.about()] != nil:
			a.same = decided[a.about()]
		case !a.Until.IsZero() && !a.Until.After(now):
			r.err = fmt.Errorf("%s: %s is in the past, need a duration such as 72h, or a time to come", fieldExpires, a.Until.Format(time.RFC3339))
		default:
			standing, inForce := look.On(a.Kind, a.Key)
			if inForce && !undone[standing.Number] && a.is(standing) && !a.asked(standing) {
				a.Number, decided[a.about()] = standing.Number, a
				continue
			}
			if a.old = standing; a.lasts > 0 {
				a.Until = now.Add(a.lasts)
			}
			if add(r, &a.Decision); r.err == nil {
				decided[a.about()] = a
			}
		}
	}
	return all
}

// slack is the most by which the times of two decisions with the same duration differ.
const slack = time.Second

// is tells whether a decision that is in force is the same, so that nothing needs to be written.
func (a *answering) is(found *decisions.Found) bool {
	if found.Score != a.Score || found.By != a.By {
		return false
	}
	if a.lasts > 0 {
		return !found.Until.IsZero() && (found.Until.Sub(found.At)-a.lasts).Abs() < slack
	}
	return found.Until.Sub(a.Until).Abs() < slack
}

// asked tells whether the event was asked again because a decision was due: for deepcase_predict, whose hold may be shorter.
func (a *answering) asked(found *decisions.Found) bool {
	before := a.document.verdict.Before
	return before != nil && before.Number == found.Number
}

// show is the reply to a request that was carried out.
func (r *request) show(look decisions.Look) map[string]any {
	if u := r.undoing; u != nil {
		reply := map[string]any{"kind": string(u.Kind), "undoes": int64(u.Undoes), "by": u.By, "reason": u.Reason, "changed": r.changed}
		if r.changed {
			reply["number"], reply["at"] = int64(u.Number), u.At.Format(time.RFC3339Nano)
		}
		return reply
	}
	a := r.answering
	d, old := a.Decision, a.old
	if a.same != nil {
		d, old = a.same.Decision, a.same.old
	}
	found := look.Number(d.Number)
	if found == nil { // it was compacted away since
		found = &decisions.Found{Number: d.Number, Kind: d.Kind, Scope: d.Scope, Score: d.Score, By: d.By, At: d.At, Until: d.Until}
	}
	reply := annotation.Decided(found)
	reply["pattern"], reply["event"], reply["reason"], reply["changed"] = a.document.keys[0].String(), a.Subject.Event, a.Reason, r.changed
	if a.Subject.Machine != "" {
		reply["machine"] = a.Subject.Machine
	}
	if reply["old"] = nil; old != nil {
		reply["old"] = annotation.Decided(old)
	}
	if f := a.figures; f != nil {
		reply["replay"] = map[string]any{"recent": int64(f.Recent), "settled": int64(f.Settled), "attacks": int64(f.Attacks), "machines": int64(f.Machines)}
	}
	return reply
}
