package board

import (
	"context"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/database"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

// Options of a board.
type Options struct {
	Keep time.Duration // what is older is forgotten; defaultKeep if 0
	// Generation names the clusters that a version of the model has: versions with the same clusters have one name.
	Generation func(version string) string
	Now        func() time.Time // nil for finished files: the time of the newest alert
	Log        func(format string, arguments ...any)
}

// defaultKeep is how long alerts are kept.
const defaultKeep = 90 * 24 * time.Hour

const (
	maxQuestions = 50_000
	maxCases     = 50_000
	maxAhead     = time.Hour // alerts from further ahead of the clock count as of now
)

// Board has the questions and cases of all alerts. Its methods may be called from several goroutines.
type Board struct {
	o  Options
	db *database.File

	mu        sync.RWMutex
	questions map[string]*Question
	events    map[string][]*Question // by event
	patterns  map[decisions.Key]*Question
	cases     map[string]*Case
	hours     map[int64]*Hour
	samples   map[int]*Sample
	totals    Totals
	changes   uint64
	number    int64 // the highest of a question, pattern or case
	changed   changed
	names     names
	cleaned   time.Time

	queue   sync.Mutex
	waiting []*waiting // for intake

	intake       sync.Mutex // held while alerts are taken up
	fresh        int        // alerts since the last checkpoint
	freshBytes   int        // of the documents that the next one writes
	checkpointed time.Time
	logged       int64  // the highest number of a piece of the log in the database
	packed, row  []byte // memory that encodeRow uses again

	refused error // why the last alerts could not be written; nil if they were. mu guards it
}

// Hour is what became of the alerts of an hour.
type Hour struct {
	Outcomes      [review.Outcomes]int `json:"outcomes"`
	ConfidenceSum float64              `json:"confidence"`
	ConfidenceN   int                  `json:"confidences"`
	Opened        map[string]int       `json:"opened,omitempty"` // cases by kind
}

// Totals are of all alerts since the database was created.
type Totals struct {
	Alerts int       `json:"alerts"`
	Ahead  int       `json:"ahead"` // their time was ahead of the clock
	Old    int       `json:"old"`   // older than what is kept: left out
	First  time.Time `json:"first"`
	Last   time.Time `json:"last"`
	Store  uint32    `json:"store"` // tells this database from others
}

// Open gives the board of a database, with what an earlier process left there.
func Open(ctx context.Context, db *database.DB, o Options) (*Board, error) {
	if o.Keep == 0 {
		o.Keep = defaultKeep
	}
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	b := &Board{
		o: o, db: db.Alerts, questions: map[string]*Question{}, events: map[string][]*Question{}, patterns: map[decisions.Key]*Question{},
		cases: map[string]*Case{}, hours: map[int64]*Hour{}, samples: map[int]*Sample{}, changed: newChanged(), names: names{}, checkpointed: time.Now(),
	}
	if err := b.load(ctx); err != nil {
		return nil, fmt.Errorf("store: alerts.db: %w: if it is damaged, move it away (counts and examples are lost, no decision is)", err)
	}
	return b, nil
}

// Close writes what is not in its place yet, and ends nothing else: the database stays open.
func (b *Board) Close(ctx context.Context) error {
	b.intake.Lock()
	defer b.intake.Unlock()
	if err := b.checkpoint(ctx); err != nil {
		return fmt.Errorf("store: %w", err)
	}
	return nil
}

func (b *Board) now() time.Time {
	if b.o.Now != nil {
		return b.o.Now()
	}
	return b.totals.Last
}

// clock is the time by the clock as a row of the intake has it, 0 for finished files.
func (b *Board) clock() int64 {
	if b.o.Now == nil {
		return 0
	}
	return b.o.Now().UnixNano()
}

// take counts an alert that came when the clock said so.
func (b *Board) take(a *Alert, clock int64) {
	t := &b.totals
	if clock != 0 {
		now := time.Unix(0, clock).UTC()
		if a.At.After(now.Add(maxAhead)) {
			t.Ahead++
			a.At = now
		} else if a.At.Before(now.Add(-b.o.Keep)) {
			t.Old++
			return
		}
	}
	a.Machine, a.Event = b.names.one(a.Machine), b.names.one(a.Event)
	b.names.all(a.Context)
	t.Alerts++
	if t.First.IsZero() || a.At.Before(t.First) {
		t.First = a.At
	}
	if a.At.After(t.Last) {
		t.Last = a.At
	}
	hour := b.hour(a.At)
	hour.Outcomes[review.OutcomeOf(a.Settled, a.Score)]++
	if !math.IsNaN(a.Confidence) {
		hour.ConfidenceSum += a.Confidence
		hour.ConfidenceN++
	}
	q := b.question(a)
	if q != nil {
		b.changes++
		q.Changed = b.changes
		b.freshBytes += q.take(a)
		if q.Kind == review.PatternKind {
			p, gone := q.pattern(a)
			b.patterns[a.Pattern] = q
			b.changed.patterns[p] = q
			if p.Number == 0 {
				p.Number = b.next()
			}
			for _, p := range gone {
				b.forgetPattern(q, p)
			}
		}
		b.changed.questions[q] = true
	}
	if a.Case != "" {
		b.takeCase(a, q, hour)
	}
	b.sample(a)
	b.changed.log(a, q)
}

func (b *Board) takeCase(a *Alert, q *Question, hour *Hour) {
	id := caseID(a.Case)
	c := b.cases[id]
	if c == nil {
		if len(b.cases) >= maxCases {
			b.forgetOldestCases(maxCases / 10)
		}
		c = &Case{Number: b.next(), ID: id, Name: a.Case, Kind: a.CaseKind.String(), Machines: map[string]int{}, Questions: map[string]int{}}
		b.cases[id] = c
		if hour.Opened == nil {
			hour.Opened = map[string]int{}
		}
		hour.Opened[c.Kind]++
	}
	question := ""
	if q != nil {
		question = q.ID
	}
	c.take(a, question, q != nil && q.Kind == review.PatternKind)
	b.changes++
	b.changed.cases[c] = true
}

func (b *Board) hour(at time.Time) *Hour {
	n := at.Truncate(time.Hour).Unix() / 3600
	h := b.hours[n]
	if h == nil {
		h = &Hour{}
		b.hours[n] = h
	}
	b.changed.hours[n] = h
	return h
}

// question is the one that an alert asks, nil if it asks none.
func (b *Board) question(a *Alert) *Question {
	switch {
	case !a.asks():
		return nil
	case a.clustered():
		generation := b.o.Generation(a.Version)
		id := ClusterID(generation, a.Cluster)
		if q := b.questions[id]; q != nil {
			return q
		}
		q := newQuestion(a, id, review.ClusterKind)
		q.Generation, q.Cluster = generation, a.Cluster
		return b.ask(q)
	}
	if q := b.patterns[a.Pattern]; q != nil {
		return q
	}
	unknown := a.Status == model.UnknownEvent
	everywhere := a.subject().Key(decisions.Pattern)
	attention := review.AttentionOf(a.Context, a.Attention)
	for _, q := range b.events[a.Event] {
		if q.Kind == review.PatternKind && q.alike(a, attention, unknown) {
			return q
		}
	}
	q := newQuestion(a, groupID(a.Event, everywhere, unknown), review.PatternKind)
	q.Unknown = unknown
	if b.questions[q.ID] != nil { // its attention was another one then
		return b.questions[q.ID]
	}
	return b.ask(q)
}

func newQuestion(a *Alert, id string, kind review.Kind) *Question {
	attention := review.AttentionOf(a.Context, a.Attention)
	return &Question{
		ID: id, Kind: kind, Event: a.Event, Cluster: -1, Machines: map[string]int{},
		Patterns: map[decisions.Key]*Pattern{}, After: attention.Shares(), Context: a.Context, Attention: a.Attention,
		spread: attention.List(),
	}
}

// alike tells whether an alert is like the first one of a group of patterns.
func (q *Question) alike(a *Alert, attention review.Attention, unknown bool) bool {
	switch {
	case q.Unknown || unknown:
		return q.Unknown && unknown
	case a.Attention == nil || q.Attention == nil:
		return a.Attention == nil && q.Attention == nil && sameNames(q.Context, a.Context)
	}
	return attention.Distance(q.spread) <= groupRadius
}

// sameNames tells whether two contexts have the same events in any order.
func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

func (b *Board) next() int64 {
	b.number++
	return b.number
}

func (b *Board) ask(q *Question) *Question {
	if len(b.questions) >= maxQuestions {
		b.forgetOldest(maxQuestions / 10)
	}
	q.Number = b.next()
	b.questions[q.ID] = q
	b.events[q.Event] = append(b.events[q.Event], q)
	return q
}

// View runs use with what is there now. While it runs, no alert is taken up.
func (b *Board) View(use func(v View)) {
	b.mu.RLock()
	defer b.mu.RUnlock()
	use(View{b})
}

// View is for reading only. Nothing of it may be kept, but names and numbers.
type View struct{ b *Board }

// Now is the time of the page: by the clock or, for finished files, that of the last alert.
func (v View) Now() time.Time { return v.b.now() }

// Changes rises with each change of a question or a case.
func (v View) Changes() uint64 { return v.b.changes }

// Refused is why the last alerts that came could not be written, nil if they were.
func (v View) Refused() error { return v.b.refused }

// Totals are of all alerts.
func (v View) Totals() Totals { return v.b.totals }

// Questions are all questions by ID.
func (v View) Questions() map[string]*Question { return v.b.questions }

// OfEvent are the questions of an event.
func (v View) OfEvent(event string) []*Question { return v.b.events[event] }

// ByPattern is the question of a pattern on a machine, nil if there is none.
func (v View) ByPattern(k decisions.Key) *Question { return v.b.patterns[k] }

// Life tells a question or a case of a number from all others that have had its ID: before the store was lost, or before it was forgotten.
func (v View) Life(number int64) uint32 {
	h := fnv.New32a()
	_, _ = fmt.Fprintf(h, "%d %d", v.b.totals.Store, number) // it never fails
	return h.Sum32()
}

// Cases are all cases by ID.
func (v View) Cases() map[string]*Case { return v.b.cases }

// Hours are the hours by number, counted from 1970.
func (v View) Hours() map[int64]*Hour { return v.b.hours }

// Samples are alerts of the last days, drawn at random.
func (v View) Samples() []Sample {
	all := make([]Sample, 0, len(v.b.samples))
	for _, n := range slices.Sorted(maps.Keys(v.b.samples)) {
		if s := v.b.samples[n]; s.At.After(v.b.now().Add(-sampledDays * 24 * time.Hour)) {
			all = append(all, *s)
		}
	}
	return all
}
