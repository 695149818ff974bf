package search

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere := pretend(t, nil)
	for _, credentials := range []string{"api_key: U0VLUkVU", "bearer_token: SEKRET", "basic_auth: { enabled: true, username: u, password: SEKRET }"} {
		for _, status := range []int{301, 302, 303, 307, 308} {
			redirect := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, elsewhere.URL+r.URL.Path+"?token=SEKRET", status)
			})
			for _, server := range []*httptest.Server{httptest.NewServer(redirect), httptest.NewTLSServer(redirect)} {
				s, j := openLogged(t, "urls: [ "+server.URL+" ]\ntls: { enabled: true, skip_cert_verify: true }\n"+credentials)
				_, ended := attempt(t, s, j)
				server.Close()
				require.False(t, ended)
				require.Contains(t, j.String(), fmt.Sprintf("status %d: it redirects to %s/alerts/_field_caps, which is not followed", status, elsewhere.URL))
				require.NotContains(t, j.String(), "SEKRET")
			}
		}
	}
	require.Empty(t, elsewhere.requests)
}

// Whatever a server does with what it was sent, and wherever a URL is shown.
func TestCredentialsDoNotReachTheLog(t *testing.T) {
	const password = `pä"ss SEKRET/word`
	echoes := map[string]func(w http.ResponseWriter, seen string){
		"error": func(w http.ResponseWriter, seen string) {
			w.WriteHeader(http.StatusUnauthorized)
			fmt.Fprintf(w, `{"error":{"type":"security_exception","reason":%q}}`, seen)
		},
		"type": func(w http.ResponseWriter, seen string) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"error":{"type":%q,"reason":"x"}}`, seen)
		},
		"text": func(w http.ResponseWriter, seen string) {
			w.WriteHeader(http.StatusInternalServerError)
			fmt.Fprint(w, seen)
		},
		"error in 200": func(w http.ResponseWriter, seen string) { fmt.Fprintf(w, `{"error":%q}`, seen) },
		"redirect": func(w http.ResponseWriter, seen string) {
			w.Header().Set("Location", "http://x/"+seen)
			w.WriteHeader(http.StatusFound)
		},
		"sort value": func(w http.ResponseWriter, seen string) {
			fmt.Fprintf(w, `{"hits":{"hits":[{"_index":"a","_id":"b","sort":[%q,1]}]}}`, seen)
		},
		"id": func(w http.ResponseWriter, seen string) {
			fmt.Fprintf(w, `{"hits":{"hits":[{"_index":"a","_id":%q}]}}`, seen)
		},
		"cut": func(w http.ResponseWriter, seen string) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, strings.Repeat("x", longestError-30)+seen)
		},
	}
	key := base64.StdEncoding.EncodeToString([]byte("id:SEKRETKEY"))
	for place, echo := range echoes {
		for fields, sent := range map[string][]string{
			"api_key: " + key:           {key, "id:SEKRETKEY", "SEKRETKEY"},
			"bearer_token: SEKRETTOKEN": {"SEKRETTOKEN"},
			"basic_auth: { enabled: true, username: u, password: '" + password + "' }": {password, base64.StdEncoding.EncodeToString([]byte("u:" + password))},
			"in URL": {password, base64.StdEncoding.EncodeToString([]byte("u:" + password)), "p%C3%A4%22ss%20SEKRET%2Fword"},
		} {
			for _, secret := range sent {
				p := pretend(t, onPages(func(w http.ResponseWriter, r request) {
					require.NotEmpty(t, r.authorization)
					echo(w, secret)
				}))
				url, credentials := p.URL, fields
				if fields == "in URL" {
					url, credentials = strings.Replace(p.URL, "//", "//u:p%C3%A4%22ss%20SEKRET%2Fword@", 1), ""
				}
				s, j := openLogged(t, "urls: [ \""+url+"\" ]\n"+credentials)
				ids, ended := attempt(t, s, j)
				require.False(t, ended)
				require.Empty(t, ids)
				require.Contains(t, j.String(), "Reading failed", "%s: %s", place, fields)
				for _, s := range append(sent, "SEKRET") {
					require.NotContains(t, j.String(), s, "%s: %s", place, fields)
				}
			}
		}
	}
}

func TestURLsAreShownWithoutCredentials(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	s, j := openLogged(t, "urls: [ \""+strings.Replace(gone.URL, "//", "//u:SEKRET@", 1)+","+gone.URL+"\" ]")
	attempt(t, s, j)
	require.Contains(t, j.String(), "url="+gone.URL)
	require.NotContains(t, j.String(), "SEKRET")

	for urls, shown := range map[string]string{
		"http://u:SEKRET@h:port":            "http://…@h:port",
		"ftp://u:SEKRET@h":                  "ftp://…@h",
		"u:SEKRET@h":                        "…://…@h",
		"http://u:SEK,RET@h":                "http://…@h",
		"http://u:SEK%RET@h":                "http://…@h",
		"http://u:S@SEKRET@:9200?x":         "http://…@:9200…",
		"http://h:9200/?token=SEKRET":       "http://h:9200/…",
		"http://u:SEKRET@h,http://v:SEK@i:": "http://…@i:",
	} {
		conf, err := spec().ParseYAML("urls: [ \""+urls+"\" ]\nindex: a", nil)
		require.NoError(t, err)
		_, err = newFromParsed(conf, service.MockResources(), time.Now)
		if urls == "http://u:SEKRET@h,http://v:SEK@i:" {
			require.NoError(t, err)
			continue
		}
		require.EqualError(t, err, `field 'urls': "`+shown+`", need a URL such as http://localhost:9200`)
	}
}

// What a server says is one line of the log, and text.
func TestErrorsAreOneLineOfText(t *testing.T) {
	p := pretend(t, onPages(func(w http.ResponseWriter, _ request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprintf(w, `{"error":{"type":"x\u001b]0;owned\u0007","reason":"1\nlevel=info msg=forged\r\u001b[2J\u202e%s"}}`, strings.Repeat("ä", 5000))
	}))
	s, j := openLogged(t, "urls: [ "+p.URL+" ]")
	attempt(t, s, j)
	require.True(t, utf8.ValidString(j.String()))
	require.NotContains(t, j.String(), "\ufffd")
	require.NotContains(t, j.String(), "x1b")
	require.Contains(t, j.String(), "level=info msg=forged  [2J ä")
	require.Equal(t, 1, strings.Count(j.String(), "\n"), j)
	require.Less(t, j.text.Len(), 2*longestError)
}
