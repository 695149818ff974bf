package gate

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	annsToken = "0123456789abcdef-ann"
	bobsToken = "0123456789abcdef-bob"
	eyesToken = "0123456789abcdef-eye"
)

// whoami answers with the person.
var whoami = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	p := Who(r)
	fmt.Fprintf(w, "%s %s", p.Name, p.Role)
})

func none() Options { return Options{Address: "127.0.0.1:4280", Mode: "none", By: "analyst"} }

func proxy() Options {
	return Options{Address: "10.0.0.1:4280", Hosts: []string{"triage.example.org"}, Mode: "proxy", UserHeader: "X-User", RoleHeader: "X-Role", Role: Score, Trusted: []string{"10.1.0.0/16", "::1"}}
}

func token(t *testing.T) Options {
	file := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(file, []byte("# people\nann publish "+annsToken+"\n\nbob score "+bobsToken+"\neye read "+eyesToken+"\n"), 0o600))
	return Options{Address: "0.0.0.0:4280", Hosts: []string{"triage.example.org"}, Mode: "token", TokensFile: file}
}

func open(t *testing.T, o Options) http.Handler {
	t.Helper()
	h, err := New(o, whoami)
	require.NoError(t, err)
	return h
}

// ask sends a request as a browser does, changed by change.
func ask(h http.Handler, method, target string, change ...func(*http.Request)) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, target, nil)
	r.Host, r.RemoteAddr = "localhost:4280", "127.0.0.1:5000"
	for _, c := range change {
		c(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

func header(name string, values ...string) func(*http.Request) {
	return func(r *http.Request) { r.Header[http.CanonicalHeaderKey(name)] = values }
}

func host(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }

func from(address string) func(*http.Request) {
	return func(r *http.Request) { r.RemoteAddr = address }
}

func body(text string) func(*http.Request) {
	return func(r *http.Request) {
		r.Body = io.NopCloser(strings.NewReader(text))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
}

func TestWrongSettingsAreRefused(t *testing.T) {
	tokens := func(content string) Options {
		file := filepath.Join(t.TempDir(), "tokens")
		require.NoError(t, os.WriteFile(file, []byte(content), 0o600))
		return Options{Address: ":1", Mode: "token", TokensFile: file}
	}
	for want, o := range map[string]Options{
		`mode "": need none, token or proxy`:           {Address: "127.0.0.1:1"},
		`address "x": need a host and a port`:          {Address: "x", Mode: "none"},
		"mode none with the address 0.0.0.0:1":         {Address: "0.0.0.0:1", Mode: "none", By: "a"},
		"mode none with the address :1":                {Address: ":1", Mode: "none", By: "a"},
		"mode none with the address 10.0.0.1:1":        {Address: "10.0.0.1:1", Mode: "none", By: "a"},
		"mode none with the address soc.example.org:1": {Address: "soc.example.org:1", Mode: "none", By: "a"},
		"mode none: need a name":                       {Address: "[::1]:1", Mode: "none"},
		`hosts: "https://a"`:                           {Address: "localhost:1", Mode: "none", By: "a", Hosts: []string{"https://a"}},
		`hosts: "*.a"`:                                 {Address: "localhost:1", Mode: "none", By: "a", Hosts: []string{"*.a"}},
		"mode token: need a file":                      {Address: ":1", Mode: "token"},
		"no such file":                                 {Address: ":1", Mode: "token", TokensFile: filepath.Join(t.TempDir(), "none")},
		"line 1 has 2 words":                           tokens("ann 0123456789abcdef"),
		"line 2: the role is none":                     tokens("#\nann root 0123456789abcdef"),
		"line 1: the token has 15 characters":          tokens("ann score 0123456789abcde"),
		"line 2: the name or the token is there twice": tokens("ann score 0123456789abcdef\nann read 1123456789abcdef"),
		"line 3: the name or the token is there twice": tokens("ann score 0123456789abcdef\n\nbob read 0123456789abcdef"),
		"there is no token in it":                      tokens("\n"),
		"mode proxy: need the header":                  {Address: ":1", Mode: "proxy"},
		`mode proxy: role "admin"`:                     {Address: ":1", Mode: "proxy", UserHeader: "X", Role: "admin"},
		"mode proxy: need the address of the proxy":    {Address: ":1", Mode: "proxy", UserHeader: "X", Role: Read},
		`trusted: "proxy"`:                             {Address: ":1", Mode: "proxy", UserHeader: "X", Role: Read, Trusted: []string{"proxy"}},
	} {
		_, err := New(o, whoami)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "0123456789abcdef")
	}
}

func TestWithoutSignInEverybodyIsOne(t *testing.T) {
	for _, address := range []string{"127.0.0.1:1", "127.9.9.9:1", "localhost:1", "[::1]:1"} {
		o := none()
		o.Address = address
		w := ask(open(t, o), "POST", "/api/publish")
		require.Equal(t, http.StatusOK, w.Code)
		require.Equal(t, "analyst publish", w.Body.String())
	}
}

func TestEachAnswerKeepsOtherWebsitesOut(t *testing.T) {
	h := open(t, token(t))
	for _, w := range []*httptest.ResponseRecorder{
		ask(open(t, none()), "GET", "/queue"), ask(h, "GET", "/queue"), ask(h, "GET", "/sign-in"), ask(h, "GET", "/api/changes"), ask(h, "GET", "/", host("evil.example")),
	} {
		policy := w.Header().Get("Content-Security-Policy")
		for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'", "trusted-types 'none'", "require-trusted-types-for 'script'"} {
			require.Contains(t, policy, part)
		}
		require.NotContains(t, policy, "unsafe")
		require.Equal(t, "nosniff", w.Header().Get("X-Content-Type-Options"))
	}
}

func TestOnlyKnownHosts(t *testing.T) {
	h := open(t, none())
	for name, status := range map[string]int{
		"localhost": 200, "LOCALHOST:4280": 200, "localhost.:4280": 200, "127.0.0.1:4280": 200, "[::1]:4280": 200,
		"evil.example": 421, "localhost.evil.example": 421, "127.0.0.1.nip.io": 421, "10.0.0.1": 421, "": 421,
	} {
		require.Equal(t, status, ask(h, "GET", "/queue", host(name)).Code, name)
	}
	h = open(t, proxy())
	user := []func(*http.Request){header("X-User", "ann"), from("10.1.2.3:1")}
	for name, status := range map[string]int{"triage.example.org": 200, "triage.example.org:443": 200, "10.0.0.1:4280": 200, "10.0.0.2:4280": 421, "triage.example.org.evil.example": 421} {
		require.Equal(t, status, ask(h, "GET", "/queue", append(user, host(name))...).Code, name)
	}
}

func TestRequestsOfOtherWebsitesChangeNothing(t *testing.T) {
	h := open(t, none())
	for _, path := range []string{"/api/decisions", "/decide", "/undo", "/sign-out"} {
		require.Equal(t, 403, ask(h, "POST", path, header("Sec-Fetch-Site", "cross-site")).Code)
		require.Equal(t, 403, ask(h, "POST", path, header("Sec-Fetch-Site", "same-site")).Code)
		require.Equal(t, 403, ask(h, "POST", path, header("Origin", "https://evil.example")).Code)
		require.Equal(t, 403, ask(h, "POST", path, header("Origin", "null")).Code)
		require.Equal(t, 200, ask(h, "POST", path, header("Sec-Fetch-Site", "same-origin")).Code)
		require.Equal(t, 200, ask(h, "POST", path, header("Origin", "http://localhost:4280")).Code)
		require.Equal(t, 200, ask(h, "POST", path).Code) // a program
	}
}

func TestBodiesAreBounded(t *testing.T) {
	h := open(t, none())
	require.Equal(t, 200, ask(h, "POST", "/decide", body(strings.Repeat("a", maxBody))).Code)
	require.Equal(t, 413, ask(h, "POST", "/decide", body(strings.Repeat("a", maxBody+1))).Code)
}

func TestRequestsOfEachClientAreBounded(t *testing.T) {
	now := time.Unix(1000, 0)
	o := proxy()
	o.Rate, o.Now = 15, func() time.Time { return now }
	h := open(t, o)
	as := func(name string) int {
		return ask(h, "GET", "/queue", host("triage.example.org"), header("X-User", name), from("10.1.0.1:1")).Code
	}
	for range 30 {
		require.Equal(t, 200, as("ann"))
	}
	require.Equal(t, 429, as("ann"))
	require.Equal(t, 200, as("bob"))
	now = now.Add(time.Second)
	require.Equal(t, 200, as("ann"))
	for range 30 {
		require.Equal(t, 401, ask(h, "GET", "/queue", host("triage.example.org"), from("10.2.0.1:1")).Code)
	}
	w := ask(h, "GET", "/api/changes", host("triage.example.org"), from("10.2.0.1:2"))
	require.Equal(t, 429, w.Code)
	require.Contains(t, w.Body.String(), `{"error":"Too many requests.`)
}

func TestAProxySaysWhoItIs(t *testing.T) {
	h := open(t, proxy())
	for _, c := range []struct {
		want   string
		change []func(*http.Request)
	}{
		{"ann score", []func(*http.Request){header("X-User", "ann")}},
		{"ann score", []func(*http.Request){header("X-User", " ann "), header("X-Role", "")}},
		{"ann publish", []func(*http.Request){header("X-User", "ann"), header("X-Role", "publish")}},
		{"gives the role \"admin\"", []func(*http.Request){header("X-User", "ann"), header("X-Role", "admin")}},
		{"gives several roles", []func(*http.Request){header("X-User", "ann"), header("X-Role", "read", "publish")}},
		{"several people", []func(*http.Request){header("X-User", "ann", "bob")}},
		{"does not say who", nil},
		{"does not say who", []func(*http.Request){header("X-User", " ")}},
		{"is longer than 200 bytes", []func(*http.Request){header("X-User", strings.Repeat("a", 201))}},
		{"not UTF-8", []func(*http.Request){header("X-User", "\xff")}},
		{"10.2.0.1, which is no trusted proxy", []func(*http.Request){header("X-User", "ann"), from("10.2.0.1:1")}},
		{"no trusted proxy", []func(*http.Request){header("X-User", "ann"), from("@")}},
		{"ann score", []func(*http.Request){header("X-User", "ann"), from("[::1]:1")}},
		{"ann score", []func(*http.Request){header("X-User", "ann"), from("[::ffff:10.1.0.9]:1")}},
	} {
		w := ask(h, "GET", "/queue", append([]func(*http.Request){host("triage.example.org"), from("10.1.0.1:1")}, c.change...)...)
		require.Contains(t, w.Body.String(), c.want)
		require.Equal(t, !strings.HasPrefix(c.want, "ann"), w.Code == http.StatusUnauthorized, c.want)
	}
}

func TestRoles(t *testing.T) {
	h := open(t, token(t))
	for _, c := range []struct {
		method, path     string
		eye, bob, annGot int
	}{
		{"GET", "/queue", 200, 200, 200},
		{"GET", "/models", 200, 200, 200},
		{"POST", "/theme", 200, 200, 200},
		{"POST", "/decide", 403, 200, 200},
		{"POST", "/api/decisions", 403, 200, 200},
		{"POST", "/api/undo", 403, 200, 200},
		{"DELETE", "/api/decisions", 403, 200, 200},
		{"POST", "/publish", 403, 403, 200},
		{"POST", "/api/publish", 403, 403, 200},
		{"POST", "/rollback", 403, 403, 200},
		{"POST", "/api/rollback", 403, 403, 200},
	} {
		for token, status := range map[string]int{eyesToken: c.eye, bobsToken: c.bob, annsToken: c.annGot} {
			w := ask(h, c.method, c.path, header("Authorization", "Bearer "+token))
			require.Equal(t, status, w.Code, "%s %s %s", c.method, c.path, token)
			require.Equal(t, strings.HasPrefix(c.path, "/api/") && status == 403, strings.HasPrefix(w.Body.String(), `{"error":"Your role is`))
		}
	}
}

// signIn signs in and returns the cookie.
func signIn(t *testing.T, h http.Handler, token string, change ...func(*http.Request)) *http.Cookie {
	t.Helper()
	w := ask(h, "POST", "/sign-in", append(change, body(url.Values{"token": {token}, "to": {"/questions/c1-0?a=b"}}.Encode()))...)
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body.String())
	require.Equal(t, "/questions/c1-0?a=b", w.Header().Get("Location"))
	cookies := w.Result().Cookies()
	require.Len(t, cookies, 1)
	return cookies[0]
}

func with(c *http.Cookie) func(*http.Request) { return func(r *http.Request) { r.AddCookie(c) } }

func TestSignIn(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	o := token(t)
	o.Now = func() time.Time { return now }
	h := open(t, o)
	w := ask(h, "GET", "/questions/c1-0?a=b")
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Equal(t, "/sign-in?to=%2Fquestions%2Fc1-0%3Fa%3Db", w.Header().Get("Location"))
	w = ask(h, "GET", w.Header().Get("Location"))
	require.Contains(t, w.Body.String(), `value="/questions/c1-0?a=b"`)
	require.Equal(t, 200, ask(h, "GET", "/sign-in.css").Code)
	w = ask(h, "POST", "/sign-in", body("token=wrong"))
	require.Equal(t, http.StatusForbidden, w.Code)
	require.Contains(t, w.Body.String(), "This token is not known")
	require.Empty(t, w.Result().Cookies())

	c := signIn(t, h, annsToken)
	require.True(t, c.HttpOnly)
	require.False(t, c.Secure)
	require.Equal(t, http.SameSiteStrictMode, c.SameSite)
	require.NotContains(t, c.Value, annsToken)
	require.Equal(t, "ann publish", ask(h, "GET", "/queue", with(c)).Body.String())
	require.Equal(t, "/", ask(h, "GET", "/sign-in", with(c)).Header().Get("Location"))

	// Another process knows the session. A changed one is none.
	require.Equal(t, "ann publish", ask(open(t, o), "GET", "/queue", with(c)).Body.String())
	for _, value := range []string{"", "x", c.Value[:20], c.Value + "A", "A" + c.Value[1:], strings.Repeat("A", 80)} {
		require.Equal(t, http.StatusUnauthorized, ask(h, "POST", "/decide", with(&http.Cookie{Name: c.Name, Value: value})).Code, value)
	}
	w = ask(h, "POST", "/sign-out", with(c))
	require.Equal(t, http.StatusSeeOther, w.Code)
	require.Negative(t, w.Result().Cookies()[0].MaxAge)

	now = now.Add(session)
	require.Equal(t, http.StatusUnauthorized, ask(h, "GET", "/api/changes", with(c)).Code)

	require.True(t, signIn(t, h, annsToken, header("X-Forwarded-Proto", "https")).Secure)
	o.Secure = true
	require.True(t, signIn(t, open(t, o), annsToken).Secure)
}

func TestAfterSignInOneStaysHere(t *testing.T) {
	h := open(t, token(t))
	for _, to := range []string{"https://evil.example", "//evil.example", `/\evil.example`, `\\evil.example`, "javascript:alert(1)", "queue", "", "/\tx"} {
		w := ask(h, "POST", "/sign-in", body(url.Values{"token": {annsToken}, "to": {to}}.Encode()))
		require.Equal(t, "/", w.Header().Get("Location"), to)
	}
	require.NotContains(t, ask(h, "GET", `/sign-in?to=/"><script>`).Body.String(), "<script>")
}

// The cookie is not sent with the first request after a link in a ticket.
func TestALinkFromElsewhereDoesNotAskForTheTokenAgain(t *testing.T) {
	h := open(t, token(t))
	w := ask(h, "GET", "/questions/c1-0", header("Sec-Fetch-Site", "cross-site"))
	require.Equal(t, 200, w.Code)
	require.Contains(t, w.Body.String(), `http-equiv="refresh"`)
	require.NotContains(t, w.Body.String(), "token")
}

func TestTheFileOfTokensIsReadAgain(t *testing.T) {
	o := token(t)
	var logged []string
	o.Log = func(format string, arguments ...any) { logged = append(logged, fmt.Sprintf(format, arguments...)) }
	handler := open(t, o)
	look := func() { handler.(*gate).tokens.next = time.Time{} }
	c := signIn(t, handler, bobsToken)
	require.NoError(t, os.WriteFile(o.TokensFile, []byte("ann read "+annsToken+"\n"), 0o600))
	look()
	require.Equal(t, http.StatusUnauthorized, ask(handler, "GET", "/api/changes", with(c)).Code)
	require.Equal(t, "ann read", ask(handler, "GET", "/queue", header("Authorization", "Bearer "+annsToken)).Body.String())
	require.NoError(t, os.WriteFile(o.TokensFile, []byte("ann"), 0o600))
	for range 2 {
		look()
		require.Equal(t, "ann read", ask(handler, "GET", "/queue", header("Authorization", "Bearer "+annsToken)).Body.String())
	}
	require.Len(t, logged, 1)
	require.Contains(t, logged[0], "line 1 has 1 words")
}
