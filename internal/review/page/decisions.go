package page

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	quoted "connect-deepcase/internal/cell"
	"connect-deepcase/internal/review"
	"connect-deepcase/model/decisions"
)

// decisionsData is what the page "decisions" shows.
type decisionsData struct {
	Text    string
	Entries []review.Entry
	Later   string // a link to earlier decisions; "" if there are none
	Newest  string // a link to the newest ones; "" if these are shown
	CSV     string
	NDJSON  string
}

func (p *pages) decisions(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	q := review.DecisionQuery{Text: v.Get("q"), Limit: rowsAPage}
	if before, err := strconv.ParseUint(v.Get("before"), 10, 62); err == nil {
		q.Before = before
	}
	entries, more, err := p.desk.Decisions(q)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	to := func(path string, more ...string) string {
		values := url.Values{}
		if q.Text != "" {
			values.Set("q", q.Text)
		}
		for i := 0; i+1 < len(more); i += 2 {
			values.Set(more[i], more[i+1])
		}
		return path + "?" + values.Encode()
	}
	d := decisionsData{Text: q.Text, Entries: entries, CSV: to("/decisions/export", "format", "csv"), NDJSON: to("/decisions/export", "format", "ndjson")}
	if more && len(entries) > 0 {
		d.Later = to("/decisions", "before", strconv.FormatUint(entries[len(entries)-1].Number, 10))
	}
	if q.Before > 0 {
		d.Newest = to("/decisions")
	}
	p.show(w, r, http.StatusOK, "decisions", "Decisions", d)
}

// exported is a decision in a file.
type exported struct {
	Number  uint64    `json:"number"`
	At      time.Time `json:"at"`
	Kind    string    `json:"kind"`
	State   string    `json:"state,omitempty"`
	By      string    `json:"by"`
	Reason  string    `json:"reason"`
	Scope   string    `json:"scope,omitempty"`
	Event   string    `json:"event,omitempty"`
	Machine string    `json:"machine,omitempty"`
	Pattern string    `json:"pattern,omitempty"`
	Score   *float64  `json:"score,omitempty"`
	Until   time.Time `json:"until,omitzero"`
	Cluster *int      `json:"cluster,omitempty"`
	Version string    `json:"version,omitempty"`
	Undoes  uint64    `json:"undoes,omitempty"`
}

func export(e review.Entry) exported {
	out := exported{Number: e.Number, At: e.At, Kind: string(e.Kind), State: e.State, By: e.By, Reason: e.Reason, Scope: string(e.Scope), Event: e.Subject.Event,
		Machine: e.Subject.Machine, Until: e.Until, Version: e.Version, Undoes: e.Undoes}
	switch e.Kind {
	case decisions.Cluster:
		out.Cluster = &e.Cluster
	case decisions.Answer, decisions.Mute:
		out.Pattern = e.Key.String()
	}
	if e.Kind == decisions.Answer || e.Kind == decisions.Cluster && e.Action == "score" {
		out.Score = &e.Score
	}
	return out
}

var exportColumns = []string{"number", "at", "kind", "state", "by", "reason", "scope", "event", "machine", "pattern", "score", "until", "cluster", "version", "undoes"}

// row is e as cells. Text that a spreadsheet would take for a formula begins with an apostrophe.
func (e exported) row() []string {
	score, until, cluster, undoes := "", "", "", ""
	if e.Score != nil {
		score = strconv.FormatFloat(*e.Score, 'g', -1, 64)
	}
	if !e.Until.IsZero() {
		until = e.Until.Format(time.RFC3339)
	}
	if e.Cluster != nil {
		cluster = strconv.Itoa(*e.Cluster)
	}
	if e.Undoes != 0 {
		undoes = strconv.FormatUint(e.Undoes, 10)
	}
	return []string{strconv.FormatUint(e.Number, 10), e.At.Format(time.RFC3339), e.Kind, e.State, quoted.Quote(e.By), quoted.Quote(e.Reason), e.Scope, quoted.Quote(e.Event), quoted.Quote(e.Machine),
		e.Pattern, score, until, cluster, e.Version, undoes}
}

// export sends the decisions that a query finds as a file.
func (p *pages) export(w http.ResponseWriter, r *http.Request) {
	format, q := r.URL.Query().Get("format"), review.DecisionQuery{Text: r.URL.Query().Get("q")}
	var write func(exported) error
	flush := func() error { return nil }
	switch format {
	case "csv":
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		file := csv.NewWriter(w)
		write = func(e exported) error { return file.Write(e.row()) }
		flush = func() error { file.Flush(); return file.Error() }
	case "ndjson":
		w.Header().Set("Content-Type", "application/x-ndjson")
		write = func(e exported) error { return json.NewEncoder(w).Encode(e) }
	default:
		p.fail(w, r, fmt.Errorf("format %q: %w: need csv or ndjson", format, review.ErrInvalid))
		return
	}
	w.Header().Set("Content-Disposition", `attachment; filename="decisions.`+format+`"`)
	w.Header().Set("Cache-Control", "no-store")
	if format == "csv" {
		if err := csvHeader(w); err != nil {
			return
		}
	}
	err := p.desk.EachDecision(q, func(e review.Entry) error { return write(export(e)) })
	if err == nil {
		err = flush()
	}
	if err != nil { // the status is sent already: whoever reads must see that the file is not whole
		panic(http.ErrAbortHandler)
	}
}

func csvHeader(w http.ResponseWriter) error {
	file := csv.NewWriter(w)
	if err := file.Write(exportColumns); err != nil {
		return err
	}
	file.Flush()
	return file.Error()
}
