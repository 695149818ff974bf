package cli

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"time"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/cases"
	"connect-deepcase/internal/report"
)

// caseTotals count the cases that deepcase_case wrote into documents.
type caseTotals struct {
	kinds       map[string]*kindTotals
	opened      map[string]time.Time // by case: the time of its earliest event
	first, last time.Time            // of all events; zero if no times are read
}

type kindTotals struct{ cases, events int }

func newCaseTotals() *caseTotals {
	return &caseTotals{kinds: map[string]*kindTotals{}, opened: map[string]time.Time{}}
}

// add takes the verdict of an event at a time, which is zero if no times are read.
func (t *caseTotals) add(v annotation.Verdict, at time.Time) {
	if t.first.IsZero() || at.Before(t.first) {
		t.first = at
	}
	if at.After(t.last) {
		t.last = at
	}
	if v.Case == "" {
		return
	}
	kind := t.kinds[v.CaseKind]
	if kind == nil {
		kind = &kindTotals{}
		t.kinds[v.CaseKind] = kind
	}
	kind.events++
	if opened, known := t.opened[v.Case]; !known {
		kind.cases++
		t.opened[v.Case] = at
	} else if at.Before(opened) {
		t.opened[v.Case] = at
	}
}

// kindMeanings say in words what the kinds of cases mean.
var kindMeanings = map[string]string{
	cases.Alarm.String():    "the score is above 0",
	cases.New.String():      "neither a cluster nor an answer says what it is",
	cases.Unscored.String(): "in a cluster without a score yet",
	cases.Burst.String():    "score 0, but far more than in training",
	cases.Audit.String():    "score 0, drawn at random",
}

// write says how many cases there are, and how many per day if times were read. events is the number of all documents.
func (t *caseTotals) write(w io.Writer, events int) error {
	if len(t.opened) == 0 {
		return nil
	}
	rows := [][]string{{"", "cases", "events"}}
	for _, kind := range slices.SortedFunc(maps.Keys(t.kinds), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.kinds[b].cases, t.kinds[a].cases), cmp.Compare(a, b))
	}) {
		name := report.Visible(kind)
		if meaning := kindMeanings[kind]; meaning != "" {
			name += ": " + meaning
		}
		rows = append(rows, []string{name, strconv.Itoa(t.kinds[kind].cases), strconv.Itoa(t.kinds[kind].events)})
	}
	fmt.Fprintln(w)
	if err := report.Table(w, rows); err != nil {
		return err
	}
	fmt.Fprintf(w, "a person opens %d cases instead of %d events\n", len(t.opened), events)
	if t.last.IsZero() {
		return nil
	}
	days := report.PerDay(t.first, t.last, maps.Values(t.opened))
	fmt.Fprintf(w, "new cases per day: %.1f, at most %d (%d days, UTC)\n", float64(len(t.opened))/float64(len(days)), slices.Max(days), len(days))
	return nil
}
