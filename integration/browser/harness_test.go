//go:build browser

package browser

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
)

// What fails the test of a tab is noticed: otherwise the other tests prove nothing.
func TestTroubleIsNoticed(t *testing.T) {
	for name, c := range map[string]struct{ policy, page, want string }{
		"policy":  {"script-src 'none'", `<script>1</script>`, "Content Security Policy"},
		"request": {"default-src *", `<img src="http://127.0.0.1:9/x.png">`, "a request to http://127.0.0.1:9/x.png"},
		"error":   {"script-src 'unsafe-inline'", `<script>console.error("oh")</script>`, "oh"},
		"thrown":  {"script-src 'unsafe-inline'", `<script>null.x</script>`, "TypeError"},
		"dialog":  {"script-src 'unsafe-inline'", `<script>setTimeout(() => alert(7))</script>`, "a script ran: 7"},
		"missing": {"default-src 'self'", `<link rel="stylesheet" href="/missing.css">`, "missing.css"},
	} {
		t.Run(name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/" {
					http.NotFound(w, r)
					return
				}
				w.Header().Set("Content-Security-Policy", c.policy)
				w.Header().Set("Content-Type", "text/html")
				_, _ = w.Write([]byte(`<!doctype html><link rel="icon" href="data:,">` + c.page))
			}))
			defer s.Close()
			b := open(t, &server{url: s.URL})
			b.run(chromedp.Navigate(b.url + "/"))
			noticed := func() bool {
				b.mu.Lock()
				defer b.mu.Unlock()
				return strings.Contains(strings.Join(b.trouble, "\n"), c.want)
			}
			assert.Eventually(t, noticed, 2*time.Minute, 20*time.Millisecond, "%q", &b.trouble)
			b.mu.Lock()
			defer b.mu.Unlock()
			b.trouble = nil
		})
	}
}
