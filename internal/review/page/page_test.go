package page

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/cases"
	"connect-deepcase/internal/modeltest"
	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/internal/review/database"
	"connect-deepcase/internal/review/desk"
	"connect-deepcase/internal/review/gate"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

var start = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)

// hostile names events and machines as attackers would.
var hostile = []string{
	`<script>alert(1)</script>`, `"><img src=x onerror=alert(1)>`, "gpj\u202eexe.cod", "zero\u200bwidth\u2066 and \x1b[31m", "'; DROP TABLE question; --",
	strings.Repeat("A", 4096), "=cmd|' /C calc'!A0", "{{.Levels}}", " ends with a space ", "\u2028line\nbreak",
}

// site is a page on real data: a model with a cluster for each of the first two names, and a pattern question for each other.
type site struct {
	t       testing.TB
	handler http.Handler
	desk    *desk.Desk
	dir     string
}

func newSite(t testing.TB, names []string) *site {
	t.Helper()
	dir := t.TempDir()
	m := modeltest.Learn(t, 1, names[:min(40, len(names))],
		model.Sample{Context: []string{"", names[1], names[2]}, Event: names[0]}, model.Sample{Context: []string{"", names[2], names[3]}, Event: names[1]})
	s, err := store.Open(dir, true)
	require.NoError(t, err)
	version, err := s.Publish(t.Context(), m)
	require.NoError(t, err)
	db, err := database.Open(t.TempDir())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	now := func() time.Time { return start.Add(24 * time.Hour) }
	b, err := board.Open(t.Context(), db, board.Options{Generation: desk.Generation(dir), Now: now})
	require.NoError(t, err)
	var alerts []board.Alert
	for i, event := range names {
		for k := range 6 {
			machine := names[(i+k)%len(names)]
			about := decisions.Subject{Event: event, Context: []string{"", names[(i+1)%len(names)], names[(i+2)%len(names)]}, Machine: machine}
			a := board.Alert{At: start.Add(time.Duration(i*k) * time.Minute), Machine: machine, Event: event, Context: about.Context, Attention: []float64{0, 0.7, 0.2}, Cluster: -1, Confidence: 0.5,
				Status: model.NoCluster, Settled: model.NoCluster, Version: version, Pattern: about.Key(decisions.PatternOnMachine), Case: "case of " + machine, CaseKind: cases.New}
			if i < 2 {
				a.Status, a.Settled, a.Cluster = model.Unscored, model.Unscored, i
			}
			a.Techniques = []string{"T1110", "T1021.004"}
			a.Body, err = json.Marshal(map[string]any{"message": event, "machine": machine})
			require.NoError(t, err)
			alerts = append(alerts, a)
		}
	}
	require.NoError(t, b.Add(t.Context(), alerts))
	d, err := desk.Open(t.Context(), desk.Options{Model: dir, Board: b, DB: db, Hold: decisions.DefaultHold, Engine: cpu.New(), Now: now})
	require.NoError(t, err)
	h, err := New(d, Options{})
	require.NoError(t, err)
	guarded, err := gate.New(gate.Options{Address: "127.0.0.1:4280", Mode: "none", By: "ann", Rate: math.MaxInt32}, h)
	require.NoError(t, err)
	return &site{t, guarded, d, dir}
}

func (s *site) do(r *http.Request) *httptest.ResponseRecorder {
	r.Host = "127.0.0.1:4280"
	w := httptest.NewRecorder()
	s.handler.ServeHTTP(w, r)
	return w
}

func (s *site) get(path string) string {
	s.t.Helper()
	w := s.do(httptest.NewRequestWithContext(context.Background(), http.MethodGet, path, nil))
	require.Equal(s.t, http.StatusOK, w.Code, "%s: %s", path, w.Body)
	return w.Body.String()
}

func (s *site) post(path string, body any) (int, map[string]any) {
	s.t.Helper()
	text, err := json.Marshal(body)
	require.NoError(s.t, err)
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, path, bytes.NewReader(text))
	r.Header.Set("Content-Type", "application/json")
	w := s.do(r)
	var out map[string]any
	require.NoError(s.t, json.Unmarshal(w.Body.Bytes(), &out), w.Body.String())
	return w.Code, out
}

func (s *site) form(path string, values url.Values) *httptest.ResponseRecorder {
	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, path, strings.NewReader(values.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return s.do(r)
}

func (s *site) items(q review.Query) []review.Item {
	out := s.desk.Queue("ann", q)
	return append(out.First, out.Items...)
}

var friendly = []string{"login", "backup", "scan", "guess", "cron", "mount"}

// pages are the paths of all pages.
func (s *site) pages() []string {
	all := []string{"/queue", "/queue?view=cases", "/queue?view=all&sort=event", "/queue?q=nothing+of+that+name", "/decisions", "/overview", "/models"}
	for _, x := range s.items(review.Query{View: review.All, Limit: 1000}) {
		all = append(all, link(x.ID))
	}
	return all
}

func TestNoNameIsTakenForMarkup(t *testing.T) {
	s := newSite(t, hostile)
	for _, x := range s.items(review.Query{Limit: 3}) {
		code, out := s.post("/api/decisions", map[string]any{"items": []review.Target{{ID: x.ID, Rev: x.Rev}}, "action": "score", "score": 2, "why": hostile[1] + hostile[2]})
		require.Equal(t, http.StatusOK, code, out)
	}
	inline := regexp.MustCompile(`(?i)<img|<script[^>]*>[^<]|\son[a-z]+=|style=|javascript:`)
	attributes := regexp.MustCompile(`"[^"<>]*"`)
	for _, path := range s.pages() {
		text := s.get(path)
		tags := regexp.MustCompile(`<[^>]*>`).FindAllString(text, -1)
		for _, tag := range tags {
			require.NotRegexp(t, inline, attributes.ReplaceAllString(tag, `""`), path)
		}
		require.NotContains(t, text, "<script>alert", path)
		require.NotContains(t, text, "\u202e", path)
		require.NotContains(t, text, "\u200b", path)
		require.NotContains(t, text, "\x1b", path)
	}
	require.Contains(t, s.get("/queue"), "U+202E")
}

func TestFormsWorkWithoutScripts(t *testing.T) {
	s := newSite(t, friendly)
	x := s.items(review.Query{View: review.Unsure})[0]
	w := s.form("/decide", url.Values{"item": {x.ID + " " + x.Rev}, "score": {"0"}, "why": {"known"}, "next": {"/queue?view=unsure"}})
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	require.Equal(t, "/queue?view=unsure", w.Header().Get("Location"))
	r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/queue", nil)
	for _, c := range w.Result().Cookies() {
		r.AddCookie(c)
	}
	text := s.do(r).Body.String()
	require.Contains(t, text, "Scored 0: ")
	batch := regexp.MustCompile(`name="batch" value="([^"]+)"`).FindStringSubmatch(text)
	require.NotNil(t, batch)
	require.NotContains(t, s.get("/queue?view=unsure"), x.ID)

	w = s.form("/decide", url.Values{"item": {x.ID + " " + x.Rev}, "score": {"2"}})
	require.Equal(t, http.StatusConflict, w.Code)
	require.Contains(t, w.Body.String(), "Decided meanwhile")
	require.Contains(t, w.Body.String(), "Decide as I did")

	w = s.form("/undo", url.Values{"batch": {batch[1]}, "next": {"//elsewhere.example"}})
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	require.Equal(t, "/queue", w.Header().Get("Location"), "no form leads to another site")
	require.Contains(t, s.get("/queue?view=unsure"), x.ID)

	x = s.items(review.Query{View: review.Unsure})[0]
	w = s.form("/decide", url.Values{"item": {x.ID + " " + x.Rev}, "score": {"0"}, "scope": {"event"}})
	require.Equal(t, http.StatusUnprocessableEntity, w.Code)
	require.Contains(t, w.Body.String(), "Please confirm")
	w = s.form("/decide", url.Values{"item": {x.ID + " " + x.Rev}, "score": {"0"}, "scope": {"event"}, "confirm": {"1"}})
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
}

func TestTheAPISaysWhatIsWrong(t *testing.T) {
	s := newSite(t, friendly)
	x := s.items(review.Query{})[0]
	ok := map[string]any{"items": []review.Target{{ID: x.ID, Rev: x.Rev}}, "action": "score", "score": 0}
	with := func(key string, value any) map[string]any {
		out := map[string]any{key: value}
		for k, v := range ok {
			if k != key {
				out[k] = v
			}
		}
		return out
	}
	for _, c := range []struct {
		path string
		body any
		code int
		want string
	}{
		{"/api/decisions", with("odd", 1), http.StatusBadRequest, "unknown field"},
		{"/api/decisions", with("score", nil), http.StatusUnprocessableEntity, "need a number"},
		{"/api/decisions", with("items", []review.Target{{ID: "p00", Rev: x.Rev}}), http.StatusNotFound, "no such item"},
		{"/api/decisions", with("items", []review.Target{{ID: x.ID, Rev: "old"}}), http.StatusUnprocessableEntity, "rev"},
		{"/api/decisions", with("why", strings.Repeat("x", 3000)), http.StatusUnprocessableEntity, "at most 2000"},
		{"/api/decisions", with("why", strings.Repeat("x", 1<<21)), http.StatusRequestEntityTooLarge, "too large"},
		{"/api/undo", map[string]any{"batch": "x"}, http.StatusUnprocessableEntity, "batch"},
		{"/api/rollback", map[string]any{"version": "x", "seen": "y"}, http.StatusConflict, "serves now"},
	} {
		code, out := s.post(c.path, c.body)
		require.Equal(t, c.code, code, "%v: %v", c.path, out)
		require.Contains(t, fmt.Sprint(out["error"]), c.want)
	}
	code, out := s.post("/api/decisions", ok)
	require.Equal(t, http.StatusOK, code, out)
	require.Equal(t, x.ID, out["decisions"].([]any)[0].(map[string]any)["id"])
	code, out = s.post("/api/decisions", ok)
	require.Equal(t, http.StatusConflict, code)
	require.Equal(t, "ann", out["conflicts"].([]any)[0].(map[string]any)["by"])

	r := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/api/decisions", strings.NewReader("{}"))
	require.Equal(t, http.StatusUnsupportedMediaType, s.do(r).Code)
	require.Equal(t, http.StatusNotFound, s.do(httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/nowhere", nil)).Code)
}

func TestDecisionsAreExported(t *testing.T) {
	s := newSite(t, hostile)
	for _, x := range s.items(review.Query{Limit: 100}) {
		code, out := s.post("/api/decisions", map[string]any{"items": []review.Target{{ID: x.ID, Rev: x.Rev}}, "action": "score", "score": 1, "why": "=1+1"})
		require.Equal(t, http.StatusOK, code, out)
	}
	rows, err := csv.NewReader(strings.NewReader(s.get("/decisions/export?format=csv"))).ReadAll()
	require.NoError(t, err)
	require.Equal(t, exportColumns, rows[0])
	lines := strings.Split(strings.TrimSpace(s.get("/decisions/export?format=ndjson")), "\n")
	require.Len(t, lines, len(rows)-1)
	for i, row := range rows[1:] {
		require.Len(t, row, len(exportColumns))
		for _, text := range row {
			require.NotRegexp(t, `^[=+@\t\r]`, text)
		}
		var d exported
		require.NoError(t, json.Unmarshal([]byte(lines[i]), &d))
		require.Equal(t, "=1+1", d.Reason)
	}
	w := s.do(httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/decisions/export?format=xlsx", nil))
	require.Equal(t, http.StatusUnprocessableEntity, w.Code)
}

func TestVersionsAreComparedAndRolledBack(t *testing.T) {
	s := newSite(t, friendly)
	first := s.desk.Status().Version
	x := s.items(review.Query{View: review.Clusters})[0]
	code, out := s.post("/api/decisions", map[string]any{"items": []review.Target{{ID: x.ID, Rev: x.Rev}}, "action": "score", "score": 3})
	require.Equal(t, http.StatusOK, code, out)
	require.Equal(t, http.StatusSeeOther, s.form("/publish", url.Values{"next": {"/models"}}).Code)
	second := s.desk.Status().Version
	text := s.get("/models?from=" + second + "&to=" + first)
	require.Contains(t, text, "Roll back to this version")
	require.Contains(t, text, "1 change score")
	w := s.form("/rollback", url.Values{"version": {first}, "seen": {second}})
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	require.Equal(t, first, s.desk.Status().Version)
}

// The first visit loads little.
func TestScriptAndStyleAreSmall(t *testing.T) {
	s := newSite(t, friendly)
	sum := 0
	for _, file := range []string{"review.js", "review.css"} {
		r := httptest.NewRequestWithContext(context.Background(), http.MethodGet, "/static/"+file, nil)
		r.Header.Set("Accept-Encoding", "gzip")
		w := s.do(r)
		require.Equal(t, "gzip", w.Header().Get("Content-Encoding"))
		sum += w.Body.Len()
		z, err := gzip.NewReader(w.Body)
		require.NoError(t, err)
		content, err := io.ReadAll(z)
		require.NoError(t, err)
		want, err := files.ReadFile("static/" + file)
		require.NoError(t, err)
		require.Equal(t, string(want), string(content))
	}
	require.Less(t, sum, 20<<10)
}
