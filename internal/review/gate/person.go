package gate

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/time/rate"
)

const (
	cookie      = "deepcase"
	session     = 12 * time.Hour
	longestName = 200 // bytes
	nonce       = 16  // bytes
)

// person is who makes a request, or why nobody is known.
func (g *gate) person(r *http.Request) (p Person, why string) {
	switch g.o.Mode {
	case "none":
		return Person{g.o.By, Publish}, ""
	case "proxy":
		return g.proxied(r)
	}
	if token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok { // a program
		if p, ok := g.tokens.byToken(token); ok {
			return p.Person, ""
		}
		g.wrongToken(r)
		return Person{}, "The token is not known."
	}
	c, err := r.Cookie(cookie)
	if err != nil {
		return Person{}, "Sign in first."
	}
	p, ok := g.signedIn(c.Value)
	if !ok {
		return Person{}, "Your session has ended. Sign in again."
	}
	return p, ""
}

// proxied is who a proxy says it is.
func (g *gate) proxied(r *http.Request) (p Person, why string) {
	from := addressOf(r)
	trusted := false
	for _, t := range g.trusted {
		trusted = trusted || t.Contains(from)
	}
	if !trusted {
		return p, fmt.Sprintf("The request comes from %s, which is no trusted proxy.", from)
	}
	names := r.Header.Values(g.o.UserHeader)
	switch {
	case len(names) > 1:
		return p, fmt.Sprintf("The proxy names several people in %s: it has to replace what a browser sends.", g.o.UserHeader)
	case len(names) == 0 || strings.TrimSpace(names[0]) == "":
		return p, fmt.Sprintf("The proxy does not say who you are: there is no %s.", g.o.UserHeader)
	case !validName(names[0]):
		return p, fmt.Sprintf("The name in %s is longer than %d bytes, not UTF-8, or has characters that do not show.", g.o.UserHeader, longestName)
	}
	role := g.o.Role
	if g.o.RoleHeader != "" {
		given := r.Header.Values(g.o.RoleHeader)
		if len(given) > 1 {
			return p, fmt.Sprintf("The proxy gives several roles in %s, need one of read, score, publish.", g.o.RoleHeader)
		}
		if len(given) == 1 && given[0] != "" {
			role = given[0]
		}
	}
	p = Person{strings.TrimSpace(names[0]), role}
	if !p.may(Read) {
		return Person{}, fmt.Sprintf("The proxy gives the role %q, need one of read, score, publish.", role)
	}
	return p, ""
}

// validName tells whether a name can stand beside decisions. Without what does not show, nobody can look like somebody else.
func validName(name string) bool {
	hidden := func(c rune) bool { return !unicode.IsPrint(c) }
	return len(name) <= longestName && utf8.ValidString(name) && !strings.ContainsFunc(name, hidden)
}

// guess tells whether a request has a token, which may be wrong.
func guess(r *http.Request) bool {
	return r.Method == http.MethodPost && r.URL.Path == signInPath || strings.HasPrefix(r.Header.Get("Authorization"), "Bearer ")
}

// guessed bounds the wrong tokens from the address of a request.
func (g *gate) guessed(r *http.Request) *rate.Limiter {
	limiter := rate.NewLimiter(guessesRate, guesses)
	if before, ok, _ := g.wrong.PeekOrAdd(addressOf(r), limiter); ok {
		limiter = before
	}
	return limiter
}

func (g *gate) wrongToken(r *http.Request) {
	g.guessed(r).AllowN(g.o.Now(), 1)
	g.o.Log("The review page: wrong token from %s", addressOf(r))
}

// A session is its end, a random number and the name, with a MAC by the person's token: without the token in the file, it is none any more.

func (g *gate) newSession(p holder) string {
	content := binary.BigEndian.AppendUint64(nil, uint64(g.o.Now().Add(session).Unix()))
	content = append(content, make([]byte, nonce)...)
	_, _ = rand.Read(content[8:]) // never fails
	content = append(content, p.Name...)
	return base64.RawURLEncoding.EncodeToString(append(sign(p, content), content...))
}

func sign(p holder, content []byte) []byte {
	m := hmac.New(sha256.New, p.hash[:])
	m.Write([]byte("deepcase session 1\x00"))
	m.Write(content)
	return m.Sum(nil)
}

func (g *gate) signedIn(value string) (Person, bool) {
	content, err := base64.RawURLEncoding.DecodeString(value)
	if err != nil || len(content) <= sha256.Size+8+nonce {
		return Person{}, false
	}
	mac, content := content[:sha256.Size], content[sha256.Size:]
	p, ok := g.tokens.byName(string(content[8+nonce:]))
	if !ok || g.ended.Contains(string(mac)) || !hmac.Equal(mac, sign(p, content)) || g.o.Now().Unix() >= int64(binary.BigEndian.Uint64(content)) {
		return Person{}, false
	}
	return p.Person, true
}

// end ends the session of a request, so that a copy of the cookie is worth nothing. A restart forgets this; removing the token does not.
func (g *gate) end(r *http.Request) {
	c, err := r.Cookie(cookie)
	if err != nil {
		return
	}
	if _, ok := g.signedIn(c.Value); ok {
		content, _ := base64.RawURLEncoding.DecodeString(c.Value) // signedIn has read it
		g.ended.Add(string(content[:sha256.Size]), struct{}{})
	}
}

func (g *gate) setCookie(w http.ResponseWriter, r *http.Request, value string) {
	age := int(session.Seconds())
	if value == "" {
		age = -1
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookie, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: g.o.Secure || r.Header.Get("X-Forwarded-Proto") == "https",
	})
}
