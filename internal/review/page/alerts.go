package page

import (
	"html"
	"html/template"
	"strings"

	"connect-deepcase/internal/review"
)

// alertRows are the rows of a table of alerts: time, machine, event, status and score. A case has hundreds of them with few different names, so
// they are written here: a template would take longer than all else of the page.
func (p *pages) alertRows(alerts []review.CaseAlert) template.HTML {
	var b strings.Builder
	names := map[string]template.HTML{}
	write := func(s string) {
		shown, known := names[s]
		if !known {
			shown = name(s)
			names[s] = shown
		}
		b.WriteString(string(shown))
	}
	for _, a := range alerts {
		b.WriteString("<tr")
		if a.In {
			b.WriteString(` class="in"`)
		}
		b.WriteString("><td>" + string(when(a.At)) + `</td><td class="v">`)
		write(a.Machine)
		b.WriteString(`</td><th scope="row" class="grow">`)
		if a.ID != "" {
			b.WriteString(`<a href="` + html.EscapeString(link(a.ID)) + `">`)
		}
		write(a.Event)
		if a.ID != "" {
			b.WriteString("</a>")
		}
		b.WriteString("</th><td>" + html.EscapeString(words(a.Status)) + "</td><td>" + string(p.chip(a.Score)) + "</td></tr>")
	}
	return template.HTML(b.String())
}
