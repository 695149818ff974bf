package report

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// Judgement is what a model says about one event.
type Judgement struct {
	Scored bool
	Score  float64 // only if Scored
	Group  int     // the cluster or rule that the score comes from, ≥ 0, only if Scored
}

// Sent reports whether an analyst sees the event: it has no score, or a score above 0.
func (j Judgement) Sent() bool { return !j.Scored || j.Score > 0 }

// Triage says what an analyst sees of a stream of labelled events that a model has sorted. An event whose label is above 0 is an attack.
type Triage struct {
	Events      int     `json:"events"`
	AttackShare Share   `json:"attack_share"`
	Coverage    Share   `json:"coverage"`    // events that have a score
	SentAll     Share   `json:"sent_all"`    // of all events
	SentBenign  Share   `json:"sent_benign"` // of the benign events
	Sent        Quality `json:"sent"`        // attack = sent
	Scored      Quality `json:"scored"`      // among events with a score: attack = score above 0
	Groups      int     `json:"groups"`      // distinct groups that score an event
	Attacks     int     `json:"attacks"`     // events
	Missed      int     `json:"missed"`      // attacks that are not sent
	SentEvents  int     `json:"sent_events"`
	// MissedByType lists the types of attacks with missed events, the type with most missed events first.
	MissedByType []MissedType `json:"missed_by_type"`
	// SentPerDay is how many events are sent per day, from the first event to the last; null if events have no times.
	SentPerDay Share `json:"sent_per_day"`
	MedianDay  Share `json:"median_day"`  // the median of the events sent on each day (UTC); null if events have no times
	BusiestDay int   `json:"busiest_day"` // events sent on the day with most of them
	// WorkloadReduction is the share of events that nobody looks at if an analyst looks at each event without a score and at one event
	// of each group that gives scores (the paper's idea: the analyst inspects a cluster instead of its events).
	WorkloadReduction Share `json:"workload_reduction"`
}

// MissedType is a type of attack.
type MissedType struct {
	Type   string `json:"type"`
	Events int    `json:"events"`
	Missed int    `json:"missed"`
}

// Truth is what is known about an event.
type Truth struct {
	Label float64
	Type  string // of the attack, "" if it has none
	At    int64  // Unix nanoseconds
}

// Assess compares judgements with the truth. Both have one value per event. dated says that the events have times.
func Assess(truth []Truth, judgements []Judgement, dated bool) Triage {
	types, sentAt := map[string]*MissedType{}, []time.Time{}
	var first, last int64
	for i, is := range truth {
		if i == 0 || is.At < first {
			first = is.At
		}
		if i == 0 || is.At > last {
			last = is.At
		}
		sent := judgements[i].Sent()
		if sent {
			sentAt = append(sentAt, time.Unix(0, is.At))
		}
		if is.Label > 0 {
			if types[is.Type] == nil {
				types[is.Type] = &MissedType{Type: is.Type}
			}
			types[is.Type].Events++
			if !sent {
				types[is.Type].Missed++
			}
		}
	}
	t := assess(truth, judgements)
	t.MissedByType = []MissedType{}
	for _, x := range types {
		if x.Missed > 0 {
			t.MissedByType = append(t.MissedByType, *x)
		}
	}
	slices.SortFunc(t.MissedByType, func(a, b MissedType) int { return cmp.Or(cmp.Compare(b.Missed, a.Missed), cmp.Compare(a.Type, b.Type)) })
	t.SentPerDay, t.MedianDay = Share(math.NaN()), Share(math.NaN())
	if dated && last > first {
		t.SentPerDay = Share(float64(t.SentEvents) / time.Duration(last-first).Hours() * 24)
		days := PerDay(time.Unix(0, first), time.Unix(0, last), slices.Values(sentAt))
		t.MedianDay, t.BusiestDay = Median(days), slices.Max(days)
	}
	return t
}

func assess(truth []Truth, judgements []Judgement) Triage {
	var attacks, scored, sent, sentBenign, sentAttacks, scoredAttacks, flagged, flaggedAttacks int
	groups := map[int]bool{}
	for i, j := range judgements {
		attack := truth[i].Label > 0
		if attack {
			attacks++
		}
		if j.Sent() {
			sent++
			if attack {
				sentAttacks++
			} else {
				sentBenign++
			}
		}
		if !j.Scored {
			continue
		}
		scored++
		groups[j.Group] = true
		if attack {
			scoredAttacks++
		}
		if j.Score > 0 {
			flagged++
			if attack {
				flaggedAttacks++
			}
		}
	}
	n := len(judgements)
	return Triage{
		Events:            n,
		AttackShare:       Ratio(attacks, n),
		Coverage:          Ratio(scored, n),
		SentAll:           Ratio(sent, n),
		SentBenign:        Ratio(sentBenign, n-attacks),
		Sent:              quality(sentAttacks, sent, attacks),
		Scored:            quality(flaggedAttacks, flagged, scoredAttacks),
		Groups:            len(groups),
		Attacks:           attacks,
		Missed:            attacks - sentAttacks,
		SentEvents:        sent,
		WorkloadReduction: Ratio(scored-len(groups), n),
	}
}

// Rules is the rule-only baseline: the score of an event is the highest label that its type had in training.
type Rules struct {
	scores map[string]Judgement
}

// LearnRules learns from events, which are indexes into names, and their labels. A label below 0 is none.
func LearnRules(names []string, events []int32, labels []float64) Rules {
	r := Rules{scores: map[string]Judgement{}}
	for i, event := range events {
		if labels[i] < 0 {
			continue
		}
		name := names[event]
		known, ok := r.scores[name]
		if !ok || labels[i] > known.Score {
			r.scores[name] = Judgement{Scored: true, Score: labels[i], Group: int(event)}
		}
	}
	return r
}

// Judge returns the score of the rule. An event of a type that training did not have gets none.
func (r Rules) Judge(name string) Judgement { return r.scores[name] }
