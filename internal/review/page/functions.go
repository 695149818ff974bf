package page

import (
	"fmt"
	"html"
	"html/template"
	"math"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/chart"
)

// functions are what templates can call.
func (p *pages) functions() template.FuncMap {
	return template.FuncMap{
		"name": name, "who": by, "text": text, "plain": plain, "cut": cut, "filter": filter,
		"num": chart.Number, "rate": rate, "pct": pct,
		"dist":  func(x float64) string { return fmt.Sprintf("%.2f", x) },
		"score": func(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) },
		"add":   func(a, b int) int { return a + b }, "sub": func(a, b int) int { return a - b },
		"div":   func(a, b int) float64 { return float64(a) / float64(max(1, b)) },
		"words": words, "alertRows": p.alertRows,
		"ago": ago, "when": when, "due": func(t time.Time) string { return t.UTC().Format("2 Jan 15:04") },
		"chip": p.chip, "level": p.level, "class": class,
		"sequence": sequence, "main": mainShares, "columns": columns, "cell": cell, "body": body, "path": link,
		"spark": chart.Spark, "bar": chart.Bar, "histogram": chart.Histogram, "perDay": chart.PerDay, "strip": chart.Strip, "swatch": chart.Swatch,
		"stack": chart.Stack, "line": chart.Line, "curve": chart.Curve,
		"initials": initials, "more": more, "deref": func(x *float64) float64 { return *x }, "yes": func(x *bool) bool { return *x },
		"finite": func(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) },
		"timed":  func(bins []int, now time.Time) timed { return timed{bins, now} },
		"listed": func(of []review.Pattern, choose, events bool) patterns { return patterns{of, choose, events} },
		"contextOf": func(p review.Pattern) review.Context {
			return review.Context{Events: p.Context, Attention: p.Attention}
		},
		"tail": tail, "ptr": func(x float64) *float64 { return &x }, "plural": plural,
	}
}

func words(s string) string { return strings.ReplaceAll(s, "_", " ") }

// timed are bins up to a time.
type timed struct {
	Bins []int
	Now  time.Time
}

// patterns are a table of patterns.
type patterns struct {
	Patterns []review.Pattern
	Choose   bool // each can be answered alone
	Events   bool // they are of several events
}

// hidden says whether a character does not show, or makes other characters show elsewhere.
func hidden(r rune) bool {
	if r >= ' ' && r <= '~' { // most characters
		return false
	}
	return unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point) ||
		r == unicode.ReplacementChar || r != ' ' && unicode.IsSpace(r)
}

// name shows a name that somebody else chose. What does not show is shown as U+202E, so that no name can pose as another, and the name
// cannot turn the direction of the text around it.
func name(s string) template.HTML {
	if s == "" {
		return `<i class="none">nothing</i>`
	}
	return "<bdi>" + visible(s, "") + "</bdi>"
}

// by shows who decided. Older programs did not ask.
func by(s string) template.HTML {
	if s == "" {
		return `<i class="none">no name</i>`
	}
	return name(s)
}

// text is name for what has lines.
func text(s string) template.HTML { return "<bdi>" + visible(s, "\n\t") + "</bdi>" }

func visible(s, except string) template.HTML {
	var b strings.Builder
	done := 0
	for i, r := range s {
		atEnd := r == ' ' && (i == 0 || i == len(s)-1) && except == ""
		if (hidden(r) || atEnd) && !strings.ContainsRune(except, r) {
			b.WriteString(html.EscapeString(s[done:i]))
			fmt.Fprintf(&b, `<span class="ctl">%U</span>`, r)
			width := len(string(r))
			if r == unicode.ReplacementChar && !strings.HasPrefix(s[i:], string(r)) {
				width = 1 // a byte that is not UTF-8
			}
			done = i + width
		}
	}
	b.WriteString(html.EscapeString(s[done:]))
	return template.HTML(b.String())
}

// plain is a name where there can be no tags: in titles and labels.
func plain(s string) string {
	s = strings.ToValidUTF8(s, "\ufffd")
	if strings.ContainsFunc(s, hidden) {
		var b strings.Builder
		for _, r := range s {
			if hidden(r) {
				fmt.Fprintf(&b, "%U", r)
			} else {
				b.WriteRune(r)
			}
		}
		s = b.String()
	}
	return cut(200, s)
}

// cut shortens a text to at most n characters.
func cut(n int, s string) string {
	if len(s) <= n {
		return s
	}
	if r := []rune(s); len(r) > n {
		return string(r[:n-1]) + "…"
	}
	return s
}

// filter is the part of a query that asks for a value.
func filter(field, value string) string {
	if value == "" || strings.ContainsFunc(value, func(r rune) bool { return r == '"' || r == '\\' || unicode.IsSpace(r) }) {
		return field + ":" + strconv.Quote(value)
	}
	return field + ":" + value
}

func rate(x float64) string {
	if x > 0 && x < 0.1 {
		return "<0.1"
	}
	if x < 10 && x != math.Trunc(x) {
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return chart.Number(int(math.Round(x)))
}

func pct(x float64) string {
	switch p := 100 * x; {
	case p > 0 && p < 1:
		return "<1\u2009%"
	case p > 99 && p < 100:
		return ">99\u2009%"
	default:
		return fmt.Sprintf("%.0f\u2009%%", p)
	}
}

// ago says how long before now t is.
func ago(now, t time.Time) string {
	switch d := now.Sub(t); {
	case t.IsZero():
		return "–"
	case d < time.Minute:
		return "now"
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d d", int(d.Hours()/24))
	}
}

// when shows a time in UTC.
func when(t time.Time) template.HTML {
	if t.IsZero() {
		return "–"
	}
	t = t.UTC()
	return template.HTML(`<time datetime="` + t.Format(time.RFC3339) + `" title="` + t.Format(time.DateTime) + ` UTC">` + t.Format("2 Jan 15:04") + `</time>`)
}

// class is the colour of a score: as the default levels, from harmless to severe.
func class(score float64) string { return "s" + strconv.Itoa(int(math.Ceil(min(3, max(0, score))))) }

func (p *pages) level(score float64) string {
	if i := slices.IndexFunc(p.levels, func(l review.Level) bool { return l.Score == score }); i >= 0 {
		return p.levels[i].Name
	}
	return ""
}

// chip shows a score, or that there is none.
func (p *pages) chip(score *float64) template.HTML {
	if score == nil {
		return `<span class="score none">–<span class="sr"> no score</span></span>`
	}
	text := strconv.FormatFloat(*score, 'g', -1, 64)
	label := p.level(*score)
	if label != "" {
		label = fmt.Sprintf(` title="%s"`, html.EscapeString(label))
	}
	return template.HTML(fmt.Sprintf(`<span class="score %s"%s>%s</span>`, class(*score), label, text))
}

// link is the path of the page of an item.
func link(id string) string {
	if strings.HasPrefix(id, "k") {
		return "/cases/" + url.PathEscape(id)
	}
	return "/questions/" + url.PathEscape(id)
}

func initials(name string) string {
	var out []rune
	for _, word := range strings.FieldsFunc(name, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		out = append(out, unicode.ToUpper([]rune(word)[0]))
	}
	if len(out) == 1 {
		if all := []rune(strings.ToUpper(name)); len(all) > 1 && !hidden(all[1]) {
			return string(all[:2])
		}
	}
	return string(out[:min(2, len(out))])
}

// more is how many further alerts a snooze waits for if nobody says: as many as came, within reason.
func more(alerts int) int { return min(1000, max(5, alerts)) }

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// tail is the end of the name of a version, which tells it from others at a glance.
func tail(version string) string {
	if i := strings.LastIndexByte(version, '-'); i >= 0 {
		return version[i+1:]
	}
	return version
}
