package page

import (
	"net/http"
	"time"

	"connect-deepcase/internal/review"
)

// outcomes are the names of review.Outcome.
var outcomes = [review.Outcomes]string{"benign, no look", "score above 0", "unscored cluster", "low confidence", "no cluster", "unknown event", "disputed", "no model"}

// overviewData is what the page "overview" shows.
type overviewData struct {
	review.Overview
	Legend []legend
	Days   []outcomeDay
	Most   int // live alerts of the busiest event
	Cases  int // opened in the last eight days
}

type legend struct {
	Outcome review.Outcome
	Name    string
}

// outcomeDay is what became of the alerts of a day.
type outcomeDay struct {
	Name  string
	Parts []int // in the order of the legend
}

func (p *pages) overview(w http.ResponseWriter, r *http.Request) {
	o, err := p.desk.Overview()
	if err != nil {
		p.fail(w, r, err)
		return
	}
	d := overviewData{Overview: o}
	var sums [review.Outcomes]int
	for _, q := range o.Quarters {
		for i, n := range q {
			sums[i] += n
		}
	}
	for i, name := range outcomes {
		if sums[i] > 0 {
			d.Legend = append(d.Legend, legend{review.Outcome(i), name})
		}
	}
	for i, q := range o.Quarters {
		day := o.Start.Add(time.Duration(i) * 6 * time.Hour).UTC().Format("Mon 2 Jan")
		if last := len(d.Days) - 1; last < 0 || d.Days[last].Name != day {
			d.Days = append(d.Days, outcomeDay{day, make([]int, len(d.Legend))})
		}
		for k, l := range d.Legend {
			d.Days[len(d.Days)-1].Parts[k] += q[l.Outcome]
		}
	}
	for _, e := range o.Wait {
		d.Most = max(d.Most, e.Live)
	}
	for _, c := range o.CasesPerDay {
		d.Cases += c.N
	}
	p.show(w, r, http.StatusOK, "overview", "Overview", d)
}
