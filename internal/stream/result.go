package stream

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"connect-deepcase/internal/cases"
	"connect-deepcase/internal/report"
)

// Result is what people had to look at, and what they did not see.
type Result struct {
	Alerts       int            `json:"alerts"`
	Today        int            `json:"today"`   // alerts that a person sees without answers and cases: no score, or a score above 0
	Objects      int            `json:"objects"` // cases
	ByKind       map[string]int `json:"by_kind"`
	Share        report.Share   `json:"objects_share"`   // of all alerts
	PerDay       []int          `json:"per_day"`         // cases opened on each day (UTC), from the first alert to the last
	Questions    int            `json:"questions"`       // times that a person was asked for the score of a pattern
	Answers      int            `json:"answers"`         // to them, if those about one event in one case that have the same answer are answered together
	BenignSeen   int            `json:"benign_seen"`     // benign alerts in cases
	Attacks      int            `json:"attacks"`         // attack alerts
	AttackMissed int            `json:"attack_missed"`   // those in no case
	TakenUp      int            `json:"attack_taken_up"` // those that were dismissed, until a case of their hour was opened because of a burst
	Recall       report.Share   `json:"recall"`
	Steps        int            `json:"steps"` // of attacks: distinct labels above 0
	StepsLost    int            `json:"steps_lost"`
	MissedByStep map[string]int `json:"missed_by_step"` // attack alerts, if any
	ByStep       []Step         `json:"by_step"`        // by time
}

// Step is a step of an attack.
type Step struct {
	Name   string    `json:"step"`
	Alerts int       `json:"alerts"`
	Missed int       `json:"missed"` // alerts in no case
	First  time.Time `json:"first_alert"`
	// Case is the first case with an alert of the step, and Wait the seconds from the first alert to the first one in a case. A step that
	// is lost has neither.
	Case string   `json:"first_case,omitempty"`
	Kind string   `json:"first_case_kind,omitempty"`
	Wait *float64 `json:"seconds_to_first_case,omitempty"`
	Age  float64  `json:"first_case_age_seconds"` // how long that case had been open by then
}

// alert is an alert as it came out.
type alert struct {
	at    time.Time
	label float64
	step  string
	event int32
	asked bool
	today bool       // seen by a person without answers and cases
	in    cases.Case // without an id: in none
}

// tally counts.
type tally struct {
	Result
	opened      map[string]time.Time // cases by id
	steps       map[string]*Step
	first, last time.Time
	answers     map[answer]bool
}

// answer is an answer to all questions about an event in a case.
type answer struct {
	in    string // the id of a case
	event int32
	label float64
}

func newTally() *tally {
	return &tally{Result: Result{ByKind: map[string]int{}, MissedByStep: map[string]int{}}, opened: map[string]time.Time{},
		steps: map[string]*Step{}, answers: map[answer]bool{}}
}

func (t *tally) add(a alert) {
	if t.Alerts == 0 {
		t.first = a.at
	}
	t.last = a.at
	t.Alerts++
	if a.today {
		t.Today++
	}
	if a.asked {
		t.Questions++
		t.answers[answer{a.in.ID, a.event, a.label}] = true
	}
	seen := a.in.ID != ""
	if _, known := t.opened[a.in.ID]; seen && !known {
		t.opened[a.in.ID] = a.at
		t.ByKind[a.in.Kind.String()]++
	}
	switch {
	case a.label > 0:
		t.attack(a, seen)
	case seen:
		t.BenignSeen++
	}
}

func (t *tally) attack(a alert, seen bool) {
	step := t.steps[a.step]
	if step == nil {
		step = &Step{Name: a.step, First: a.at}
		t.steps[a.step] = step
	}
	t.Attacks++
	step.Alerts++
	if seen {
		t.see(step, a)
		return
	}
	step.Missed++
	t.AttackMissed++
}

// see notes that an alert of a step is in the case of a.
func (t *tally) see(step *Step, a alert) {
	if step.Wait == nil {
		wait := a.at.Sub(step.First).Seconds()
		step.Case, step.Kind, step.Wait, step.Age = a.in.ID, a.in.Kind.String(), &wait, a.at.Sub(t.opened[a.in.ID]).Seconds()
	}
}

// takeUp moves an alert that was added as dismissed into the case of a later one.
func (t *tally) takeUp(earlier, later alert) {
	if earlier.label == 0 {
		t.BenignSeen++
		return
	}
	step := t.steps[earlier.step]
	step.Missed--
	t.see(step, later)
	t.AttackMissed--
	t.TakenUp++
}

func (t *tally) result() *Result {
	r := t.Result
	r.Answers, r.Objects, r.Steps = len(t.answers), len(t.opened), len(t.steps)
	r.Share, r.Recall = report.Ratio(r.Objects, r.Alerts), report.Ratio(r.Attacks-r.AttackMissed, r.Attacks)
	if r.Alerts > 0 {
		r.PerDay = report.PerDay(t.first, t.last, maps.Values(t.opened))
	}
	r.ByStep = make([]Step, 0, len(t.steps))
	for _, step := range t.steps {
		if step.Wait == nil {
			r.StepsLost++
		}
		if step.Missed > 0 {
			r.MissedByStep[step.Name] = step.Missed
		}
		r.ByStep = append(r.ByStep, *step)
	}
	slices.SortFunc(r.ByStep, func(a, b Step) int { return cmp.Or(a.First.Compare(b.First), cmp.Compare(a.Name, b.Name)) })
	return &r
}
