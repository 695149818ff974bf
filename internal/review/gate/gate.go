// Package gate decides who may do what on the review page, and keeps other websites out of it.
package gate

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// Options say who may do what.
type Options struct {
	Address    string   // host and port of the server
	Hosts      []string // further names by which browsers reach it
	Mode       string   // none, token or proxy
	By         string   // none: the name of everybody
	TokensFile string   // token: a line for each person, with name, role and token
	UserHeader string   // proxy: the header with the name
	RoleHeader string   // proxy: the header with the role; "" if there is none
	Role       string   // proxy: the role if there is no header with it
	Trusted    []string // proxy: addresses and networks of proxies
	Rate       float64  // requests a second of a person, or of an address if nobody is signed in; 0 for no limit
	Secure     bool     // the server has TLS
	Log        func(format string, arguments ...any)
	Now        func() time.Time // nil for the clock
}

// Roles, each of which may do what those before it may.
const (
	Read    = "read"    // look
	Score   = "score"   // decide
	Publish = "publish" // publish at once, and roll back
)

var roles = []string{Read, Score, Publish}

// Person is who makes a request.
type Person struct{ Name, Role string }

// may tells whether the person's role includes another one.
func (p Person) may(role string) bool {
	return slices.Index(roles, p.Role) >= slices.Index(roles, role)
}

type personKey struct{}

// Who makes a request that came through a gate.
func Who(r *http.Request) Person {
	p, _ := r.Context().Value(personKey{}).(Person)
	return p
}

const (
	maxBody    = 1 << 20
	maxClients = 10_000 // whose rates are remembered

	// Wrong tokens from one address: so many at once, and then one a second.
	guesses     = 20
	guessesRate = rate.Limit(1)
)

type gate struct {
	o       Options
	next    http.Handler
	hosts   map[string]bool
	anyIP   bool // it listens on all addresses
	trusted []netip.Prefix
	tokens  *tokens
	origin  *http.CrossOriginProtection
	clients *lru.Cache[string, *rate.Limiter]
	wrong   *lru.Cache[netip.Addr, *rate.Limiter] // wrong tokens of addresses
	ended   *lru.Cache[string, struct{}]          // sessions that somebody signed out of
}

// New puts a gate in front of a handler. Settings that let too many in are errors.
func New(o Options, next http.Handler) (http.Handler, error) {
	if o.Log == nil {
		o.Log = func(string, ...any) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	g := &gate{o: o, next: next, hosts: map[string]bool{"localhost": true}, origin: http.NewCrossOriginProtection()}
	host, _, err := net.SplitHostPort(o.Address)
	if err != nil {
		return nil, fmt.Errorf("address %q: need a host and a port such as 127.0.0.1:4280", o.Address)
	}
	ip, err := netip.ParseAddr(host)
	if g.anyIP = host == "" || err == nil && ip.IsUnspecified(); !g.anyIP {
		g.hosts[strings.ToLower(host)] = true
	}
	for _, name := range o.Hosts {
		if name == "" || strings.ContainsAny(name, "/ *") {
			return nil, fmt.Errorf("hosts: %q, need a name such as triage.example.org, without https:// and path", name)
		}
		g.hosts[hostOf(name)] = true
	}
	if g.clients, err = lru.New[string, *rate.Limiter](maxClients); err != nil {
		return nil, err
	}
	if g.wrong, err = lru.New[netip.Addr, *rate.Limiter](maxClients); err != nil {
		return nil, err
	}
	if g.ended, err = lru.New[string, struct{}](maxClients); err != nil {
		return nil, err
	}
	return g, g.check(host)
}

// check checks what belongs to the mode.
func (g *gate) check(host string) (err error) {
	ip, parsed := netip.ParseAddr(host)
	loopback := host == "localhost" || parsed == nil && ip.Unmap().IsLoopback()
	switch o := g.o; o.Mode {
	case "none":
		if !loopback {
			return fmt.Errorf("mode none with the address %s: anybody who reaches it could decide. Need a loopback address such as 127.0.0.1:4280, or the mode token or proxy", o.Address)
		}
		if o.By == "" {
			return errors.New("mode none: need a name that decisions are given under")
		}
	case "token":
		if o.TokensFile == "" {
			return errors.New("mode token: need a file of tokens, with a name, a role and a token on each line")
		}
		g.tokens, err = openTokens(o.TokensFile, o.Log)
		return err
	case "proxy":
		if o.UserHeader == "" {
			return errors.New("mode proxy: need the header in which the proxy says who it is")
		}
		if !slices.Contains(roles, o.Role) {
			return fmt.Errorf("mode proxy: role %q, need read, score or publish", o.Role)
		}
		if len(o.Trusted) == 0 {
			return errors.New("mode proxy: need the address of the proxy: from others, the header counts for nothing")
		}
		for _, text := range o.Trusted {
			prefix, err := parsePrefix(text)
			if err != nil {
				return fmt.Errorf("trusted: %q, need an address or a network such as 10.0.0.0/8, and not all of them", text)
			}
			g.trusted = append(g.trusted, prefix)
		}
	default:
		return fmt.Errorf("mode %q: need none, token or proxy", o.Mode)
	}
	return nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if ip, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err == nil && prefix.Bits() == 0 {
		err = errors.New("everybody")
	}
	return prefix.Masked(), err
}

// hostOf is the name in a Host header, without its port.
func hostOf(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.TrimSuffix(strings.ToLower(strings.Trim(host, "[]")), ".")
}

// known tells whether a request names a host that is this server. A name of somebody else that leads here is how a website gets around the
// rule that it can only read itself (DNS rebinding). An address cannot be such a name.
func (g *gate) known(host string) bool {
	name := hostOf(host)
	if g.hosts[name] {
		return true
	}
	ip, err := netip.ParseAddr(name)
	return err == nil && (g.anyIP || ip.IsLoopback())
}

// headers are those of every answer.
var headers = map[string]string{
	"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; " +
		"base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Referrer-Policy":              "same-origin",
	"Cross-Origin-Opener-Policy":   "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
	"Cache-Control":                "no-store", // static files say something else
	"Permissions-Policy":           "camera=(), geolocation=(), microphone=()",
}

func (g *gate) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	for name, value := range headers {
		w.Header().Set(name, value)
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
	if !g.known(r.Host) {
		refuse(w, r, http.StatusMisdirectedRequest, fmt.Sprintf("This page does not know the host %q. If it is one of its names, list it in hosts.", hostOf(r.Host)))
		return
	}
	if g.origin.Check(r) != nil {
		refuse(w, r, http.StatusForbidden, "Another website has sent this request. Nothing was changed.")
		return
	}
	if r.URL.Path == stylePath {
		w.Header().Set("Content-Type", "text/css; charset=utf-8")
		_, _ = w.Write(signInStyle) // the client may be gone
		return
	}
	if g.tokens != nil && guess(r) && g.guessed(r).TokensAt(g.o.Now()) < 1 {
		w.Header().Set("Retry-After", "1")
		refuse(w, r, http.StatusTooManyRequests, "Too many wrong tokens came from your address. Nothing was changed. Try again in a second.")
		return
	}
	p, why := g.person(r)
	client := p.Name
	if client == "" {
		client = "\x00" + addressOf(r).String() // no name
	}
	if !g.allow(client) {
		w.Header().Set("Retry-After", "1")
		refuse(w, r, http.StatusTooManyRequests, "Too many requests. Nothing was changed. Try again in a second.")
		return
	}
	if g.tokens != nil && g.signIn(w, r, p) {
		return
	}
	if p.Name == "" {
		g.unknown(w, r, why)
		return
	}
	if need := needed(r); !p.may(need) {
		refuse(w, r, http.StatusForbidden, fmt.Sprintf("Your role is %s. This needs the role %s. Nothing was changed.", p.Role, need))
		return
	}
	g.next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), personKey{}, p)))
}

// needed is the role that a request needs.
func needed(r *http.Request) string {
	switch path := strings.TrimPrefix(r.URL.Path, "/api"); {
	case r.Method == http.MethodGet, r.Method == http.MethodHead, path == "/theme":
		return Read
	case path == "/publish", path == "/rollback":
		return Publish
	}
	return Score
}

// allow tells whether a client may make one more request now.
func (g *gate) allow(client string) bool {
	if g.o.Rate <= 0 {
		return true
	}
	limiter, ok := g.clients.Get(client)
	if !ok {
		limiter = rate.NewLimiter(rate.Limit(g.o.Rate), int(max(2*g.o.Rate, 20)))
		if before, ok, _ := g.clients.PeekOrAdd(client, limiter); ok {
			limiter = before
		}
	}
	return limiter.AllowN(g.o.Now(), 1)
}

func addressOf(r *http.Request) netip.Addr {
	a, _ := netip.ParseAddrPort(r.RemoteAddr)
	return a.Addr().Unmap()
}

// forAPI tells whether a script reads the answer.
func forAPI(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") }

// refuse answers that nothing was done, and why.
func refuse(w http.ResponseWriter, r *http.Request, status int, sentence string) {
	if forAPI(r) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(map[string]string{"error": sentence}) // the client may be gone
		return
	}
	if strings.Contains(r.Header.Get("Accept"), "text/html") {
		showSignIn(w, status, signInData{Refused: sentence})
		return
	}
	http.Error(w, sentence, status)
}
