package desk

import (
	"strconv"
	"time"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
)

const (
	minAlerts  = 5 // of patterns that are asked; rarer ones are in cases
	quietAfter = 7 * 24 * time.Hour
	nearEnough = 0.5  // L1 distance of a cluster that is worth a comparison; 2 is as far as it gets
	nearScored = 0.35 // of a cluster with a high score that makes a question urgent
	highScore  = 2
)

// state is what decisions make of a question. It is kept until something changes.
type state struct {
	rev     uint64    // of the desk
	changed uint64    // of the question
	counted uint64    // the same, when recent was counted
	until   time.Time // when an answer in it ends or is due; zero if never

	recent    int       // alerts of the last seven days
	bin       time.Time // when these were counted
	listed    int
	undecided int
	share     float64 // of its alerts that an answer would settle
	score     *float64
	by        string
	at        time.Time
	near      *review.Near
	agree, of int
}

// item is a question or a case, before it is shown.
type item struct {
	id       string
	kind     review.Kind
	event    string
	cluster  int
	question *board.Question // nil for a cluster without live alerts
	one      *board.Case
	state    *state
	perDay   float64
	snooze   *snooze
	open     bool
	urgent   string
	last     time.Time
	first    time.Time
	hosts    int
	sum      float64
	learnt   []string // techniques that the examples of a cluster name
}

// liveDays is how many days the rates are of: the last seven, or less if the first alert is younger.
func liveDays(v board.View) float64 {
	t := v.Totals()
	return min(7, max(1.0/24, v.Now().Sub(t.First).Hours()/24))
}

const rateBins = 84 // seven days

// items gives all questions and cases. mu is held, and v is of a View.
func (d *Desk) items(v board.View) (questions, cases []*item) {
	days := liveDays(v)
	d.eachQuestion(v, func(x *item) { questions = append(questions, d.complete(v, x, days)) })
	for id, c := range v.Cases() {
		cases = append(cases, d.caseItem(v, id, c))
	}
	return questions, cases
}

// eachQuestion gives all questions, before complete. mu is held, and v is of a View.
func (d *Desk) eachQuestion(v board.View, use func(x *item)) {
	if s := d.serving; s != nil {
		for i := range s.model.Clusters {
			use(d.clusterItem(v, i))
		}
	}
	for _, q := range v.Questions() {
		if q.Kind == review.PatternKind {
			use(d.patternItem(q, q.Unknown || q.Alerts >= minAlerts))
		}
	}
}

// clusterItem is the question of a cluster of the model that serves, before complete.
func (d *Desk) clusterItem(v board.View, cluster int) *item {
	c := &d.serving.model.Clusters[cluster]
	id := board.ClusterID(d.serving.generation, cluster)
	x := &item{id: id, kind: review.ClusterKind, event: c.Event, cluster: cluster, question: v.Questions()[id], first: c.FirstSeen, last: c.LastSeen, hosts: c.MachineCount,
		learnt: d.serving.techniques[cluster]}
	x.state = d.clusterState(x)
	x.open = x.state.score == nil
	d.putOff(x)
	return x
}

// patternItem is a question of patterns, before complete. It is open if it is asked, and something of it is undecided.
func (d *Desk) patternItem(q *board.Question, asked bool) *item {
	x := &item{id: q.ID, kind: review.PatternKind, event: q.Event, cluster: -1, question: q}
	x.state = d.patternState(q)
	x.open = asked && x.state.undecided > 0
	d.putOff(x)
	return x
}

// picture is all items at a moment, the questions in the order of work.
type picture struct {
	rev, changes     uint64
	made             time.Time // by the clock of the machine
	until            time.Time
	questions, cases []*item
	summary          review.Queue
}

// picture is that of now, or one that is at most Options.Stale old if only alerts came in since. mu is held, and v is of a View.
func (d *Desk) picture(v board.View) *picture {
	if d.isDrawn(v) {
		return d.drawn
	}
	p := &picture{rev: d.rev, changes: v.Changes(), made: time.Now()}
	p.questions, p.cases = d.items(v)
	order(p.questions, "")
	p.summary = d.summary(v, p.questions, p.cases)
	for _, x := range p.questions {
		if u := x.state.until; !u.IsZero() && (p.until.IsZero() || u.Before(p.until)) {
			p.until = u
		}
	}
	d.drawn = p
	return p
}

// isDrawn tells whether the last picture is still right. mu is held, and v is of a View.
func (d *Desk) isDrawn(v board.View) bool {
	p := d.drawn
	if p == nil || p.rev != d.rev || !p.until.IsZero() && !d.o.Now().Before(p.until) {
		return false
	}
	age := time.Since(p.made)
	return age < d.o.Stale || p.changes == v.Changes() && age < time.Minute
}

// complete fills in what a question has of the board: its rate, times and machines.
func (d *Desk) complete(v board.View, x *item, days float64) *item {
	if q := x.question; q != nil {
		s := x.state
		if bin := v.Now().Truncate(2 * time.Hour); !s.bin.Equal(bin) || s.counted != q.Changed {
			s.recent, s.bin, s.counted = q.Bins.Since(v.Now(), rateBins), bin, q.Changed
		}
		x.perDay = float64(s.recent) * s.share / days
		x.last, x.hosts = q.Last, len(q.Machines)
		if x.first.IsZero() || q.First.Before(x.first) {
			x.first = q.First
		}
	}
	if x.open {
		x.urgent = x.urgency()
	}
	return x
}

// putOff closes an item for as long as it is snoozed.
func (d *Desk) putOff(x *item) {
	if s, snoozed := d.snoozes[x.id]; snoozed && x.alerts() < s.until {
		x.snooze, x.open = &s, false
	}
}

func (x *item) alerts() int {
	switch {
	case x.one != nil:
		return x.one.Alerts
	case x.question != nil:
		return x.question.Alerts
	}
	return 0
}

// urgency says why an open question should not wait for its turn.
func (x *item) urgency() string {
	if x.question != nil && x.question.Unknown {
		return "never seen in training"
	}
	if n := x.state.near; n != nil && n.Distance <= nearScored && *n.Score >= highScore && x.alerts() > 0 {
		return "close to cluster " + strconv.Itoa(n.Cluster) + ", scored " + scoreText(*n.Score)
	}
	return ""
}

// valid tells whether a state is still right.
func (d *Desk) valid(s *state, event string, changed uint64, now time.Time) bool {
	return s != nil && s.rev >= max(d.global, d.events[event]) && s.changed == changed && (s.until.IsZero() || now.Before(s.until))
}

func (d *Desk) clusterState(x *item) *state {
	s := d.states[x.id]
	if d.valid(s, x.event, 0, d.o.Now()) {
		return s
	}
	s = &state{rev: d.rev, share: 1, score: d.scoreOf(x.cluster)}
	if last, there := d.serving.decided[x.cluster]; there {
		s.by, s.at = last.by, last.at
	}
	s.near, s.agree, s.of = d.nearest(d.serving.after[x.cluster], x.event, x.cluster)
	d.states[x.id] = s
	return s
}

func (d *Desk) patternState(q *board.Question) *state {
	now := d.o.Now()
	s := d.states[q.ID]
	if d.valid(s, q.Event, q.Changed, now) {
		return s
	}
	s = &state{rev: d.rev, changed: q.Changed, listed: len(q.Patterns)}
	waiting, agree := 0, true
	soon := func(at time.Time) {
		if !at.IsZero() && at.After(now) && (s.until.IsZero() || at.Before(s.until)) {
			s.until = at
		}
	}
	for _, p := range q.Patterns {
		settled := d.settle(p)
		switch {
		case settled.Found != nil:
			soon(settled.Found.Due)
			soon(settled.Found.Until)
			score := settled.Score
			agree = agree && (s.score == nil || *s.score == score)
			if s.score == nil || score > *s.score {
				s.score = &score
			}
			if settled.Found.At.After(s.at) {
				s.by, s.at = settled.Found.By, settled.Found.At
			}
		case settled.Status.Unsure():
			s.undecided++
			waiting += p.Alerts
		}
	}
	if s.undecided > 0 || !agree {
		s.score = nil
	}
	if q.Alerts > 0 {
		s.share = min(1, float64(waiting)/float64(q.Alerts))
	}
	s.near, s.agree, s.of = d.nearest(q.After, q.Event, -1)
	d.states[q.ID] = s
	return s
}

// settle applies the decisions in force, and the model that serves, to a pattern. A pattern that belongs to a cluster now is a question of that
// cluster. mu is held.
func (d *Desk) settle(p *board.Pattern) (s decisions.Settled) {
	v := model.Verdict{Status: p.Status, Cluster: -1}
	if now, asked := d.explains[p.Keys[0]]; asked && d.serving != nil && d.generation(p.Version) != d.serving.generation {
		v = now
		if v.Status == model.Unscored {
			v.Status = model.Scored
		}
	}
	s.Status = v.Status
	if d.journal != nil {
		d.journal.Read(func(l decisions.Look) { s = l.Settle(v, p.Keys) })
	}
	return s
}

// caseItem tells whether a case is open. mu is held.
func (d *Desk) caseItem(v board.View, id string, c *board.Case) *item {
	x := &item{id: id, kind: review.CaseKind, event: c.Event, cluster: -1, one: c, first: c.First, last: c.Last, hosts: len(c.Machines),
		perDay: float64(c.Bins.Since(v.Now(), rateBins)) / liveDays(v)}
	x.state = d.caseState(v, c)
	closed := d.verdicts[id]
	if closed.closed {
		x.state.score, x.state.by, x.state.at = closed.score, closed.by, closed.at
	}
	x.open = !closed.closed && v.Now().Sub(c.Last) < quietAfter && (x.state.undecided > 0 || c.Kind != "new" && c.Kind != "unscored")
	d.putOff(x)
	if x.open && c.Kind == "burst" {
		x.urgent = "a burst: far more in an hour than was learnt"
	}
	return x
}

// caseState counts the patterns of a case that wait, or its clusters without a score.
func (d *Desk) caseState(v board.View, c *board.Case) *state {
	s := &state{rev: d.rev, share: 1}
	for _, k := range c.Patterns {
		q := v.ByPattern(k)
		if q == nil {
			continue
		}
		s.listed++
		if settled := d.settle(q.Patterns[k]); settled.Found == nil && settled.Status.Unsure() {
			s.undecided++
		}
	}
	for id := range c.Questions {
		q := v.Questions()[id]
		if q != nil && q.Kind == review.ClusterKind && d.serving != nil && q.Generation == d.serving.generation && q.Cluster < len(d.serving.model.Clusters) &&
			d.scoreOf(q.Cluster) == nil {
			s.undecided++
		}
	}
	if c.Score > 0 {
		s.score = &c.Score
	}
	return s
}

func scoreText(score float64) string {
	if score == interpreter.NoScore {
		return "none"
	}
	return trim(score)
}
