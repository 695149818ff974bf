package drift

import (
	"fmt"
	"math"
	"time"

	"connect-deepcase/internal/report"
)

// Retrain says whether training again with these alerts would pay, and what it would change.
type Retrain struct {
	// Pays is nil if there are too few alerts or days to say.
	Pays *bool `json:"pays"`
	// Alerts is about how many of the alerts new clusters would hold that no cluster holds now, and Share their share of all alerts.
	Alerts int          `json:"alerts"`
	Share  report.Share `json:"share"`
	// Of the alerts that are in no cluster and alike often enough to form one:
	Alike    int `json:"alike"`     // all of them
	NewNames int `json:"new_names"` // with a name that training did not have
	Answered int `json:"answered"`  // settled by answers, which new clusters take over
	Patterns int `json:"patterns"`  // how many different ones there are: at most so many clusters need a score
	// WorstDay has most of the alerts in no cluster, and WithoutWorst is the share of them on the other days. "" and NaN if there is one day.
	WorstDay     string       `json:"worst_day,omitempty"`
	WithoutWorst report.Share `json:"outside_without_worst_day"`
	Sentence     string       `json:"sentence"`
}

// The rule. Retraining can put alerts into clusters that are in none. It cannot do better than two bounds: the alerts that are alike at least
// min_samples times (their name, and the events before them in any order), because others form no cluster; and the alerts beyond the share
// that the last training left outside, too, because a new one will do the same. The lower bound is the gain. It must be large enough, and also
// without the worst day: a change that only one day has is more often an incident than drift.
const (
	minAlerts  = 1000 // fewer say nothing
	minGain    = 0.02 // of all alerts
	minOutside = 0.25 // of the alerts in no cluster
)

// gain is what retraining could change.
type gain struct{ alerts, outside, inside int }

func (g gain) pays() bool {
	return float64(g.inside) >= minGain*float64(g.alerts) && float64(g.inside) >= minOutside*float64(g.outside)
}

// gain applies the bounds to the alerts of all days but one.
func (f *Figures) gain(without string) gain {
	g := gain{alerts: f.alerts}
	if day := f.days[without]; day != nil {
		g.alerts -= day.Alerts
	}
	alike := 0
	for _, p := range f.outside {
		n := p.alerts - p.days[without]
		g.outside += n
		if n >= f.model.Params.Interpreter.MinSamples {
			alike += n
		}
	}
	beyond := float64(g.outside)
	if left := float64(f.trainedOutside()); !math.IsNaN(left) {
		beyond -= left * float64(g.alerts)
	}
	g.inside = int(math.Round(max(0, min(float64(alike), beyond))))
	return g
}

// worst names the day with most alerts in no cluster, the later one of equals. It is "" if all alerts are of one day, or of none.
func (f *Figures) worst() (day string) {
	if len(f.days) < 2 {
		return ""
	}
	for name, d := range f.days {
		if most := f.days[day]; most == nil || d.Outside > most.Outside || d.Outside == most.Outside && name > day {
			day = name
		}
	}
	return day
}

// retrain applies the rule to r, whose other figures are there.
func (f *Figures) retrain(r *Report) Retrain {
	g, t := f.gain(""), Retrain{WorstDay: f.worst(), WithoutWorst: report.Share(math.NaN())}
	t.Alerts, t.Share = g.inside, report.Ratio(g.inside, g.alerts)
	for _, p := range f.outside {
		if p.alerts < f.model.Params.Interpreter.MinSamples {
			continue
		}
		t.Patterns++
		t.Alike += p.alerts
		t.Answered += p.answered
		if !f.known[p.event] {
			t.NewNames += p.alerts
		}
	}
	rest := g
	if t.WorstDay != "" {
		rest = f.gain(t.WorstDay)
		t.WithoutWorst = report.Ratio(rest.outside, rest.alerts)
	}
	switch pays := g.pays() && rest.pays(); {
	case f.alerts < minAlerts:
		t.Sentence = fmt.Sprintf("Too few alerts to say whether retraining would pay: %d, need at least %d.", f.alerts, minAlerts)
		return t
	case len(f.days) == 1 && g.pays():
		t.Sentence = fmt.Sprintf("One day cannot tell drift from an incident: %s; give the alerts of two days or more.", beside(r.Outside))
		return t
	default:
		t.Pays = &pays
	}
	held := fmt.Sprintf("new clusters would hold about %s of all alerts%s that none holds now", percent(t.Share), f.perDay(t.Alerts))
	switch {
	case !g.pays():
		t.Sentence = fmt.Sprintf("Retraining would not pay yet: %s, and %s; it pays from %s of all alerts and %s of those in no cluster on.",
			beside(r.Outside), held, percent(minGain), percent(minOutside))
	case !*t.Pays:
		t.Sentence = fmt.Sprintf("Retraining would not pay yet: %s, but only %s without %s; find out first what happened on that day.",
			beside(r.Outside), percent(t.WithoutWorst), t.WorstDay)
	default:
		t.Sentence = fmt.Sprintf("Retraining would pay: %s, and %s; %d alerts repeat often enough to form at most %d of them", beside(r.Outside), held, t.Alike, t.Patterns)
		if t.NewNames > 0 {
			t.Sentence += fmt.Sprintf(", %d with a new name", t.NewNames)
		}
		if t.Answered > 0 {
			t.Sentence += fmt.Sprintf(", %d settled by answers", t.Answered)
		}
		t.Sentence += "."
	}
	return t
}

func beside(outside Beside) string {
	return fmt.Sprintf("%s of the alerts are in no cluster, against %s in the training", percent(outside.Now), percent(outside.Training))
}

// perDay says how many alerts a day these are, if that is known.
func (f *Figures) perDay(alerts int) string {
	span := f.last.Sub(f.first)
	if span < 24*time.Hour {
		return ""
	}
	return fmt.Sprintf(" (%.0f a day)", float64(alerts)/(float64(span)/float64(24*time.Hour)))
}

func percent(x report.Share) string {
	if math.IsNaN(float64(x)) {
		return "an unknown share"
	}
	return fmt.Sprintf("%.1f %%", 100*float64(x))
}
