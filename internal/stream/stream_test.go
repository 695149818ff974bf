package stream

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/sequencer"
)

var start = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// toPlay are alerts with their verdicts.
type toPlay struct {
	sequencer.Sequences
	verdicts []model.Verdict
}

// newStream has alerts of events a, b, c on machines m and n; contexts have two events.
func newStream() *toPlay {
	return &toPlay{Sequences: sequencer.Sequences{Names: []string{"a", "b", "c"}, Length: 2, Kinds: []string{"", "scan", "crack"}, Machines: []string{"m", "n"},
		Times: []int64{}, Machine: []uint32{}, Labels: []float64{}}}
}

func (s *toPlay) add(after time.Duration, machine uint32, event int32, context [2]int32, step uint32, v model.Verdict) {
	s.Times = append(s.Times, start.Add(after).UnixNano())
	s.Machine, s.Events, s.Contexts = append(s.Machine, machine), append(s.Events, event), append(s.Contexts, context[:]...)
	s.Labels, s.Kind = append(s.Labels, float64(step)), append(s.Kind, step)
	s.verdicts = append(s.verdicts, v)
}

func (s *toPlay) play(t *testing.T, o Options) *Result {
	t.Helper()
	r, err := Play(&s.Sequences, s.verdicts, clusters, o)
	require.NoError(t, err)
	return r
}

var (
	clusters = []model.Cluster{{ID: 0, Event: "a", HourlyMax: 1}, {ID: 1, Event: "a"}}
	unsure   = model.Verdict{Status: model.LowConfidence, Cluster: -1}
	benign   = model.Verdict{Status: model.Scored, Cluster: 0}
	alarm    = model.Verdict{Status: model.Scored, Score: 2, Cluster: 1}
)

func TestAnAnswerSettlesItsPattern(t *testing.T) {
	s := newStream()
	s.add(0, 0, 1, [2]int32{0, 3}, 0, unsure)             // asks, and is benign
	s.add(time.Minute, 0, 1, [2]int32{3, 0}, 0, unsure)   // the same in another order: settled
	s.add(time.Minute, 1, 1, [2]int32{0, 3}, 0, unsure)   // on another machine: asks
	s.add(2*time.Minute, 0, 1, [2]int32{0, 0}, 1, unsure) // after other events: asks, and is an attack
	s.add(3*time.Hour, 0, 1, [2]int32{0, 0}, 1, unsure)   // answered: an alarm
	s.add(4*time.Hour, 0, 0, [2]int32{0, 0}, 0, benign)
	s.add(5*time.Hour, 0, 1, [2]int32{3, 0}, 2, unsure)  // settled as benign, but an attack: missed
	s.add(13*time.Hour, 0, 1, [2]int32{0, 3}, 2, unsure) // due again: asks
	got := s.play(t, DefaultOptions())
	wait := func(d time.Duration) *float64 {
		seconds := d.Seconds()
		return &seconds
	}
	for i := range got.ByStep {
		assert.NotEmpty(t, got.ByStep[i].Case)
		got.ByStep[i].Case = ""
	}
	assert.Equal(t, &Result{Alerts: 8, Today: 7, Objects: 4, ByKind: map[string]int{"new": 3, "alarm": 1}, Share: .5, PerDay: []int{4},
		Questions: 4, Answers: 4, BenignSeen: 2, Attacks: 4, AttackMissed: 1, Recall: .75, Steps: 2, MissedByStep: map[string]int{"crack": 1}, ByStep: []Step{
			{Name: "scan", Alerts: 2, First: start.Add(2 * time.Minute), Kind: "new", Wait: wait(0), Age: 120},
			{Name: "crack", Alerts: 2, Missed: 1, First: start.Add(5 * time.Hour), Kind: "new", Wait: wait(8 * time.Hour)},
		}}, got)

	o := DefaultOptions()
	o.Scope = decisions.Event
	got = s.play(t, o)
	assert.Equal(t, []int{2, 3, 1}, []int{got.Questions, got.AttackMissed, got.StepsLost}, "a wide answer loses the scan")
	assert.Equal(t, Step{Name: "scan", Alerts: 2, Missed: 2, First: start.Add(2 * time.Minute)}, got.ByStep[0])
}

func TestAnAnswerTakesItsTime(t *testing.T) {
	s := newStream()
	for minute := range 4 {
		s.add(time.Duration(minute)*time.Minute, 0, 1, [2]int32{}, 0, unsure)
	}
	o := DefaultOptions()
	o.Delay = 2 * time.Minute
	got := s.play(t, o)
	assert.Equal(t, []int{1, 1, 2}, []int{got.Questions, got.Objects, got.BenignSeen}, "what is asked is not asked again before it is answered")
}

func TestFarMoreThanWasLearntIsACase(t *testing.T) {
	s := newStream()
	s.add(-time.Minute, 0, 0, [2]int32{}, 1, benign) // in the hour before
	for i := range 30 {
		s.add(time.Duration(i)*time.Second, 0, 0, [2]int32{}, uint32(1+i%2), benign)
	}
	s.add(30*time.Second, 0, 0, [2]int32{}, 0, benign)
	s.add(time.Minute, 1, 0, [2]int32{}, 0, benign) // on another machine
	got := s.play(t, DefaultOptions())
	assert.Equal(t, []int{1, 1, 19, 1}, []int{got.ByKind["burst"], got.AttackMissed, got.TakenUp, got.BenignSeen})
	assert.Equal(t, map[string]int{"scan": 1}, got.MissedByStep)
	assert.Equal(t, 79., *got.ByStep[0].Wait, "the burst is seen with its twentieth alert")
	assert.Equal(t, "burst", got.ByStep[1].Kind)
	o := DefaultOptions()
	o.Cases.Burst = 0
	assert.Equal(t, 31, s.play(t, o).AttackMissed)
}

func TestWithoutLabelsTimesOrMachines(t *testing.T) {
	s := newStream()
	s.add(0, 0, 0, [2]int32{}, 0, unsure)
	s.add(time.Hour, 0, 1, [2]int32{}, 0, alarm)
	s.Labels[0] = sequencer.NoLabel
	got := s.play(t, DefaultOptions())
	assert.Equal(t, []int{1, 0, 1}, []int{got.Alerts, got.Questions, got.Objects}, "an alert without a label is left out")
	s.Times = nil
	_, err := Play(&s.Sequences, s.verdicts, clusters, DefaultOptions())
	require.EqualError(t, err, "alerts need labels, times and machines")
}

// TestPlayAgainstDefinitions compares with what the rules say about each alert on its own, from all alerts before it.
func TestPlayAgainstDefinitions(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	for range 300 {
		s := newStream()
		for range random.IntN(60) {
			after := time.Duration(random.IntN(100)) * 30 * time.Minute
			v := []model.Verdict{unsure, unsure, unsure, benign, alarm, {Status: model.UnknownEvent, Cluster: -1}}[random.IntN(6)]
			s.add(after, uint32(random.IntN(2)), int32(random.IntN(3)), [2]int32{int32(random.IntN(2)), 3}, uint32(random.IntN(3)), v)
		}
		o := DefaultOptions()
		o.Cases.Burst = 0
		o.Scope = decisions.Scopes[random.IntN(4)]
		o.Hold = decisions.Hold{First: 2 * time.Hour, Growth: 2, Max: 7 * time.Hour}
		o.Delay = time.Duration(random.IntN(3)) * time.Hour
		got := s.play(t, o)
		want := s.define(o)
		require.Equal(t, want, []int{got.Questions, got.Objects, got.ByKind["alarm"], got.BenignSeen, got.AttackMissed, got.StepsLost}, "%+v", o)
		opened := 0
		for _, n := range got.PerDay {
			opened += n
		}
		require.Equal(t, got.Objects, opened)
	}
}

// define counts questions, cases, cases of alarms, benign alerts seen, attack alerts missed and steps lost.
func (s *toPlay) define(o Options) []int {
	order := make([]int, len(s.Times))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return int(s.Times[a]/1e9 - s.Times[b]/1e9) })
	type answer struct {
		at, due time.Time
		label   float64
		next    float64 // how long it holds if it is confirmed
	}
	answers, last := map[string][]answer{}, map[string]time.Time{}
	questions, opened, alarms, seenBenign, missed := 0, 0, 0, 0, 0
	found := map[uint32]bool{}
	for _, i := range order {
		now := time.Unix(0, s.Times[i])
		context := slices.Clone(s.Contexts[2*i : 2*i+2])
		slices.Sort(context)
		key := map[decisions.Scope]string{
			decisions.PatternOnMachine: fmt.Sprint(s.Events[i], context, s.Machine[i]), decisions.Pattern: fmt.Sprint(s.Events[i], context),
			decisions.EventOnMachine: fmt.Sprint(s.Events[i], s.Machine[i]), decisions.Event: fmt.Sprint(s.Events[i])}[o.Scope]
		v := s.verdicts[i]
		group := ""
		switch {
		case v.Status == model.Scored && v.Score > 0:
			group = fmt.Sprint("alarm of cluster ", v.Cluster, " of event ", s.Events[i])
		case v.Status != model.Scored:
			group = "new"
		}
		all := answers[key]
		n := len(all)
		waits := n > 0 && all[n-1].at.After(now)
		if waits {
			n--
		}
		inForce := n > 0 && (all[n-1].label > 0 || now.Before(all[n-1].due))
		if ofPattern := o.Scope == decisions.PatternOnMachine || o.Scope == decisions.Pattern; inForce {
			switch label := all[n-1].label; {
			case group == "new" && label == 0:
				group = ""
			case group == "new" || group == "" && label > 0 && ofPattern:
				group = fmt.Sprint("alarm of event ", s.Events[i])
			}
		}
		if group == "new" && !waits {
			questions++
			a := answer{at: now.Add(o.Delay), label: s.Labels[i], next: o.Hold.First.Seconds()}
			if n > 0 && all[n-1].label == 0 && a.label == 0 {
				a.next = all[n-1].next
				if !a.at.Before(all[n-1].due) {
					a.next *= o.Hold.Growth
				}
			}
			a.due = a.at.Add(time.Duration(min(a.next, o.Hold.Max.Seconds()) * 1e9))
			answers[key] = append(all, a)
		}
		switch attack := s.Labels[i] > 0; {
		case group == "" && attack:
			missed++
		case group != "" && attack:
			found[s.Kind[i]] = true
		case group != "":
			seenBenign++
		}
		if group == "" {
			continue
		}
		gap := o.Cases.Gap
		if group != "new" {
			gap = o.Cases.AlarmGap
		}
		group += fmt.Sprint(" on ", s.Machine[i])
		if before, known := last[group]; !known || now.Sub(before) > gap {
			opened++
			if gap == o.Cases.AlarmGap {
				alarms++
			}
		}
		last[group] = now
	}
	steps := map[uint32]bool{}
	for i, step := range s.Kind {
		if s.Labels[i] > 0 {
			steps[step] = true
		}
	}
	return []int{questions, opened, alarms, seenBenign, missed, len(steps) - len(found)}
}

func TestNothingIsPlayed(t *testing.T) {
	s := newStream()
	got := s.play(t, DefaultOptions())
	assert.Zero(t, got.Alerts)
	assert.True(t, math.IsNaN(float64(got.Recall)))
}

// BenchmarkPlay plays 100,000 alerts, with about as many patterns and cases as real ones have.
func BenchmarkPlay(b *testing.B) {
	random := rand.New(rand.NewPCG(9, 10))
	s := newStream()
	for i := range 100_000 {
		v := []model.Verdict{unsure, benign, alarm}[random.IntN(3)]
		s.add(time.Duration(i)*10*time.Second, uint32(random.IntN(2)), int32(random.IntN(3)), [2]int32{int32(random.IntN(4)), int32(random.IntN(4))}, uint32(random.IntN(100)/99), v)
	}
	for b.Loop() {
		if _, err := Play(&s.Sequences, s.verdicts, clusters, DefaultOptions()); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*100_000/b.Elapsed().Seconds(), "alerts/s")
}
