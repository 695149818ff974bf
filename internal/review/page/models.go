package page

import (
	"errors"
	"net/http"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/gate"
)

// modelsData is what the page "models" shows.
type modelsData struct {
	review.Models
	From, To string
	Current  string
	Rollback bool // To is an earlier version than the current one, which is From
}

func (p *pages) models(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	d := modelsData{From: v.Get("from"), To: v.Get("to")}
	var err error
	if d.Models, err = p.desk.Models(r.Context(), d.From, d.To); err != nil {
		p.fail(w, r, err)
		return
	}
	after := false
	for _, x := range d.Versions { // the newest first
		if x.Current {
			d.Current, after = x.Name, true
		}
		if x.Name == d.To && after && x.Name != d.Current && x.Damaged == "" && d.From == d.Current {
			d.Rollback = true
		}
	}
	p.show(w, r, http.StatusOK, "models", "Models", d)
}

func (p *pages) apiRollback(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Version string `json:"version"`
		Seen    string `json:"seen"` // the version that was current when the analyst looked
	}
	err := readJSON(r, &in)
	var version string
	if err == nil {
		version, err = p.desk.Rollback(r.Context(), gate.Who(r).Name, in.Version, in.Seen)
	}
	if err != nil {
		p.fail(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, struct {
		Version string `json:"version"`
	}{version})
}

func (p *pages) formRollback(w http.ResponseWriter, r *http.Request) {
	if err := r.ParseForm(); err != nil {
		p.fail(w, r, errors.Join(errRequest, err))
		return
	}
	version, err := p.desk.Rollback(r.Context(), gate.Who(r).Name, r.PostForm.Get("version"), r.PostForm.Get("seen"))
	if err != nil {
		p.fail(w, r, err)
		return
	}
	say(w, r, said{Action: "rollback", Event: version, Items: 1})
	http.Redirect(w, r, "/models", http.StatusSeeOther)
}
