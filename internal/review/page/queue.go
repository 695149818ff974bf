package page

import (
	"fmt"
	"html"
	"html/template"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/gate"
)

const rowsAPage = 100

type choice struct{ Key, Name string }

var (
	views = []choice{{review.Open, "Open"}, {review.Clusters, "Clusters"}, {review.Unsure, "Unsure"}, {review.Cases, "Cases"}, {review.Scored, "Scored"}, {review.Snoozed, "Snoozed"}}
	sorts = []choice{{"", "work decided"}, {"recent", "last seen"}, {"new", "first seen"}, {"machines", "machines"}, {"event", "event"}}
)

// queueData is what the page "queue" shows.
type queueData struct {
	review.Queue
	Query     review.Query
	FirstRows []row
	Rows      []row
	Views     []choice
	Sorts     []choice
	From, To  int
	Earlier   string // links to other parts of the list; "" if there are none
	Later     string
	Dim       bool // what is decided is out of the way
	Questions int
	EverAsked bool
}

// row is an item of a list.
type row struct {
	review.Item
	Status review.Status
	Levels []review.Level
	Acts   bool
}

// Busiest are the two busiest machines.
func (r row) Busiest() []review.Count { return r.Machines[:min(2, len(r.Machines))] }

// Buttons score the item at once. Templates take ten times as long for them, and there are hundreds on a page.
func (r row) Buttons() template.HTML {
	var out strings.Builder
	item := html.EscapeString(r.ID + " " + r.Rev)
	for _, l := range r.Levels {
		score := strconv.FormatFloat(l.Score, 'g', -1, 64)
		fmt.Fprintf(&out, `<button class="sc %s" name="quick" value="%s %s" data-score="%s" title="%s">%s</button>`, class(l.Score), score, item, score, html.EscapeString(l.Name), score)
	}
	return template.HTML(out.String())
}

func (p *pages) rows(items []review.Item, status review.Status, acts bool) []row {
	out := make([]row, len(items))
	for i, item := range items {
		out[i] = row{item, status, p.levels, acts}
	}
	return out
}

func (p *pages) queue(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	q := review.Query{Text: v.Get("q"), View: v.Get("view"), Sort: v.Get("sort"), Limit: rowsAPage}
	if from, err := strconv.Atoi(v.Get("from")); err == nil && from > 0 {
		q.From = from
	}
	status, person := p.desk.Status(), gate.Who(r)
	acts := person.Role != gate.Read && !status.ReadOnly
	d := queueData{Queue: p.desk.Queue(person.Name, q), Query: q, Views: views, Sorts: sorts, From: q.From}
	d.FirstRows, d.Rows = p.rows(d.First, status, acts), p.rows(d.Items, status, acts)
	d.To = q.From + len(d.Items)
	if q.From == 0 {
		d.To += len(d.First)
	}
	d.Dim = q.View != review.Scored && q.View != review.All && q.View != review.Snoozed
	d.Questions = d.Counts[review.Clusters] + d.Counts[review.Unsure]
	d.EverAsked = d.PerDay > 0 || d.Counts[review.Scored] > 0
	if q.From > 0 {
		d.Earlier = queueLink(q, max(0, q.From-rowsAPage))
	}
	if len(d.Items) == rowsAPage && q.From+len(d.First)+len(d.Items) < d.Matching {
		d.Later = queueLink(q, q.From+rowsAPage)
	}
	p.show(w, r, http.StatusOK, "queue", "Queue", d)
}

func queueLink(q review.Query, from int) string {
	v := url.Values{}
	for key, value := range map[string]string{"q": q.Text, "view": q.View, "sort": q.Sort} {
		if value != "" {
			v.Set(key, value)
		}
	}
	if from > 0 {
		v.Set("from", strconv.Itoa(from))
	}
	return "/queue?" + v.Encode()
}

// With is a link to another view with the same text and order.
func (d queueData) With(view string) string {
	q := d.Query
	q.View = view
	return queueLink(q, 0)
}
