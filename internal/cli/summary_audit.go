package cli

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/cases"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/report"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

// audits are the audited documents of a summary, each with what was decided about it.
type audits struct {
	journal *decisions.Journal // nil if the answers of no model directory are asked
	time    string             // path of the time in documents
	cases   map[string]audit   // by case
}

// audit is one audited document.
type audit struct {
	cluster int // −1 for none
	score   float64
	decided bool
}

// open reads the decision journal of a model directory.
func (a *audits) open(dir, time string) error {
	models, err := store.Open(dir, false)
	if err != nil {
		return err
	}
	a.journal, a.time = models.Decisions(decisions.DefaultHold), time
	return a.journal.Refresh()
}

// add takes an audited document. Its label says what it is, if it has one (0 or more), or else the last answer to its pattern, if that was
// given after the event: an earlier one may be why it was dismissed.
func (a *audits) add(target annotation.Target, document json.RawMessage, v annotation.Verdict, label float64) error {
	one := audit{cluster: -1, score: label, decided: label >= 0}
	if v.Cluster != nil {
		one.cluster = *v.Cluster
	}
	if !one.decided && a.journal != nil {
		s, err := target.JSONSequence(document)
		if err != nil {
			return err
		}
		at, err := timeOf(document, a.time, "--time", field.TimeFormat{}) // any of docs/events.md
		if err != nil {
			return err
		}
		keys := s.Subject().Keys()
		a.journal.Read(func(look decisions.Look) {
			for _, key := range keys[:2] { // of the pattern: wider answers were not given to this event
				if found, _ := look.On(decisions.Answer, key); found != nil && found.At.After(at) && !one.decided {
					one.score, one.decided = found.Score, true
				}
			}
		})
	}
	a.cases[v.Case] = one
	return nil
}

// write says what the audited documents say about those that were dismissed.
func (a *audits) write(w io.Writer) error {
	if len(a.cases) == 0 {
		return nil
	}
	var all cases.Audited
	clusters := map[int]*cases.Audited{}
	for _, one := range a.cases {
		if !one.decided {
			continue
		}
		of := clusters[one.cluster]
		if of == nil {
			of = &cases.Audited{}
			clusters[one.cluster] = of
		}
		for _, counts := range []*cases.Audited{&all, of} {
			counts.Decided++
			if one.score > 0 {
				counts.Attacks++
			}
		}
	}
	fmt.Fprintf(w, "\naudited: %d of the dismissed events, of which %d are decided\n", len(a.cases), all.Decided)
	if all.Decided == 0 {
		return nil
	}
	fmt.Fprintf(w, "at most %s of the dismissed events are attacks (95 %% confidence; %d of %d decided ones are)\n", report.Share(all.MissRate()), all.Attacks, all.Decided)
	rows := [][]string{{"cluster", "decided", "attacks", "at most"}}
	for _, number := range slices.SortedFunc(maps.Keys(clusters), func(a, b int) int {
		return cmp.Or(cmp.Compare(clusters[b].Attacks, clusters[a].Attacks), cmp.Compare(clusters[b].Decided, clusters[a].Decided), cmp.Compare(a, b))
	}) {
		name := strconv.Itoa(number)
		if number < 0 {
			name = "none"
		}
		counts := clusters[number]
		rows = append(rows, []string{name, strconv.Itoa(counts.Decided), strconv.Itoa(counts.Attacks), report.Share(counts.MissRate()).String()})
	}
	return report.Table(w, rows)
}
