package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strconv"
	"strings"

	"connect-deepcase/internal/review"
)

// run is a stretch of a context in which one event comes again and again, with about the same attention.
type run struct {
	Name     string
	Span     int
	Share    float64
	From, To int // how many events before
}

func runs(c review.Context) []run {
	var out []run
	last := 0.
	for i, event := range c.Events {
		share, before := 0., len(c.Events)-i
		if i < len(c.Attention) {
			share = c.Attention[i]
		}
		if k := len(out) - 1; k >= 0 && out[k].Name == event && math.Abs(last-share) < .05 {
			out[k].Span++
			out[k].Share += share
			out[k].To = before
		} else {
			out = append(out, run{event, 1, share, before, before})
		}
		last = share
	}
	return out
}

// sequence shows a context as a row of its runs, shaded by attention. A page has hundreds of them, so it is no template: that would take longer than
// all else of the page.
func sequence(c review.Context) template.HTML {
	var b strings.Builder
	b.WriteString(`<ol class="seq">`)
	for _, r := range runs(c) {
		b.WriteString(`<li class="h` + strconv.Itoa(shade(r.Share)))
		called := "nothing"
		if r.Name == "" {
			b.WriteString(" nil")
		} else {
			called = html.EscapeString(plain(r.Name))
		}
		before, times := strconv.Itoa(r.To), ""
		if r.Span > 1 {
			b.WriteString(" rep")
			before = strconv.Itoa(r.From) + " to " + before
			times = ` <span class="x">×` + strconv.Itoa(r.Span) + "</span>"
		}
		share := ""
		if r.Share >= .05 {
			b.WriteString(" big")
			share = fmt.Sprintf(`<span class="p">%.0f%%</span>`, 100*r.Share)
		}
		b.WriteString(`" title="` + called + ", " + before + " before: " + pct(r.Share) + ` of the attention"><span class="nm">` + string(name(r.Name)) + times + "</span>" + share + "</li>")
	}
	b.WriteString("</ol>")
	return template.HTML(b.String())
}

// shade is the class of an attention, from 0 for none to 10.
func shade(x float64) int { return int(math.Ceil(min(1, max(0, x-.004)) * 10)) }

// mainShares are the events that get most of the attention, at most n.
func mainShares(n int, of []review.Share) []review.Share {
	var out []review.Share
	for _, s := range of {
		if s.Share >= .05 && len(out) < n {
			out = append(out, s)
		}
	}
	return out
}

const maxColumns = 4

// columns are the fields of documents that tell them apart best; the ones that head the table anyway are left out, and labels, which would give
// the answer away.
func columns(documents []review.Document) []string {
	values := map[string]map[string]bool{}
	for _, d := range documents {
		for field, value := range fields(d) {
			if slices.Contains([]string{"deepcase", "timestamp", "@timestamp", "machine", "event", "label", "labels", "attack"}, field) || len(value) == 0 || value[0] == '{' || value[0] == '[' {
				continue
			}
			if values[field] == nil {
				values[field] = map[string]bool{}
			}
			values[field][string(value)] = true
		}
	}
	all := make([]string, 0, len(values))
	for field := range values {
		all = append(all, field)
	}
	slices.SortFunc(all, func(a, b string) int {
		if a, b := a == "message", b == "message"; a != b {
			return map[bool]int{true: -1, false: 1}[a]
		}
		if d := len(values[b]) - len(values[a]); d != 0 {
			return d
		}
		return strings.Compare(a, b)
	})
	return all[:min(maxColumns, len(all))]
}

func fields(d review.Document) map[string]json.RawMessage {
	var out map[string]json.RawMessage
	if json.Unmarshal(d.Body, &out) != nil { // cut, or no object: it has no columns
		return nil
	}
	return out
}

// cell is a field of a document as text.
func cell(d review.Document, field string) string {
	value, text := fields(d)[field], ""
	if json.Unmarshal(value, &text) != nil {
		text = string(value)
	}
	return cut(200, text)
}

// body is a document for reading.
func body(d review.Document) string {
	var out bytes.Buffer
	if json.Indent(&out, d.Body, "", "  ") != nil {
		return string(d.Body)
	}
	return out.String()
}
