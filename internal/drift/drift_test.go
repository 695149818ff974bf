package drift

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
)

var (
	trainedFrom = time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	trainedTo   = trainedFrom.AddDate(0, 0, 10)
	seenFrom    = trainedTo.Add(12 * time.Hour)
)

// learnt is a model of 2,000 samples, of which 200 are in no cluster.
func learnt() *model.Model {
	cluster := func(id int, event string, size int, score float64, from, to time.Time) model.Cluster {
		return model.Cluster{ID: id, Event: event, Size: size, Score: score, FirstSeen: from, LastSeen: to}
	}
	var confidence model.Confidences
	for range 2000 {
		confidence.Add(0.6)
	}
	return &model.Model{Params: model.DefaultParams(), Names: []string{"a", "b", "rare"}, Samples: 2000, Confidence: &confidence, Clusters: []model.Cluster{
		cluster(0, "a", 800, 0, trainedFrom, trainedTo),
		cluster(1, "b", 500, 3, trainedFrom, trainedTo.Add(-time.Hour)),
		cluster(2, "a", 400, interpreter.NoScore, trainedFrom, trainedFrom.Add(time.Hour)), // a burst
		cluster(3, "a", 100, interpreter.NoScore, trainedFrom.Add(time.Hour), trainedTo),
	}}
}

// alerts are n alerts of one pattern on one machine, spread over the first of the days from seenFrom on.
func alerts(f *Figures, n int, event string, context string, v model.Verdict, change func(i int, a *Alert)) {
	for i := range n {
		a := Alert{Event: event, Machine: "web-1", At: seenFrom.Add(time.Duration(i) * time.Minute), Verdict: Verdict{v, decisions.Settled{Status: v.Status, Score: v.Score}}}
		a.Keys = decisions.Subject{Event: event, Context: []string{context, "a"}, Machine: a.Machine}.Keys()
		if change != nil {
			change(i, &a)
		}
		f.Add(a)
	}
}

func verdict(status model.Status, cluster int, confidence float64) model.Verdict {
	return model.Verdict{Status: status, Cluster: cluster, Confidence: confidence}
}

// drifted are 1,000 alerts: 800 in a cluster, 150 of a new name on so many days, 45 in 5 patterns far from all clusters, and 5 that nothing
// explains.
func drifted(days int) *Figures {
	f := New(learnt())
	alerts(f, 800, "a", "a", verdict(model.Scored, 0, 0.9), nil)
	alerts(f, 150, "new", "a", verdict(model.UnknownEvent, -1, 0), func(i int, a *Alert) {
		a.Machine, a.At = fmt.Sprint("web-", i%3), a.At.AddDate(0, 0, i%days)
		if i < 9 {
			a.Verdict.Settled.Status = model.Answered
		}
	})
	for pattern := range 5 {
		alerts(f, 9, "a", fmt.Sprint("c", pattern), verdict(model.NoCluster, -1, 0.5), nil)
		alerts(f, 1, "rare", fmt.Sprint("c", pattern), verdict(model.LowConfidence, -1, 0.1), func(_ int, a *Alert) {
			a.At = seenFrom.AddDate(0, 0, pattern+1) // the period has 5 days: half of the training's
		})
	}
	return f
}

func TestFiguresBesideThoseOfTheTraining(t *testing.T) {
	r := drifted(2).Report()
	assert.Equal(t, 1000, r.Alerts)
	assert.Equal(t, seenFrom, r.First)
	assert.Equal(t, seenFrom.AddDate(0, 0, 5), r.Last)
	assert.EqualValues(t, 0.15, r.Unknown)
	assert.Equal(t, Beside{Now: 0.2, Training: 0.1}, r.Outside)
	assert.InDelta(t, (800*0.905+45*0.505+5*0.105)/850, float64(r.Mean.Now), 1e-9, "alerts of unknown events have no confidence")
	assert.InDelta(t, 0.605, float64(r.Mean.Training), 1e-9)
	assert.InDelta(t, 5.0/850, float64(r.Low.Now), 1e-9)
	assert.EqualValues(t, 0, r.Low.Training)
	require.Len(t, r.UnknownNames, 1)
	name := r.UnknownNames[0]
	assert.Equal(t, []any{"new", 150, 3, seenFrom, false}, []any{name.Name, name.Alerts, name.Machines, name.First, name.Learnt})

	require.Len(t, r.Days, 6)
	first := r.Days[0]
	assert.Equal(t, "2026-03-11", first.Day)
	assert.Equal(t, 12*60+75+45, first.Alerts, "one a minute until midnight")
	assert.Equal(t, map[string]int{"scored": 12 * 60, "unknown_event": 75, "no_cluster": 45}, first.Statuses)
	assert.Equal(t, 120, first.Outside)
	assert.Equal(t, []string{"new"}, first.NewNames)
	assert.Equal(t, 5, first.Answered)
	assert.Empty(t, r.Days[1].NewNames)
	assert.Equal(t, 80+75+1, r.Days[1].Alerts)
}

func TestClustersGoneQuiet(t *testing.T) {
	quiet := drifted(2).Report().Quiet
	three := 3.0
	assert.Equal(t, []Quiet{
		{Cluster: 1, Event: "b", Size: 500, Score: &three, Expected: 250, LastSeen: trainedTo.Add(-time.Hour)},
		{Cluster: 3, Event: "a", Size: 100, Expected: 50, LastSeen: trainedTo, Continues: true},
	}, quiet, "the burst is not missed")

	f := New(learnt())
	alerts(f, 2, "a", "a", verdict(model.Scored, 0, 0.9), func(i int, a *Alert) { a.At = seenFrom.Add(time.Duration(i) * time.Hour) })
	assert.Equal(t, []Quiet{}, f.Report().Quiet, "an hour without alerts says nothing: 500 in 240 hours are 2")
	f = New(learnt())
	alerts(f, 2, "a", "a", verdict(model.Scored, 0, 0.9), func(_ int, a *Alert) { a.At = time.Time{} })
	assert.Nil(t, f.Report().Quiet, "without times there are no rates")
	assert.Empty(t, f.Report().Days)
}

func TestRetrain(t *testing.T) {
	r := drifted(2).Report().Retrain
	assert.True(t, *r.Pays)
	// 200 are in no cluster, 195 of them in patterns of at least 5; the training left a tenth outside, too.
	assert.Equal(t, []int{195, 150, 9, 6, 100}, []int{r.Alike, r.NewNames, r.Answered, r.Patterns, r.Alerts})
	assert.Equal(t, "Retraining would pay: 20.0 % of the alerts are in no cluster, against 10.0 % in the training, and new clusters would hold about 10.0 % of all "+
		"alerts (20 a day) that none holds now; 195 alerts repeat often enough to form at most 6 of them, 150 with a new name, 9 settled by answers.", r.Sentence)

	assert.Equal(t, "2026-03-11", r.WorstDay)
	assert.EqualValues(t, 80.0/160, r.WithoutWorst)

	f := drifted(2)
	f.model.Samples = 1800 // the training left none outside: what repeats is the bound
	assert.Equal(t, 195, f.Report().Retrain.Alerts)

	f = drifted(2)
	f.model.Samples = 2200 // the training left 400 of 2,200 outside: 18.2 of 20 % stay
	r = f.Report().Retrain
	assert.Equal(t, int(math.Round(200-1000*400.0/2200)), r.Alerts)
	assert.False(t, *r.Pays, "18 alerts are 1.8 %")
	assert.Equal(t, "Retraining would not pay yet: 20.0 % of the alerts are in no cluster, against 18.2 % in the training, and new clusters would hold about 1.8 % "+
		"of all alerts (4 a day) that none holds now; it pays from 2.0 % of all alerts and 25.0 % of those in no cluster on.", r.Sentence)

	f = drifted(2)
	f.model.Samples = 2100 // 300 of 2,100 are 14.3 %: 57 alerts more, 5.7 %, and 29 % of those in no cluster
	assert.True(t, *f.Report().Retrain.Pays)
	f.model.Samples = 2140 // 340 of 2,140 are 15.9 %: 41 alerts more, 4.1 %, but 21 % of those in no cluster
	assert.False(t, *f.Report().Retrain.Pays)

	r = drifted(1).Report().Retrain // all of the new name on the first day: 5 of the other 85 alerts are in no cluster
	assert.False(t, *r.Pays)
	assert.Equal(t, 100, r.Alerts)
	assert.Equal(t, "Retraining would not pay yet: 20.0 % of the alerts are in no cluster, against 10.0 % in the training, but only 5.9 % without 2026-03-11; "+
		"find out first what happened on that day.", r.Sentence)
	f = New(learnt())
	alerts(f, 1000, "new", "a", verdict(model.UnknownEvent, -1, 0), func(i int, a *Alert) { a.At = seenFrom.Add(time.Duration(i) * time.Second) })
	r = f.Report().Retrain
	assert.Nil(t, r.Pays)
	assert.Equal(t, "One day cannot tell drift from an incident: 100.0 % of the alerts are in no cluster, against 10.0 % in the training; "+
		"give the alerts of two days or more.", r.Sentence)
	f = New(learnt())
	alerts(f, 1000, "new", "a", verdict(model.UnknownEvent, -1, 0), func(_ int, a *Alert) { a.At = time.Time{} })
	assert.True(t, *f.Report().Retrain.Pays, "without times there is no worst day")

	f = New(learnt())
	alerts(f, 999, "new", "a", verdict(model.UnknownEvent, -1, 0), nil)
	r = f.Report().Retrain
	assert.Nil(t, r.Pays)
	assert.Equal(t, "Too few alerts to say whether retraining would pay: 999, need at least 1000.", r.Sentence)
	assert.Nil(t, New(learnt()).Report().Retrain.Pays, "no alerts at all")
}

func TestAModelThatDoesNotKnowItsConfidence(t *testing.T) {
	f := drifted(2)
	f.model.Confidence = nil
	f.model.Samples = 0
	r := f.Report()
	assert.True(t, math.IsNaN(float64(r.Mean.Training)))
	assert.True(t, math.IsNaN(float64(r.Low.Training)))
	assert.True(t, math.IsNaN(float64(r.Outside.Training)))
	assert.Equal(t, 195, r.Retrain.Alerts)
}

func TestAnswersThatPileUp(t *testing.T) {
	f := drifted(2)
	number, at := uint64(0), seenFrom
	decide := func(kind decisions.Kind, scope decisions.Scope, event, machine string, score float64) {
		number++
		s := decisions.Subject{Event: event, Context: []string{"a", "a"}, Machine: machine}
		f.Decide(decisions.Decision{Number: number, At: at, Kind: kind, Scope: scope, Subject: s, Key: s.Key(scope), Score: score})
	}
	for i := range 12 {
		decide(decisions.Answer, decisions.PatternOnMachine, "new", fmt.Sprint("web-", i), float64(i/11)) // the last one is an attack
	}
	f.Decide(decisions.Decision{Number: 100, At: at, Kind: decisions.Undo, Undoes: 1})
	at = at.AddDate(0, 0, 1)
	decide(decisions.Answer, decisions.PatternOnMachine, "new", "web-1", 0) // again
	decide(decisions.Answer, decisions.Event, "b", "", 0)                   // wide
	decide(decisions.Answer, decisions.Pattern, "rare", "", 0)
	decide(decisions.Mute, decisions.Event, "a", "", 0)
	assert.Equal(t, Answers{Patterns: 13, Narrow: 12, Settled: 9, Days: []AnswerDay{{"2026-03-11", 11}, {"2026-03-12", 3}},
		Piles: []Pile{{Event: "new", Answers: 11, Benign: 10, Machines: 11, Settled: 9}}}, f.Report().Answers)
}

func TestCases(t *testing.T) {
	f := New(learnt())
	assert.Nil(t, f.Report().Cases)
	kinds := []string{"alarm", "new", "new", "burst", "audit"}
	for i, kind := range kinds {
		alerts(f, 3, "a", "a", verdict(model.Scored, 0, 0.9), func(_ int, a *Alert) { a.Case, a.CaseKind = fmt.Sprint(i), kind })
	}
	alerts(f, 1, "a", "a", verdict(model.Scored, 0, 0.9), nil) // in no case
	r := f.Report()
	assert.Equal(t, &Cases{Opened: 4, ByKind: map[string]int{"alarm": 1, "new": 2, "burst": 1, "audit": 1}, New: 0.5}, r.Cases)
	assert.Equal(t, 4, r.Days[0].Cases)
	assert.Equal(t, 2, r.Days[0].NewCases)
}
