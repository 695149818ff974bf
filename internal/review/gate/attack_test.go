package gate

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func bearer(token string) func(*http.Request) { return header("Authorization", "Bearer "+token) }

func TestAttacksAreRefused(t *testing.T) {
	n, k, p := none(), token(t), proxy()
	site := []func(*http.Request){host("triage.example.org"), from("10.1.0.1:1")}
	at := func(change ...func(*http.Request)) []func(*http.Request) { return append(site[:2:2], change...) }
	for name, c := range map[string]struct {
		o            Options
		method, path string
		change       []func(*http.Request)
		status       int
		says         string
	}{
		"form of another website":        {n, "POST", "/decide", []func(*http.Request){header("Origin", "https://evil.example")}, 403, "Another website has sent this request. Nothing was changed.\n"},
		"script of another website":      {n, "POST", "/api/decisions", []func(*http.Request){header("Sec-Fetch-Site", "cross-site")}, 403, `{"error":"Another website has sent this request. Nothing was changed."}` + "\n"},
		"sign-in by another website":     {k, "POST", "/sign-in", []func(*http.Request){header("Sec-Fetch-Site", "cross-site"), body("token=" + annsToken)}, 403, "Another website has sent this request. Nothing was changed.\n"},
		"DNS rebinding":                  {n, "GET", "/queue", []func(*http.Request){host("evil.example:4280")}, 421, "This page does not know the host \"evil.example\". If it is one of its names, list it in hosts.\n"},
		"host in X-Forwarded-Host":       {n, "GET", "/queue", []func(*http.Request){host("evil.example"), header("X-Forwarded-Host", "localhost")}, 421, "This page does not know the host \"evil.example\". If it is one of its names, list it in hosts.\n"},
		"no header of the proxy":         {p, "POST", "/api/decisions", at(), 401, `{"error":"The proxy does not say who you are: there is no X-User. Nothing was changed."}` + "\n"},
		"forged header of the proxy":     {p, "POST", "/decide", at(header("X-User", "ann"), from("10.2.0.1:1")), 401, "The request comes from 10.2.0.1, which is no trusted proxy. Nothing was changed.\n"},
		"X-Forwarded-For of a proxy":     {p, "POST", "/decide", at(header("X-User", "ann"), from("10.2.0.1:1"), header("X-Forwarded-For", "10.1.0.1")), 401, "The request comes from 10.2.0.1, which is no trusted proxy. Nothing was changed.\n"},
		"name with a direction mark":     {p, "POST", "/decide", at(header("X-User", "ann\u202e")), 401, "The name in X-User is longer than 200 bytes, not UTF-8, or has characters that do not show. Nothing was changed.\n"},
		"name without width":             {p, "POST", "/decide", at(header("X-User", "an\u200bn")), 401, "The name in X-User is longer than 200 bytes, not UTF-8, or has characters that do not show. Nothing was changed.\n"},
		"role that there is not":         {p, "POST", "/decide", at(header("X-User", "ann"), header("X-Role", "PUBLISH")), 401, "The proxy gives the role \"PUBLISH\", need one of read, score, publish. Nothing was changed.\n"},
		"header of a proxy with tokens":  {k, "POST", "/api/decisions", []func(*http.Request){header("X-User", "ann")}, 401, `{"error":"Sign in first. Nothing was changed."}` + "\n"},
		"wrong token":                    {k, "POST", "/api/decisions", []func(*http.Request){bearer("0123456789abcdef")}, 401, `{"error":"The token is not known. Nothing was changed."}` + "\n"},
		"empty token":                    {k, "POST", "/api/decisions", []func(*http.Request){bearer("")}, 401, `{"error":"The token is not known. Nothing was changed."}` + "\n"},
		"made-up session":                {k, "POST", "/api/decisions", []func(*http.Request){header("Cookie", "deepcase=ann")}, 401, `{"error":"Your session has ended. Sign in again. Nothing was changed."}` + "\n"},
		"reader decides":                 {k, "POST", "/api/decisions", []func(*http.Request){bearer(eyesToken)}, 403, `{"error":"Your role is read. This needs the role score. Nothing was changed."}` + "\n"},
		"analyst publishes":              {k, "POST", "/publish", []func(*http.Request){bearer(bobsToken)}, 403, "Your role is score. This needs the role publish. Nothing was changed.\n"},
		"analyst rolls back, in escapes": {k, "POST", "/%72ollback", []func(*http.Request){bearer(bobsToken)}, 403, "Your role is score. This needs the role publish. Nothing was changed.\n"},
		"method of one's own":            {k, "CHANGE", "/queue", []func(*http.Request){bearer(eyesToken)}, 403, "Your role is read. This needs the role score. Nothing was changed.\n"},
		"large sign-in":                  {k, "POST", "/sign-in", []func(*http.Request){body("token=" + strings.Repeat("a", maxBody))}, 413, "The request has more than 1048576 bytes. Nothing was changed.\n"},
	} {
		t.Run(name, func(t *testing.T) {
			w := ask(open(t, c.o), c.method, c.path, c.change...)
			require.Equal(t, c.status, w.Code)
			require.Equal(t, c.says, w.Body.String())
			require.Equal(t, "no-store", w.Header().Get("Cache-Control"))
			require.Empty(t, w.Result().Cookies())
		})
	}
}

func TestABrowserGetsAPageThatSaysWhyItIsRefused(t *testing.T) {
	h := open(t, none())
	w := ask(h, "GET", "/queue", host("<script>"), header("Accept", "text/html,*/*"))
	require.Equal(t, http.StatusMisdirectedRequest, w.Code)
	require.Equal(t, "text/html; charset=utf-8", w.Header().Get("Content-Type"))
	require.Contains(t, w.Body.String(), "This page does not know the host")
	require.NotContains(t, w.Body.String(), "<script>")
	require.Equal(t, 200, ask(h, "GET", stylePath).Code)
}

func TestSignOutEndsCopiesOfTheCookie(t *testing.T) {
	o := token(t)
	now := time.Unix(1_700_000_000, 0)
	o.Now = func() time.Time { return now }
	h := open(t, o)
	stolen, other := signIn(t, h, annsToken), signIn(t, h, annsToken)
	require.NotEqual(t, stolen.Value, other.Value)
	require.Equal(t, 303, ask(h, "POST", "/sign-out", with(stolen)).Code)
	require.Equal(t, 401, ask(h, "POST", "/decide", with(stolen)).Code)
	require.Equal(t, 200, ask(h, "POST", "/decide", with(other)).Code)
	now = now.Add(session - time.Second)
	require.Equal(t, 200, ask(h, "POST", "/decide", with(other)).Code)
	now = now.Add(time.Second)
	require.Equal(t, 401, ask(h, "POST", "/decide", with(other)).Code)
}

func TestWrongTokensAreSlowedDownAndLogged(t *testing.T) {
	for name, try := range map[string]func(h http.Handler, token string, change ...func(*http.Request)) *httptest.ResponseRecorder{
		"form": func(h http.Handler, token string, change ...func(*http.Request)) *httptest.ResponseRecorder {
			return ask(h, "POST", "/sign-in", append(change, body("token="+token))...)
		},
		"program": func(h http.Handler, token string, change ...func(*http.Request)) *httptest.ResponseRecorder {
			return ask(h, "GET", "/api/changes", append(change, bearer(token))...)
		},
	} {
		t.Run(name, func(t *testing.T) {
			now := time.Unix(1_700_000_000, 0)
			var logged []string
			o := token(t)
			o.Now = func() time.Time { return now }
			o.Log = func(format string, arguments ...any) { logged = append(logged, fmt.Sprintf(format, arguments...)) }
			h := open(t, o)
			c := signIn(t, h, bobsToken)
			for range guesses {
				require.Contains(t, []int{401, 403}, try(h, "0123456789abcdef-wrong").Code)
			}
			require.Len(t, logged, guesses)
			require.Equal(t, "The review page: wrong token from 127.0.0.1", logged[0])
			w := try(h, annsToken) // whether it is right is not said
			require.Equal(t, 429, w.Code)
			require.Equal(t, "1", w.Header().Get("Retry-After"))
			require.Contains(t, w.Body.String(), "Too many wrong tokens came from your address.")
			require.Equal(t, 200, ask(h, "GET", "/queue", with(c)).Code) // whoever is signed in goes on
			require.Contains(t, []int{200, 303}, try(h, annsToken, from("127.0.0.2:1")).Code)
			now = now.Add(time.Second)
			require.Contains(t, []int{200, 303}, try(h, annsToken).Code)
		})
	}
}

func TestTokensThatOthersCanReadAreRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the system has no such modes")
	}
	o := token(t)
	for mode, fine := range map[os.FileMode]bool{0o600: true, 0o440: true, 0o640: true, 0o644: false, 0o602: false} {
		require.NoError(t, os.Chmod(o.TokensFile, mode))
		_, err := New(o, whoami)
		if fine {
			require.NoError(t, err)
		} else {
			require.ErrorContains(t, err, "can be read or changed by every user of this machine: need chmod 600")
		}
	}
}

func TestErrorsShowNoTokenEvenInTheWrongOrder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "tokens")
	for _, line := range []string{annsToken + " publish ann", annsToken + " ann publish", "publish " + annsToken + " ann", annsToken, "a\u202e publish " + annsToken} {
		require.NoError(t, os.WriteFile(file, []byte(line), 0o600))
		_, err := New(Options{Address: ":1", Mode: "token", TokensFile: file}, whoami)
		require.ErrorContains(t, err, "line 1")
		require.NotContains(t, err.Error(), annsToken)
	}
}

func TestEverybodyIsNoTrustedProxy(t *testing.T) {
	for _, network := range []string{"0.0.0.0/0", "::/0"} {
		o := proxy()
		o.Trusted = []string{network}
		_, err := New(o, whoami)
		require.ErrorContains(t, err, "trusted: \""+network+"\", need an address or a network such as 10.0.0.0/8, and not all of them")
	}
}

func FuzzTokens(f *testing.F) {
	f.Add([]byte("# people\nann publish 0123456789abcdef\n\nbob read 1123456789abcdef"))
	f.Add([]byte("ann\u200b score 0123456789abcdef"))
	f.Add([]byte("\xff read 0123456789abcdef\r\n"))
	f.Fuzz(func(t *testing.T, content []byte) {
		holders, err := parseTokens(content)
		require.Equal(t, err != nil, len(holders) == 0)
		names := map[string]bool{}
		for _, h := range holders {
			require.False(t, names[h.Name])
			names[h.Name] = true
			require.True(t, validName(h.Name) && h.Name != "")
			require.Contains(t, roles, h.Role)
		}
	})
}

func FuzzProxyHeaders(f *testing.F) {
	f.Add("ann", "score", "10.1.0.1:1", "triage.example.org")
	f.Add("ann\u202e", "", "[::1]:1", "[::1]:4280")
	f.Add("", "publish", "10.2.0.1:1", "evil.example")
	h, err := New(proxy(), whoami)
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, name, role, address, site string) {
		w := ask(h, "POST", "/publish", header("X-User", name), header("X-Role", role), from(address), host(site))
		if w.Code == http.StatusOK {
			require.Equal(t, strings.TrimSpace(name)+" publish", w.Body.String())
			require.Equal(t, Publish, role)
			require.True(t, validName(name))
			return
		}
		require.Contains(t, []int{401, 403, 421}, w.Code)
	})
}

func FuzzSession(f *testing.F) {
	file := filepath.Join(f.TempDir(), "tokens")
	require.NoError(f, os.WriteFile(file, []byte("ann publish "+annsToken+"\n"), 0o600))
	h, err := New(Options{Address: ":1", Mode: "token", TokensFile: file}, whoami)
	require.NoError(f, err)
	f.Add("deepcase=YW5u")
	f.Add("deepcase=" + strings.Repeat("A", 80))
	f.Fuzz(func(t *testing.T, value string) {
		require.Equal(t, http.StatusUnauthorized, ask(h, "POST", "/decide", header("Cookie", value)).Code)
	})
}
