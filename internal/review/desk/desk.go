// Package desk is where people decide: it puts together what the board collected, the model that serves, and the decision journal, and takes
// decisions. Answers and mutes are in the journal at once. So are scores of clusters, which become a version of the model some time later.
package desk

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/internal/review/database"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

// Options of a desk.
type Options struct {
	Model  string // the model directory; it may be created later
	Board  *board.Board
	DB     *database.DB
	Hold   decisions.Hold
	Retain int           // versions to keep, 0 for all
	Rest   time.Duration // scores of clusters are published after so much time without another one
	AtMost time.Duration // or after so much time since the first one
	Engine contextbuilder.Engine
	Now    func() time.Time
	Stale  time.Duration                         // how old lists may be if only alerts came in since
	Log    func(format string, arguments ...any) // what an operator must know
}

// The defaults of Options.
const (
	defaultRest   = 30 * time.Second
	defaultAtMost = 2 * time.Minute
)

// lockWait is how long a request waits for other writers of the model directory.
const lockWait = 5 * time.Second

// Desk takes decisions. Its methods may be called from several goroutines.
type Desk struct {
	o          Options
	generation func(version string) string
	follower   *store.Follower

	deciding sync.Mutex // one decision, undo or publication at a time
	reading  sync.Mutex // held while decisions and versions are taken up, so that none of them is missed or taken for one that was shown
	reread   uint64     // Journal.Reread when the copy of it was compared with it; reading guards it

	mu        sync.Mutex // guards what follows
	journal   *decisions.Journal
	writable  error     // why the model directory cannot be written, nil if it can
	probed    time.Time // when that was found out
	serving   *serving
	previous  *serving          // of other clusters, before the last training
	known     uint64            // the number of the last decision that what follows has; the journal may have read others
	rev       uint64            // rises with each change of decisions, scores and models
	global    uint64            // the last one that concerns all items
	events    map[string]uint64 // the last one that concerns an event
	states    map[string]*state
	drawn     *picture
	explains  map[decisions.Key]model.Verdict // of patterns, by the model that serves
	pending   map[place]pending               // scores of clusters that no version has yet
	oldest    time.Time                       // of the pending scores
	newest    time.Time
	snoozes   map[string]snooze
	verdicts  map[string]verdict
	seq       uint64
	changes   []change
	here      map[string]map[string]time.Time // who looks at what, and when last
	retrained retrained
	wrong     map[string]string // what went wrong the last time, by what was tried
}

// place is a cluster of a generation of models.
type place struct {
	generation string
	cluster    int
}

// change is something that was decided here, for pages that are open.
type change struct {
	seq  uint64
	made []review.Made
}

// Open opens a desk. Run follows the model directory.
func Open(ctx context.Context, o Options) (*Desk, error) {
	if o.Rest == 0 {
		o.Rest = defaultRest
	}
	if o.AtMost == 0 {
		o.AtMost = defaultAtMost
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	d := &Desk{o: o, generation: Generation(o.Model), events: map[string]uint64{}, states: map[string]*state{}, explains: map[decisions.Key]model.Verdict{}, pending: map[place]pending{},
		snoozes: map[string]snooze{}, verdicts: map[string]verdict{}, here: map[string]map[string]time.Time{}, wrong: map[string]string{}}
	if err := d.loadAside(ctx); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	d.follower = store.NewFollower(o.Model, d.take, func(l store.Look) {
		if l.Err != nil && !l.Again {
			o.Log("The current model cannot be used: %v", l.Err)
		}
	})
	if err := d.refresh(ctx, true); err != nil {
		return nil, err
	}
	return d, nil
}

// Run follows the model directory and the journal, and publishes scores, until ctx ends. Then it publishes what is left.
func (d *Desk) Run(ctx context.Context) {
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			if d.Status().Unpublished > 0 {
				last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lockWait)
				d.publish(last)
				cancel()
			}
			return
		case <-ticks.C:
			d.tick(ctx)
		}
	}
}

// tick takes up what others wrote, and publishes scores when it is time.
func (d *Desk) tick(ctx context.Context) {
	if err := d.refresh(ctx, false); ctx.Err() == nil {
		d.tell("reading", err)
	}
	if d.due() {
		d.publish(ctx)
	}
}

// refresh takes up what others wrote.
func (d *Desk) refresh(ctx context.Context, starting bool) error {
	d.reading.Lock()
	defer d.reading.Unlock()
	if err := d.o.DB.There(); err != nil {
		return err
	}
	d.follower.Look()
	d.mu.Lock()
	journal := d.journal
	d.mu.Unlock()
	if journal == nil {
		s, err := store.Open(d.o.Model, false, store.Retain(d.o.Retain))
		if err != nil {
			return nil // it may be created later
		}
		journal = s.Decisions(d.o.Hold)
	}
	if err := journal.Refresh(); err != nil {
		return fmt.Errorf("decision journal: %w", err)
	}
	if err := d.mirror(ctx, journal); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if starting {
		if err := d.recover(ctx); err != nil {
			return err
		}
	}
	d.journal = journal
	if now := d.o.Now(); now.Sub(d.probed).Abs() >= 10*time.Second {
		d.probed, d.writable = now, store.Writable(d.o.Model)
	}
	return nil
}

// tell logs a problem once, and shows it until the same succeeds, with err nil.
func (d *Desk) tell(tried string, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if err == nil {
		delete(d.wrong, tried)
	} else if text := err.Error(); text != d.wrong[tried] {
		d.wrong[tried] = text
		d.o.Log("%s", text)
	}
}

// Status is what each page shows.
func (d *Desk) Status() review.Status {
	var now time.Time
	var last time.Time
	var refused error
	d.o.Board.View(func(v board.View) { now, last, refused = v.Now(), v.Totals().Last, v.Refused() })
	open := d.openCount()
	d.mu.Lock()
	defer d.mu.Unlock()
	s := review.Status{Now: now, Unpublished: len(d.pending), Open: open, Seq: d.seq, Problems: d.problems(last, refused)}
	if d.serving != nil {
		s.Version = d.serving.version
	}
	s.ReadOnly = d.writable != nil
	return s
}

// problems are sentences about what is wrong; mu is held.
func (d *Desk) problems(last time.Time, refused error) (all []string) {
	if d.serving == nil {
		all = append(all, "There is no model yet: questions appear after the first training.")
	}
	if err := d.follower.Err(); err != nil {
		all = append(all, fmt.Sprintf("The current version of the model cannot be used, and the one before it goes on serving: %v.", err))
	}
	if d.writable != nil {
		all = append(all, fmt.Sprintf("Nothing can be decided: the model directory cannot be written (%v).", d.writable))
	}
	if d.journal != nil {
		if damage := d.journal.Damage(); damage.Lines > 0 {
			all = append(all, fmt.Sprintf("%d lines of the decision journal are damaged and have no effect. The first: %v.", damage.Lines, damage.First))
		}
	}
	for _, tried := range slices.Sorted(maps.Keys(d.wrong)) {
		all = append(all, d.wrong[tried]+".")
	}
	if refused != nil {
		all = append(all, fmt.Sprintf("New alerts are not taken up: the review store cannot be written (%v). They are tried again.", refused))
	}
	if last.IsZero() {
		all = append(all, "No alert has come in yet.")
	}
	return all
}

// Changes are the decisions after one, for a page that is open.
func (d *Desk) Changes(since uint64) review.Changes {
	c := review.Changes{Status: d.Status()}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range d.changes {
		if x.seq > since {
			c.Made = append(c.Made, x.made...)
		}
	}
	c.Seq = d.seq
	return c
}

// note makes a decision known to open pages; mu is held.
func (d *Desk) note(made []review.Made) {
	d.seq++
	d.changes = append(d.changes, change{d.seq, made})
	if len(d.changes) > 200 {
		d.changes = d.changes[100:]
	}
}

// Here notes that somebody looks at an item, and says who else does.
func (d *Desk) Here(id, who string) (others []string) {
	const looks = 30 * time.Second
	now := d.o.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	for item, people := range d.here {
		for name, at := range people {
			if now.Sub(at) > looks {
				delete(people, name)
			}
		}
		if len(people) == 0 {
			delete(d.here, item)
		}
	}
	if id == "" {
		return nil
	}
	for name := range d.here[id] {
		if name != who {
			others = append(others, name)
		}
	}
	if d.here[id] == nil {
		d.here[id] = map[string]time.Time{}
	}
	d.here[id][who] = now
	return others
}
