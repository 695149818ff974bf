//go:build browser

package browser

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	logging "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/require"
)

// tab is a browser of its own, as another analyst has it. Its test fails if the page writes an error to the console, breaks its own security
// policy, shows a dialog of a script, or asks another server for something.
type tab struct {
	context.Context
	t       testing.TB
	url     string
	mu      sync.Mutex
	trouble []string
	allowed []string // parts of trouble that the test provokes
}

// chromium is the browser of this machine: CHROMIUM, or one of the PATH.
func chromium(t testing.TB) string {
	t.Helper()
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil && name != "" {
			return path
		}
	}
	skip(t, "there is no Chromium: apt-get install chromium")
	return ""
}

// open starts a browser with a window of a desktop. allowed are parts of messages of the console that the test provokes.
func open(t testing.TB, s *server, allowed ...string) *tab {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.NoSandbox, chromedp.ExecPath(chromium(t)), chromedp.Flag("force-color-profile", "srgb"),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-dev-shm-usage", true))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	t.Cleanup(cancel)
	ctx, stop := chromedp.NewExecAllocator(ctx, options...)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	b := &tab{Context: ctx, t: t, url: s.url, allowed: allowed}
	chromedp.ListenTarget(ctx, b.listen)
	require.NoError(t, chromedp.Run(ctx)) // the browser lives as long as this context
	b.run(network.Enable(), logging.Enable(), page.Enable(), runtime.Enable(), chromedp.EmulateViewport(1280, 800), b.theme("light"))
	t.Cleanup(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		require.Empty(t, b.trouble, "the browser reports")
	})
	return b
}

func (b *tab) listen(event any) {
	switch e := event.(type) {
	case *logging.EventEntryAdded:
		if e.Entry.Level == logging.LevelError || e.Entry.Level == logging.LevelWarning || e.Entry.Source == logging.SourceSecurity {
			b.report(fmt.Sprintf("%s: %s %s", e.Entry.Level, e.Entry.Text, e.Entry.URL))
		}
	case *runtime.EventExceptionThrown:
		b.report(e.ExceptionDetails.Error())
	case *runtime.EventConsoleAPICalled:
		if e.Type == runtime.APITypeError || e.Type == runtime.APITypeWarning {
			b.report(fmt.Sprintf("console: %s", e.Args[0].Value))
		}
	case *network.EventRequestWillBeSent:
		if !strings.HasPrefix(e.Request.URL, b.url+"/") && !strings.HasPrefix(e.Request.URL, "about:") && !strings.HasPrefix(e.Request.URL, "data:") {
			b.report("a request to " + e.Request.URL)
		}
	case *page.EventJavascriptDialogOpening:
		b.report("a script ran: " + e.Message)
		go func() { _ = chromedp.Run(b, page.HandleJavaScriptDialog(true)) }() // the page waits for it
	}
}

func (b *tab) report(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, a := range b.allowed {
		if strings.Contains(what, a) {
			return
		}
	}
	b.trouble = append(b.trouble, what)
}

func (b *tab) run(actions ...chromedp.Action) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b, 2*time.Minute)
	defer cancel()
	require.NoError(b.t, chromedp.Run(ctx, actions...))
}

// visit opens a page and waits until its script is ready.
func (b *tab) visit(path string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.url+path), chromedp.WaitReady("body[data-ready]"))
}

func (b *tab) theme(name string) chromedp.Action {
	return emulation.SetEmulatedMedia().WithFeatures([]*emulation.MediaFeature{
		{Name: "prefers-color-scheme", Value: name}, {Name: "prefers-reduced-motion", Value: "reduce"},
	})
}

// js is the value of an expression. A promise is waited for.
func (b *tab) js(expression string) (v any) {
	b.t.Helper()
	b.run(chromedp.Evaluate(expression, &v, func(p *runtime.EvaluateParams) *runtime.EvaluateParams { return p.WithAwaitPromise(true) }))
	return v
}

func (b *tab) text(expression string) string {
	b.t.Helper()
	text, ok := b.js(expression).(string)
	require.True(b.t, ok, "%s is no text", expression)
	return text
}

// press presses one key after the other, as a person does: the page may draw between them.
func (b *tab) press(keys ...string) {
	b.t.Helper()
	for _, k := range keys {
		b.run(key(k, 0))
		b.js(`new Promise((drawn) => requestAnimationFrame(() => setTimeout(drawn)))`)
	}
}

// key is a key of a real keyboard: if a script prevents what the key does, no character is typed. chromedp.KeyEvent types it all the same.
func key(k string, modifiers input.Modifier) chromedp.Tasks {
	var tasks chromedp.Tasks
	for _, r := range k {
		events := kb.Encode(r)
		down := events[0]
		for _, e := range events {
			if e.Type == input.KeyChar && modifiers&input.ModifierCtrl == 0 {
				down.Type, down.Text = input.KeyDown, e.Text
			}
		}
		up := events[len(events)-1]
		tasks = append(tasks, down.WithModifiers(down.Modifiers|modifiers), up.WithModifiers(up.Modifiers|modifiers))
	}
	return tasks
}

// until waits for a condition.
func (b *tab) until(expression string) {
	b.t.Helper()
	for range 100 {
		var is bool
		// An error is that of a page which is just being left.
		if err := chromedp.Run(b, chromedp.Evaluate(`!!(`+expression+`)`, &is)); err == nil && is {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	b.t.Fatalf("never: %s\nat %s\nmessages: %s", expression, b.js(`location.href`), b.js(toast))
}

// toast is what the page last said.
const toast = `(document.querySelector(".toasts")?.textContent ?? "")`

// said waits until the page says something.
func (b *tab) said(text string) {
	b.t.Helper()
	b.until(fmt.Sprintf("%s.includes(%q)", toast, text))
}

const inFocus = `(document.querySelector("tr.at")?.dataset.key ?? "")`
