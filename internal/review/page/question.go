package page

import (
	"net/http"
	"strconv"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/gate"
	"connect-deepcase/model/decisions"
)

type scope struct {
	Key  decisions.Scope
	Name string
}

var scopes = []scope{
	{decisions.PatternOnMachine, "These events, on these machines"},
	{decisions.Pattern, "These events, on all machines"},
	{decisions.EventOnMachine, "This event after any, on these machines"},
	{decisions.Event, "This event after any, on all machines"},
}

var ends = []choice{{"", "No end"}, {"24h", "A day"}, {"168h", "A week"}, {"720h", "30 days"}, {"2160h", "90 days"}}

// questionData is what the page "question" shows.
type questionData struct {
	review.Question
	Others []string // who looks at it, too
	Scopes []scope
	Ends   []choice
	Like   string // what Y gives, "" for nothing
	Then   string // where a decision leads
}

func (p *pages) question(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	q, err := p.desk.Question(id)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	d := questionData{Question: q, Others: p.desk.Here(id, gate.Who(r).Name), Scopes: scopes, Ends: ends, Then: after(q.Next, q.Previous)}
	if q.Suggested != nil {
		d.Like = strconv.FormatFloat(*q.Suggested, 'g', -1, 64)
	}
	p.show(w, r, http.StatusOK, "question", plain(q.Event), d)
}

// caseData is what the page "case" shows.
type caseData struct {
	review.CaseView
	Others []string
	Scopes []scope
	Ends   []choice
	Rows   []row // its questions
	Then   string
}

func (p *pages) caseView(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	c, err := p.desk.Case(id)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	status, person := p.desk.Status(), gate.Who(r)
	d := caseData{CaseView: c, Others: p.desk.Here(id, person.Name), Scopes: scopes, Ends: ends, Then: after(c.Next, c.Previous)}
	d.Rows = p.rows(c.Questions, status, person.Role != gate.Read && !status.ReadOnly)
	p.show(w, r, http.StatusOK, "case", plain(c.Event), d)
}

// after is where a decision leads: to the next item, or to the one before, or back to the queue.
func after(next, previous string) string {
	for _, id := range []string{next, previous} {
		if id != "" {
			return link(id)
		}
	}
	return "/queue"
}

// changes tells an open page what others did since it was made.
func (p *pages) changes(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	since, err := strconv.ParseUint(v.Get("since"), 10, 64)
	if err != nil {
		since = 0
	}
	c := p.desk.Changes(since)
	out := struct {
		Seq         uint64        `json:"seq"`
		Decisions   []review.Made `json:"decisions"`
		Open        int           `json:"open"`
		Unpublished int           `json:"unpublished"`
		Version     string        `json:"version"`
		Problems    []string      `json:"problems"`
		Others      []string      `json:"others"`
	}{Seq: c.Seq, Decisions: c.Made, Open: c.Status.Open, Unpublished: c.Status.Unpublished, Version: c.Status.Version, Problems: c.Status.Problems}
	if at := v.Get("at"); at != "" {
		out.Others = p.desk.Here(at, gate.Who(r).Name)
	}
	writeJSON(w, http.StatusOK, out)
}
