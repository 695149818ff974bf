// Package page is what analysts see and do in a browser: HTML pages that work without scripts, a script that adds keys to them, and the API
// that the script calls. It decides nothing itself; internal/review/desk does.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/klauspost/compress/gzhttp"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/desk"
	"connect-deepcase/internal/review/gate"
)

//go:embed templates static
var files embed.FS

// Options are the settings of the page.
type Options struct {
	Levels  []review.Level                                     // the scores that have a button; review.DefaultLevels if there are none
	Observe func(route string, status int, took time.Duration) // called after each request, with the pattern of its route; may be nil
}

// pages serves the review page.
type pages struct {
	desk   *desk.Desk
	levels []review.Level
	pages  map[string]*template.Template
}

// New gives the handler of all routes. Who may ask, and from where, is up to internal/review/gate in front of it.
func New(d *desk.Desk, o Options) (http.Handler, error) {
	p := &pages{desk: d, levels: o.Levels, pages: map[string]*template.Template{}}
	if len(p.levels) == 0 {
		p.levels = review.DefaultLevels
	}
	if err := p.parse(); err != nil {
		return nil, fmt.Errorf("review page: %w", err)
	}
	mux := http.NewServeMux()
	routes := map[string]http.HandlerFunc{
		"GET /{$}":              func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/queue", http.StatusFound) },
		"GET /queue":            p.queue,
		"GET /questions/{id}":   p.question,
		"GET /cases/{id}":       p.caseView,
		"GET /decisions":        p.decisions,
		"GET /decisions/export": p.export,
		"GET /overview":         p.overview,
		"GET /models":           p.models,
		"GET /static/{file}":    static(),
		"GET /api/changes":      p.changes,
		"POST /api/decisions":   p.apiDecide,
		"POST /api/preview":     p.apiPreview,
		"POST /api/undo":        p.apiUndo,
		"POST /api/publish":     p.apiPublish,
		"POST /api/rollback":    p.apiRollback,
		"POST /rollback":        p.formRollback,
		"POST /decide":          p.formDecide,
		"POST /undo":            p.formUndo,
		"POST /publish":         p.formPublish,
		"POST /theme":           p.theme,
		"/":                     func(w http.ResponseWriter, r *http.Request) { p.fail(w, r, review.ErrNotFound) },
	}
	for pattern, handle := range routes {
		mux.HandleFunc(pattern, observed(pattern, handle, o.Observe))
	}
	gzip, err := gzhttp.NewWrapper(gzhttp.MinSize(512))
	if err != nil {
		return nil, fmt.Errorf("review page: gzip: %w", err)
	}
	return gzip(mux), nil
}

func (p *pages) parse() error {
	layout, err := template.New("").Funcs(p.functions()).ParseFS(files, "templates/layout.html", "templates/parts.html")
	if err != nil {
		return err
	}
	names, err := fs.Glob(files, "templates/*.html")
	if err != nil {
		return err
	}
	for _, file := range names {
		name := strings.TrimSuffix(path.Base(file), ".html")
		if name == "layout" || name == "parts" {
			continue
		}
		t, err := layout.Clone()
		if err == nil {
			_, err = t.ParseFS(files, file)
		}
		if err != nil {
			return err
		}
		p.pages[name] = t
	}
	return nil
}

// observed tells observe about each request.
func observed(pattern string, handle http.HandlerFunc, observe func(string, int, time.Duration)) http.HandlerFunc {
	if observe == nil {
		return handle
	}
	return func(w http.ResponseWriter, r *http.Request) {
		start, s := time.Now(), &statusWriter{ResponseWriter: w, status: http.StatusOK}
		handle(s, r)
		observe(pattern, s.status, time.Since(start))
	}
}

type statusWriter struct {
	http.ResponseWriter
	status int
}

func (w *statusWriter) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func static() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		content, err := files.ReadFile("static/" + r.PathValue("file"))
		if err != nil {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(r.PathValue("file"))))
		w.Header().Set("Cache-Control", "no-cache") // ask each time; the answer is short
		w.Header().Set("ETag", fmt.Sprintf(`"%x"`, sha256.Sum256(content)))
		http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
	}
}

// frame is what the layout shows. The template of a page gets it, too.
type frame struct {
	Page   string // name of its template
	Title  string // as it is; the layout makes what does not show visible
	Theme  string // light, dark, or "" for what the system says
	Person gate.Person
	Acts   bool // whether this person can decide anything now
	Levels []review.Level
	Status review.Status
	Said   *said  // what was just done by a form
	Back   string // this page, for forms that come back to it
	Data   any
}

// show writes a page: the template of this name with data.
func (p *pages) show(w http.ResponseWriter, r *http.Request, status int, name, title string, data any) {
	f := frame{Page: name, Title: title, Theme: theme(r), Person: gate.Who(r), Levels: p.levels, Status: p.desk.Status(), Said: takeSaid(w, r), Back: r.URL.RequestURI(), Data: data}
	f.Acts = f.Person.Role != gate.Read && !f.Status.ReadOnly
	var out bytes.Buffer
	if err := p.pages[name].ExecuteTemplate(&out, "layout", f); err != nil {
		http.Error(w, "The page could not be written. Nothing was changed. "+err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w)
}

// problem is what the page "problem" shows.
type problem struct {
	Status    int
	Sentence  string
	Conflicts []review.Conflict
	Effect    *review.Effect
	Form      *form // what was asked, to ask it again; nil if that cannot help
}

func statusOf(err error) int {
	var conflict *review.ConflictError
	var confirm *review.ConfirmError
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return http.StatusRequestEntityTooLarge
	case errors.As(err, &conflict):
		return http.StatusConflict
	case errors.As(err, &confirm), errors.Is(err, review.ErrInvalid):
		return http.StatusUnprocessableEntity
	case errors.Is(err, errRequest):
		return http.StatusBadRequest
	case errors.Is(err, errMediaType):
		return http.StatusUnsupportedMediaType
	case errors.Is(err, review.ErrNotFound):
		return http.StatusNotFound
	case errors.Is(err, review.ErrLocked):
		return http.StatusLocked
	default:
		return http.StatusServiceUnavailable
	}
}

// fail answers a request that failed, as JSON below /api/ and else as a page.
func (p *pages) fail(w http.ResponseWriter, r *http.Request, err error) { p.failForm(w, r, err, nil) }

func (p *pages) failForm(w http.ResponseWriter, r *http.Request, err error, form *form) {
	status := statusOf(err)
	out := problem{Status: status, Sentence: err.Error(), Form: form}
	if conflict, ok := errors.AsType[*review.ConflictError](err); ok {
		out.Conflicts = conflict.Conflicts
	}
	if confirm, ok := errors.AsType[*review.ConfirmError](err); ok {
		out.Effect = &confirm.Effect
	}
	if strings.HasPrefix(r.URL.Path, "/api/") {
		writeJSON(w, status, struct {
			Error     string            `json:"error"`
			Conflicts []review.Conflict `json:"conflicts,omitempty"`
			Effect    *review.Effect    `json:"effect,omitempty"`
		}{out.Sentence, out.Conflicts, out.Effect})
		return
	}
	title := "That did not work"
	switch {
	case out.Effect != nil:
		title = "Please confirm"
	case out.Conflicts != nil:
		title = "Decided meanwhile"
	case status == http.StatusNotFound:
		title = "Not found"
	}
	p.show(w, r, status, "problem", title, out)
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value)
}

// theme is the theme that this browser asks for: light, dark, or "" for that of the system.
func theme(r *http.Request) string {
	if c, err := r.Cookie("theme"); err == nil && slices.Contains([]string{"light", "dark"}, c.Value) {
		return c.Value
	}
	return ""
}

func (p *pages) theme(w http.ResponseWriter, r *http.Request) {
	c := &http.Cookie{Name: "theme", Value: r.FormValue("theme"), Path: "/", MaxAge: 400 * 24 * 3600, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode}
	if !slices.Contains([]string{"light", "dark"}, c.Value) {
		c.Value, c.MaxAge = "", -1
	}
	http.SetCookie(w, c)
	http.Redirect(w, r, local(r.FormValue("back")), http.StatusSeeOther)
}

// local gives a path of this server, so that no form can send people elsewhere.
func local(to string) string { return gate.Local(to, "/queue") }
