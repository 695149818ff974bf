//go:build browser

package browser

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// leave does something that leads to another page, and waits for that.
func (b *tab) leave(action chromedp.Action) {
	b.t.Helper()
	loaded := make(chan struct{}, 1)
	chromedp.ListenTarget(b, func(event any) {
		if _, is := event.(*page.EventLoadEventFired); is {
			select {
			case loaded <- struct{}{}:
			default:
			}
		}
	})
	b.run(action)
	select {
	case <-loaded:
	case <-time.After(2 * time.Minute):
		b.t.Fatal("no other page was loaded")
	}
}

func TestWithoutScripts(t *testing.T) {
	s := review(t, plain)
	b := open(t, s)
	b.visit("/queue?view=clusters")
	question := "/questions/" + b.text(inFocus)
	others := [2]string{b.text(`document.querySelectorAll("tr[data-key]")[1].dataset.key`), b.text(`document.querySelectorAll("tr[data-key]")[2].dataset.key`)}
	b.run(emulation.SetScriptExecutionDisabled(true), chromedp.Navigate(b.url+question))
	b.leave(chromedp.Click(`button[name=score][value="0"]`))
	var text string
	b.run(chromedp.Navigate(b.url+"/decisions"), chromedp.Text("main", &text))
	assert.Contains(t, text, "ann")
	assert.Equal(t, 1, strings.Count(journal(t, s), `"by":"ann"`))
	// Undo is a form, too.
	b.leave(chromedp.Click(`form[action="/undo"] button`))
	assert.Equal(t, 2, strings.Count(journal(t, s), `"by":"ann"`))
	// Several at once: the boxes of the queue, and a button of their form.
	b.run(chromedp.Navigate(b.url + "/queue?view=clusters"))
	for _, id := range others {
		b.run(chromedp.Click(fmt.Sprintf(`tr[data-key=%q] input[type=checkbox]`, id)))
	}
	b.leave(chromedp.Click(`.bulk button[name=score][value="1"]`))
	assert.Equal(t, 4, strings.Count(journal(t, s), `"by":"ann"`))
	// Each page is there.
	for _, path := range []string{"/overview", "/models", "/queue?view=cases", "/queue?q=nothing"} {
		b.run(chromedp.Navigate(b.url+path), chromedp.Text("main", &text))
		assert.NotEmpty(t, text, path)
	}
}

func TestForgedRequests(t *testing.T) {
	s := review(t, plain)
	const id = `{"items":[{"id":"c1-00000000","rev":"0.0.0.0"}],"action":"score","score":0}`
	host := strings.TrimPrefix(s.url, "http://")
	for _, c := range []struct {
		name, path, body string
		headers          []string
		status           int
	}{
		{"from another site", "/api/decisions", id, []string{"Sec-Fetch-Site", "cross-site", "Content-Type", "application/json"}, http.StatusForbidden},
		{"from another port of the same host", "/api/decisions", id, []string{"Sec-Fetch-Site", "same-site", "Content-Type", "application/json"}, http.StatusForbidden},
		{"an old browser, from another site", "/api/decisions", id, []string{"Origin", "http://evil.example", "Content-Type", "application/json"}, http.StatusForbidden},
		{"a form of another site", "/decide", "id=c1&score=0", []string{"Sec-Fetch-Site", "cross-site", "Content-Type", "application/x-www-form-urlencoded"}, http.StatusForbidden},
		{"publish", "/api/publish", "{}", []string{"Sec-Fetch-Site", "cross-site", "Content-Type", "application/json"}, http.StatusForbidden},
		{"text as a form sends it", "/api/decisions", id, []string{"Sec-Fetch-Site", "same-origin", "Content-Type", "text/plain"}, http.StatusUnsupportedMediaType},
		{"another name that leads here", "/api/decisions", id, []string{"Host", "evil.example:80", "Content-Type", "application/json"}, http.StatusMisdirectedRequest},
		{"no JSON", "/api/decisions", "score=0", []string{"Content-Type", "application/json"}, http.StatusBadRequest},
		{"too much", "/api/decisions", `{"why":"` + strings.Repeat("x", 2<<20) + `"}`, []string{"Content-Type", "application/json"}, http.StatusRequestEntityTooLarge},
		{"an item that is not there", "/api/decisions", id, []string{"Sec-Fetch-Site", "same-origin", "Origin", "http://" + host, "Content-Type", "application/json"}, http.StatusNotFound},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, text := s.do(t, "POST", c.path, c.body, c.headers...)
			if c.status == http.StatusMisdirectedRequest { // or forbidden: it matters that it is refused
				assert.Contains(t, []int{http.StatusMisdirectedRequest, http.StatusForbidden}, status, text)
				return
			}
			assert.Equal(t, c.status, status, text)
		})
	}
	assert.NotContains(t, journal(t, s), `"by":"ann"`)
	// Pages are not read by that name, either, and nobody may put them into a frame.
	status, _ := s.do(t, "GET", "/queue", "", "Host", "evil.example")
	assert.Contains(t, []int{http.StatusMisdirectedRequest, http.StatusForbidden}, status)
	answer, err := client.Get(s.url + "/queue")
	require.NoError(t, err)
	defer answer.Body.Close()
	policy := answer.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "frame-ancestors 'none'", "require-trusted-types-for 'script'", "trusted-types 'none'", "base-uri 'none'", "form-action 'self'"} {
		assert.Contains(t, policy, part)
	}
	assert.NotContains(t, policy, "unsafe")
	assert.Equal(t, "nosniff", answer.Header.Get("X-Content-Type-Options"))
}

func TestServerGone(t *testing.T) {
	s := review(t, plain)
	b := open(t, s, "ERR_CONNECTION_REFUSED", "ERR_CONNECTION_RESET", "Failed to load resource", "Failed to fetch")
	b.visit("/queue?view=clusters")
	before := b.text(openCount)
	s.kill()
	b.press("0")
	b.until(toast + `.toLowerCase().includes("nothing was changed")`)
	assert.Equal(t, before, b.text(openCount))
	assert.Empty(t, b.js(`document.querySelectorAll("tr.done").length || ""`))
}

func TestEmptyQueueAndNoMatch(t *testing.T) {
	b := open(t, review(t, plain), "404")
	b.visit("/queue?view=snoozed")
	assert.Contains(t, strings.ToLower(b.text(`document.querySelector("main").textContent`)), "snooze")
	b.visit("/queue?q=" + url.QueryEscape("no such event"))
	assert.NotEmpty(t, b.text(`document.querySelector("main").textContent.trim()`))
	b.run(chromedp.Navigate(b.url+"/questions/c99999-00000000"), chromedp.WaitReady("main a"))
}

// crowd adds questions: each event is one that was never learnt.
func crowd(n int) string {
	var lines strings.Builder
	for i := range n {
		at := time.Date(2026, 1, 14, 0, 0, 0, 0, time.UTC).Add(time.Duration(i) * time.Second)
		fmt.Fprintf(&lines, `{"deepcase":{"context":[null,"Login","Login"],"event":"Event number %d of many","machine":"pc-%02d","status":"unknown_event","send":true},"timestamp":%q,"message":"m"}`+"\n",
			i, i%40, at.Format(time.RFC3339))
	}
	return lines.String()
}
