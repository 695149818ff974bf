package gate

import (
	"bytes"
	_ "embed"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

//go:embed signin.html
var signInText string

//go:embed signin.css
var signInStyle []byte

var signInPage = template.Must(template.New("").Parse(signInText))

const (
	signInPath  = "/sign-in"
	signOutPath = "/sign-out"
	stylePath   = "/sign-in.css"
)

// signIn answers the requests that sign a person in or out. It tells whether it did.
func (g *gate) signIn(w http.ResponseWriter, r *http.Request, p Person) bool {
	post := r.Method == http.MethodPost
	switch {
	case r.URL.Path == signInPath && post:
		if _, large := errors.AsType[*http.MaxBytesError](r.ParseForm()); large {
			refuse(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("The request has more than %d bytes. Nothing was changed.", maxBody))
			break
		}
		h, ok := g.tokens.byToken(r.PostFormValue("token"))
		if !ok {
			g.wrongToken(r)
			showSignIn(w, http.StatusForbidden, signInData{To: local(r.PostFormValue("to")), Wrong: true})
			break
		}
		g.setCookie(w, r, g.newSession(h))
		http.Redirect(w, r, local(r.PostFormValue("to")), http.StatusSeeOther)
	case r.URL.Path == signInPath && p.Name != "":
		http.Redirect(w, r, local(r.FormValue("to")), http.StatusSeeOther)
	case r.URL.Path == signInPath:
		showSignIn(w, http.StatusOK, signInData{To: local(r.FormValue("to"))})
	case r.URL.Path == signOutPath && post:
		g.end(r)
		g.setCookie(w, r, "")
		http.Redirect(w, r, signInPath, http.StatusSeeOther)
	default:
		return false
	}
	return true
}

// unknown answers a request of nobody.
func (g *gate) unknown(w http.ResponseWriter, r *http.Request, why string) {
	page := r.Method == http.MethodGet && !forAPI(r)
	switch {
	case g.tokens == nil: // a proxy
		refuse(w, r, http.StatusUnauthorized, why+" Nothing was changed.")
	case page && r.Header.Get("Sec-Fetch-Site") == "cross-site":
		// A link from elsewhere: the browser has not sent the cookie, which is for requests from this page. It asks again from here.
		showSignIn(w, http.StatusOK, signInData{Again: true})
	case page:
		http.Redirect(w, r, signInPath+"?to="+url.QueryEscape(local(r.URL.RequestURI())), http.StatusSeeOther)
	default:
		w.Header().Set("WWW-Authenticate", `Bearer realm="review"`)
		refuse(w, r, http.StatusUnauthorized, why+" Nothing was changed.")
	}
}

// Local is a path of this server that a link asks for; if it is none, it is instead.
func Local(to, instead string) string {
	u, err := url.Parse(to)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(to, "/") || strings.HasPrefix(to, "//") || strings.ContainsAny(to, "\\\r\n\t") {
		return instead
	}
	return to
}

func local(to string) string { return Local(to, "/") }

type signInData struct {
	To      string // where to go then
	Wrong   bool   // the token is not known
	Again   bool   // ask again from this page
	Refused string // why a request was refused; "" to sign in
}

func showSignIn(w http.ResponseWriter, status int, data signInData) {
	var out bytes.Buffer
	if err := signInPage.Execute(&out, data); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the client may be gone
}
