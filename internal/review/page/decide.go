package page

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/gate"
	"connect-deepcase/model/decisions"
)

// What is wrong with a request itself.
var (
	errRequest   = errors.New("the request cannot be read")
	errMediaType = errors.New("need application/json")
)

// decision is what the script sends to /api/decisions and /api/preview.
type decision struct {
	Items   []review.Target `json:"items"`
	Action  string          `json:"action"`
	Score   *float64        `json:"score"`
	Scope   decisions.Scope `json:"scope"`
	Why     string          `json:"why"`
	Expires string          `json:"expires"`
	More    int             `json:"more"`
	Confirm bool            `json:"confirm"`
}

func (d decision) by(who string) (review.Decide, error) {
	out := review.Decide{By: who, Items: d.Items, Action: d.Action, Scope: d.Scope, Why: d.Why, Expires: d.Expires, More: d.More, Confirm: d.Confirm}
	if d.Score != nil {
		out.Score = *d.Score
	} else if d.Action == "score" {
		return out, fmt.Errorf("score: %w: need a number", review.ErrInvalid)
	}
	return out, nil
}

// readJSON reads the body of a request, which must be one JSON value with known fields.
func readJSON(r *http.Request, into any) error {
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return fmt.Errorf("Content-Type %q: %w", r.Header.Get("Content-Type"), errMediaType)
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("%w: %w", errRequest, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: need one JSON value", errRequest)
	}
	return nil
}

// readDecision reads a decision, and says who decides.
func readDecision(r *http.Request) (review.Decide, error) {
	var d decision
	if err := readJSON(r, &d); err != nil {
		return review.Decide{}, err
	}
	return d.by(gate.Who(r).Name)
}

func (p *pages) apiDecide(w http.ResponseWriter, r *http.Request) {
	d, err := readDecision(r)
	var done review.Done
	if err == nil {
		done, err = p.desk.Decide(r.Context(), d)
	}
	p.done(w, r, done, err)
}

func (p *pages) apiUndo(w http.ResponseWriter, r *http.Request) {
	var undo struct {
		Batch string `json:"batch"`
	}
	err := readJSON(r, &undo)
	var done review.Done
	if err == nil {
		done, err = p.desk.Undo(r.Context(), gate.Who(r).Name, undo.Batch)
	}
	p.done(w, r, done, err)
}

func (p *pages) done(w http.ResponseWriter, r *http.Request, done review.Done, err error) {
	if err != nil {
		p.fail(w, r, err)
		return
	}
	status := p.desk.Status()
	writeJSON(w, http.StatusOK, struct {
		Batch       string        `json:"batch"`
		Seq         uint64        `json:"seq"`
		Decisions   []review.Made `json:"decisions"`
		Open        int           `json:"open"`
		Unpublished int           `json:"unpublished"`
	}{done.Batch, done.Seq, done.Made, status.Open, status.Unpublished})
}

func (p *pages) apiPreview(w http.ResponseWriter, r *http.Request) {
	d, err := readDecision(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	effect, err := p.desk.Preview(r.Context(), d)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, effect)
}

func (p *pages) apiPublish(w http.ResponseWriter, r *http.Request) {
	if err := readJSON(r, &struct{}{}); err != nil {
		p.fail(w, r, err)
		return
	}
	version, err := p.desk.Publish(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Version     string `json:"version"`
		Unpublished int    `json:"unpublished"`
	}{version, p.desk.Status().Unpublished})
}

// form is what a form without scripts asks for. A page about what is in its way shows it again, with the revisions of now.
type form struct {
	Items   []string // "ID revision"
	Parts   []string // keys of the patterns of the first item that are meant; none for all
	Action  string
	Score   string
	Scope   string
	Why     string
	Expires string
	More    string
	Next    string
}

func readForm(r *http.Request) (form, error) {
	if err := r.ParseForm(); err != nil {
		return form{}, fmt.Errorf("%w: %w", errRequest, err)
	}
	v := r.PostForm
	f := form{Items: v["item"], Action: v.Get("action"), Score: v.Get("score"), Scope: v.Get("scope"), Why: v.Get("why"), Expires: v.Get("expires"), More: v.Get("more"), Next: local(v.Get("next")), Parts: v["pattern"]}
	if quick := v.Get("quick"); quick != "" { // a button of one row of the queue: what else is selected has no part in it
		score, item, _ := strings.Cut(quick, " ")
		f.Score, f.Items, f.Why, f.Action = score, []string{item}, "", ""
	}
	if f.Action == "snooze" || f.Action == "close" { // they are about all of an item
		f.Parts = nil
	}
	if len(f.Parts) > 0 && len(f.Items) > 0 { // more of it may be left
		id, _, _ := strings.Cut(f.Items[0], " ")
		f.Next = link(id)
	}
	if f.Action == "" {
		f.Action = "score"
	}
	if only := v.Get("mute_scope"); f.Action == "mute" && only != "" {
		f.Scope = only
	}
	return f, nil
}

func (f form) decide(who string, confirm bool) (review.Decide, error) {
	d := decision{Action: f.Action, Scope: decisions.Scope(f.Scope), Why: f.Why, Expires: f.Expires, Confirm: confirm}
	for _, item := range f.Items {
		id, rev, _ := strings.Cut(item, " ")
		d.Items = append(d.Items, review.Target{ID: id, Rev: rev})
	}
	if len(d.Items) > 0 {
		d.Items[0].Patterns = f.Parts
	}
	if f.Score != "" {
		score, err := strconv.ParseFloat(f.Score, 64)
		if err != nil {
			return review.Decide{}, fmt.Errorf("score %q: %w: need a number", f.Score, review.ErrInvalid)
		}
		d.Score = &score
	}
	if f.More != "" && f.Action == "snooze" {
		n, err := strconv.Atoi(f.More)
		if err != nil {
			return review.Decide{}, fmt.Errorf("alerts to wait for %q: %w: need a whole number", f.More, review.ErrInvalid)
		}
		d.More = n
	}
	return d.by(who)
}

// now gives the form with the revisions that the items have now.
func (f form) now(conflicts []review.Conflict) *form {
	revs := map[string]string{}
	for _, c := range conflicts {
		revs[c.ID] = c.Rev
	}
	items := f.Items
	f.Items = nil
	for _, item := range items {
		id, rev, _ := strings.Cut(item, " ")
		if now, changed := revs[id]; changed {
			rev = now
		}
		if rev != "" { // it is gone
			f.Items = append(f.Items, id+" "+rev)
		}
	}
	if len(f.Items) == 0 {
		return nil
	}
	return &f
}

func (p *pages) formDecide(w http.ResponseWriter, r *http.Request) {
	f, err := readForm(r)
	if err != nil {
		p.fail(w, r, err)
		return
	}
	if len(f.Items) == 0 {
		p.fail(w, r, fmt.Errorf("nothing is selected: %w", review.ErrInvalid))
		return
	}
	preview := f.Action == "preview" // a button beside the scope
	if preview {
		f.Action = "score"
	}
	d, err := f.decide(gate.Who(r).Name, r.PostForm.Get("confirm") != "")
	if err == nil && preview {
		var effect review.Effect
		if effect, err = p.desk.Preview(r.Context(), d); err == nil {
			err = &review.ConfirmError{Effect: effect}
		}
	}
	if err != nil {
		p.failForm(w, r, err, &f)
		return
	}
	done, err := p.desk.Decide(r.Context(), d)
	if conflict, ok := errors.AsType[*review.ConflictError](err); ok {
		p.failForm(w, r, err, f.now(conflict.Conflicts))
		return
	}
	if err != nil {
		p.failForm(w, r, err, &f)
		return
	}
	say(w, r, said{Action: d.Action, Score: f.Score, Batch: done.Batch}.of(done))
	http.Redirect(w, r, f.Next, http.StatusSeeOther)
}

func (p *pages) formUndo(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.fail(w, r, fmt.Errorf("%w: %w", errRequest, err))
		return
	}
	done, err := p.desk.Undo(r.Context(), gate.Who(r).Name, r.PostForm.Get("batch"))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	say(w, r, said{Action: "undo"}.of(done))
	http.Redirect(w, r, local(r.PostFormValue("next")), http.StatusSeeOther)
}

func (p *pages) formPublish(w http.ResponseWriter, r *http.Request) {
	version, err := p.desk.Publish(r.Context())
	if err != nil {
		p.fail(w, r, err)
		return
	}
	say(w, r, said{Action: "publish", Event: version, Items: 1})
	http.Redirect(w, r, local(r.PostFormValue("next")), http.StatusSeeOther)
}

// said is what a form did. It travels to the next page in a cookie, which that page takes away.
type said struct {
	Action string
	Score  string `json:",omitempty"`
	Event  string
	Items  int
	Batch  string `json:",omitempty"`
}

func (s said) of(done review.Done) said {
	s.Items = len(done.Made)
	if s.Items > 0 {
		s.Event = cut(60, strings.ToValidUTF8(done.Made[0].Event, "\ufffd"))
	}
	return s
}

func say(w http.ResponseWriter, r *http.Request, s said) {
	text, err := json.Marshal(s)
	if err != nil {
		return
	}
	http.SetCookie(w, &http.Cookie{Name: "said", Value: base64.RawURLEncoding.EncodeToString(text), Path: "/", MaxAge: 60, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
}

func takeSaid(w http.ResponseWriter, r *http.Request) *said {
	c, err := r.Cookie("said")
	if err != nil {
		return nil
	}
	http.SetCookie(w, &http.Cookie{Name: "said", Path: "/", MaxAge: -1, HttpOnly: true, Secure: r.TLS != nil, SameSite: http.SameSiteStrictMode})
	text, err := base64.RawURLEncoding.DecodeString(c.Value)
	var s said
	if err != nil || json.Unmarshal(text, &s) != nil {
		return nil
	}
	return &s
}
