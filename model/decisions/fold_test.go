package decisions

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
)

// plain says what decisions come to by going through all of them each time.
type plain struct {
	hold Hold
	all  []Decision
}

// standing gives the decisions of a kind on a key that were not undone.
func (p plain) standing(kind Kind, key Key) (standing []Decision) {
	for i, d := range p.all {
		undone := slices.ContainsFunc(p.all[i:], func(u Decision) bool { return u.Kind == Undo && u.Undoes == d.Number })
		if d.Kind == kind && d.Key == key && !undone {
			standing = append(standing, d)
		}
	}
	return standing
}

func (p plain) confirmed(answers []Decision) (confirmed int) {
	for i, d := range answers[1:] {
		before := answers[i]
		switch {
		case before.Score != 0 || d.Score != 0 || d.At.Before(before.At.Add(-time.Minute)):
			confirmed = 0
		case !d.At.Before(before.At.Add(p.hold.after(confirmed))):
			confirmed++
		}
	}
	return confirmed
}

func (p plain) state(kind Kind, key Key, now time.Time) (last Decision, state State) {
	standing := p.standing(kind, key)
	if len(standing) == 0 {
		return last, ""
	}
	last = standing[len(standing)-1]
	due := last.At.Add(p.hold.after(p.confirmed(standing)))
	switch {
	case !last.Until.IsZero() && !now.Before(last.Until):
		return last, Ended
	case kind == Answer && last.Score == 0 && (!now.Before(due) || last.At.After(now.Add(time.Minute))):
		return last, Due
	}
	return last, InForce
}

func (p plain) look(kind Kind, s Subject, now time.Time) (found, before uint64) {
	for _, key := range s.Keys() {
		switch last, state := p.state(kind, key, now); {
		case state == InForce:
			return last.Number, 0
		case state != "" && before == 0:
			before = last.Number
		}
	}
	return 0, before
}

// random draws decisions about a few subjects, with clocks that disagree.
func random(r *rand.Rand, n int, subjects []Subject) (all []Decision) {
	at := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for number := uint64(1); number <= uint64(n); number++ {
		at = at.Add(time.Duration(r.Int64N(int64(20 * time.Hour))))
		clock := at.Add(time.Duration(r.Int64N(3)) * []time.Duration{0, 0, time.Second, 2 * time.Minute, 100 * time.Hour, -100 * time.Hour}[r.IntN(6)])
		d := answer(subjects[r.IntN(len(subjects))], Scopes[r.IntN(len(Scopes))], []float64{0, 0, 0, 3}[r.IntN(4)])
		d.Number, d.At = number, clock
		switch r.IntN(10) {
		case 0:
			d.Until = at.Add(time.Duration(r.Int64N(int64(100 * time.Hour))))
		case 1, 2:
			d.Kind, d.Score, d.Until = Mute, 0, at.Add(time.Duration(r.Int64N(int64(100*time.Hour))))
		case 3:
			d = Decision{Number: number, At: clock, Kind: Cluster, Cluster: 3, Version: "v", Score: 1}
		case 4, 5:
			if number > 1 {
				d = Decision{Number: number, At: clock, Kind: Undo, Undoes: 1 + r.Uint64N(number-1)}
			}
		}
		all = append(all, d)
	}
	return all
}

var subjects = []Subject{sshd, {Event: sshd.Event, Context: sshd.Context, Machine: "web-2"}, {Event: sshd.Event, Context: []string{"a"}, Machine: "web-1"}}

func numberOf(f *Found) uint64 {
	if f == nil {
		return 0
	}
	return f.Number
}

func TestTheFoldIsWhatAllDecisionsComeTo(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for round := range 300 {
		p := plain{hold: DefaultHold, all: random(r, 1+r.IntN(40), subjects)}
		f := NewFold(p.hold)
		f.addAll(p.all)
		last := p.all[len(p.all)-1].At
		for _, now := range []time.Time{last, last.Add(-200 * time.Hour), last.Add(13 * time.Hour), last.Add(1000 * time.Hour)} {
			for _, s := range subjects {
				found, before := f.Look(now).answer(s.Keys())
				wantFound, wantBefore := p.look(Answer, s, now)
				require.Equal(t, []uint64{wantFound, wantBefore}, []uint64{numberOf(found), numberOf(before)}, "round %d, %v", round, p.all)
				for _, f := range []*Found{found, before} {
					if f != nil {
						require.Equal(t, p.confirmed(p.standing(Answer, s.Key(f.Scope))), f.Confirmed)
					}
				}
				wantMute, _ := p.look(Mute, s, now)
				require.Equal(t, wantMute, numberOf(f.Look(now).mute(s.Keys())))
			}
			checkStates(t, p, f.Look(now))
		}
	}
}

func checkStates(t *testing.T, p plain, l Look) {
	t.Helper()
	answers, mutes := 0, 0
	for i, d := range p.all {
		undone := slices.ContainsFunc(p.all[i:], func(u Decision) bool { return u.Kind == Undo && u.Undoes == d.Number })
		want := State("")
		switch {
		case d.Kind == Undo || d.Kind == Cluster:
		case undone:
			want = Undone
		default:
			last, state := p.state(d.Kind, d.Key, l.now)
			if want = state; last.Number != d.Number {
				want = Replaced
			}
		}
		require.Equal(t, want, l.State(d.Number), d)
		if want == InForce && d.Kind == Answer {
			answers++
		} else if want == InForce {
			mutes++
		}
	}
	a, m := l.InForce()
	require.Equal(t, [2]int{answers, mutes}, [2]int{a, m})
}

func TestSettle(t *testing.T) {
	now := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	benign, attack, mute := answer(sshd, PatternOnMachine, 0), answer(sshd, Pattern, 3), answer(sshd, Event, 0)
	wide := answer(sshd, EventOnMachine, 5)
	mute.Kind, mute.Until = Mute, now.Add(time.Hour)
	scored := func(score float64) model.Verdict { return model.Verdict{Status: model.Scored, Score: score} }
	unsure := model.Verdict{Status: model.NoCluster}
	for name, c := range map[string]struct {
		decisions []Decision
		verdict   model.Verdict
		status    model.Status
		score     float64
		found     uint64
	}{
		"nobody has answered":                        {nil, unsure, model.NoCluster, 0, 0},
		"an unsure verdict is answered":              {[]Decision{benign}, unsure, model.Answered, 0, 1},
		"the narrowest answer counts":                {[]Decision{attack, benign}, unsure, model.Answered, 0, 2},
		"a benign answer silences no cluster":        {[]Decision{benign}, scored(2), model.Scored, 2, 0},
		"the pattern of an attack is never benign":   {[]Decision{attack}, scored(0), model.Answered, 3, 1},
		"a wide answer does not change a score of 0": {[]Decision{wide}, scored(0), model.Scored, 0, 0},
		"a mute lets a cluster pass":                 {[]Decision{mute}, scored(2), model.Muted, 0, 1},
		"a mute lets an answer pass":                 {[]Decision{attack, mute}, unsure, model.Muted, 0, 2},
		"a mute answers no question":                 {[]Decision{mute}, unsure, model.NoCluster, 0, 0},
		"a mute leaves what is benign":               {[]Decision{mute}, scored(0), model.Scored, 0, 0},
		"without a model nothing is settled":         {[]Decision{benign, mute}, model.Verdict{Status: model.NoModel}, model.NoModel, 0, 0},
	} {
		f := NewFold(DefaultHold)
		for _, d := range c.decisions {
			d.At = now
			require.NoError(t, f.Add(d), name)
		}
		s := f.Look(now).Settle(c.verdict, sshd.Keys())
		require.Equal(t, c.status, s.Status, name)
		require.Equal(t, c.score, s.Score, name)
		require.Equal(t, c.found, numberOf(s.Found), name)
	}
}

func TestWhatIsWrongWithADecision(t *testing.T) {
	valid := func(change func(*Decision)) Decision {
		d := answer(sshd, PatternOnMachine, 1)
		change(&d)
		return d
	}
	until := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
	for want, d := range map[string]Decision{
		`kind "": need one of answer, mute, cluster, undo`:                              {},
		`scope "all": need one of pattern_on_machine, pattern, event_on_machine, event`: valid(func(d *Decision) { d.Scope = "all" }),
		"answer: need a pattern":                   valid(func(d *Decision) { d.Key = sshd.Key("all") }),
		"score -1: need a number of at least 0":    valid(func(d *Decision) { d.Score = -1 }),
		"mute: need a reason and an expiry":        valid(func(d *Decision) { d.Kind, d.Score = Mute, 0 }),
		"reason has 4097 bytes: need at most 4096": valid(func(d *Decision) { d.Reason = fmt.Sprintf("%4097s", "") }),
		`cluster -1 of version "v": need a number of at least 0, and the version that has the score`: {Kind: Cluster, Cluster: -1, Version: "v"},
		`cluster 1 of version "": need a number of at least 0, and the version that has the score`:   {Kind: Cluster, Cluster: 1},
		"undo: need the number of a decision":                                                        {Kind: Undo},
		"undo 7: the journal has no answer or mute of this number":                                   {Kind: Undo, Undoes: 7},
		"undo 2: it was undone before":                                                               {Kind: Undo, Undoes: 2},
		"undo 4: the journal has no answer or mute of this number":                                   {Kind: Undo, Undoes: 4},
		"number 1 comes after number 4":                                                              valid(func(d *Decision) { d.Number = 1 }),
	} {
		f := NewFold(DefaultHold)
		for _, before := range []Decision{answer(sshd, Event, 1), valid(func(d *Decision) { d.Kind, d.Score, d.Until = Mute, 0, until }), answer(sshd, Event, 2), {Kind: Undo, Undoes: 2}} {
			require.NoError(t, f.Add(before))
		}
		require.EqualError(t, f.Add(d), want)
		require.Equal(t, uint64(4), f.last)
	}
}

// 0 stands for no end in an entry, and is the microsecond of 1970-01-01T00:00:00Z.
func TestAnEndIn1970IsAnEnd(t *testing.T) {
	f := NewFold(DefaultHold)
	d := answer(sshd, Event, 2)
	d.At, d.Until = time.Unix(0, 0), time.Unix(0, 0)
	require.NoError(t, f.Add(d))
	require.Equal(t, Ended, f.Look(time.Now()).State(1))
}
