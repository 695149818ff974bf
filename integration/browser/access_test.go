//go:build browser

package browser

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// axe-core (MPL-2.0) is for these tests alone, and no part of the product.
const (
	axeVersion = "4.14.1"
	axeSum     = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
)

// axe is the script of axe-core, from the user's cache or from the registry.
func axe(t testing.TB) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	require.NoError(t, err)
	file := filepath.Join(cache, "connect-deepcase", "axe-core-"+axeVersion+".tgz")
	archive, err := os.ReadFile(file)
	if err != nil {
		archive = fetchAxe(t)
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, archive, 0o600))
	}
	sum := sha256.Sum256(archive)
	require.Equal(t, axeSum, hex.EncodeToString(sum[:]), "%s: remove it", file)
	return unpack(t, archive, "package/axe.min.js")
}

func fetchAxe(t testing.TB) []byte {
	t.Helper()
	from := "https://registry.npmjs.org/axe-core/-/axe-core-" + axeVersion + ".tgz"
	answer, err := (&http.Client{Timeout: time.Minute}).Get(from)
	if err != nil {
		skip(t, "axe-core cannot be fetched: "+err.Error())
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		skip(t, "axe-core cannot be fetched: "+answer.Status)
	}
	archive, err := io.ReadAll(io.LimitReader(answer.Body, 8<<20))
	require.NoError(t, err)
	return archive
}

// violations runs the rules of WCAG A and AA, the contrast of every text among them.
const violations = `axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"], resultTypes: ["violations"] }).then((r) =>
  JSON.stringify(r.violations.flatMap((v) => v.nodes.map((n) => v.id + ": " + n.html.slice(0, 140) + " " + (n.any[0]?.message ?? v.help)))))`

func TestNoViolationOfWCAG(t *testing.T) {
	script := axe(t)
	b := open(t, review(t, plain), "Content Security Policy")
	b.run(page.SetBypassCSP(true))
	paths := b.pages()
	b.visit("/queue?view=clusters")
	b.press("0", "1", "s") // the pages show decisions, too
	for _, theme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390} {
			b.run(b.theme(theme), chromedp.EmulateViewport(width, 844))
			for _, path := range paths {
				t.Run(fmt.Sprint(theme, width, path), func(t *testing.T) {
					b.visit(path)
					b.run(chromedp.Evaluate(script, nil))
					var found []string
					require.NoError(t, json.Unmarshal([]byte(b.text(violations)), &found))
					assert.Empty(t, found, strings.Join(found, "\n"))
				})
			}
		}
	}
	t.Run("finds pale text", func(t *testing.T) {
		b.visit("/")
		b.run(b.theme("light"), chromedp.Evaluate(script, nil))
		b.js(`document.querySelector("tr.at .ev").style.color = "#9aa7b5"`)
		assert.Contains(t, b.text(violations), "color-contrast")
	})
}

const nameless = `[...document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary")].filter((e) =>
  e.checkVisibility() && !(e.textContent.trim() || e.ariaLabel || e.title || e.labels?.length)).map((e) => e.outerHTML.slice(0, 120)).join("\n")`

func TestEveryControlHasAName(t *testing.T) {
	b := open(t, review(t, plain))
	for _, path := range b.pages() {
		b.visit(path)
		assert.Empty(t, b.text(nameless), path)
		assert.InEpsilon(t, 1, b.js(`document.querySelectorAll("h1").length`), 0.01, "%s: one heading of the first level", path)
		assert.NotEmpty(t, b.text(`document.title`))
	}
}

// covered says what hides the element in focus, if anything does, and whether its focus is visible at all.
const covered = `(() => {
  const e = document.activeElement;
  if (!e || e === document.body) return "";
  const r = e.getClientRects()[0] ?? e.getBoundingClientRect(), s = getComputedStyle(e);
  const what = e.tagName + "." + (e.className.baseVal ?? e.className) + " " + e.textContent.trim().slice(0, 30);
  if (r.width < 1 || r.height < 1) return what + " has no size";
  const top = Math.max(r.top, 0), bottom = Math.min(r.bottom, innerHeight); // of a region that is higher than the window
  const at = bottom > top && document.elementFromPoint(r.left + Math.min(r.width / 2, 20), (top + bottom) / 2);
  if (!at) return what + " is outside of the window";
  if (!e.contains(at) && !at.contains(e) && !(e.labels && [...e.labels].some((l) => l.contains(at)))) return what + " is under " + at.tagName + "." + (at.className.baseVal ?? at.className);
  if (s.outlineStyle === "none" && s.boxShadow === "none" && !e.matches("main") && !e.closest("tr.at")) return what + " shows no focus";
  return "";
})()`

func TestFocusGoesThroughThePageAndIsSeen(t *testing.T) {
	b := open(t, review(t, plain))
	for _, path := range b.pages() {
		b.visit(path)
		var order []string
		for range 60 {
			b.press(kb.Tab)
			assert.Empty(t, b.text(covered), path)
			at := b.text(`(() => { const e = document.activeElement; if (!e || e === document.body) return ""; window.places ??= []; if (!window.places.includes(e)) window.places.push(e); return String(window.places.indexOf(e)); })()`)
			if at == "" { // through
				break
			}
			order = append(order, at)
		}
		require.NotEmpty(t, order, path)
		require.Len(t, unique(order), len(order), "%s: focus goes in a circle: %v", path, order)
	}
	// By the keys of the queue, too, and below a message.
	b.visit("/queue?view=all")
	for range 30 {
		b.press("j")
		require.Empty(t, b.text(covered))
	}
	b.press("0")
	b.said("Scored 0")
	assert.Equal(t, false, b.js(`(() => { const r = document.activeElement.getBoundingClientRect(), t = document.querySelector(".toasts").firstElementChild.getBoundingClientRect();
	  return r.bottom > t.top && r.top < t.bottom && r.right > t.left && r.left < t.right; })()`), "the message covers the focus")
}

func unique(names []string) map[string]bool {
	set := map[string]bool{}
	for _, n := range names {
		set[n] = true
	}
	return set
}

// At 200 % a window of 1280 px has 640 px of CSS; WCAG's reflow asks for 320.
func TestNothingScrollsSideways(t *testing.T) {
	b := open(t, review(t, plain))
	paths := b.pages()
	for _, size := range []struct {
		width, height int64
		scale         float64
	}{{1280, 800, 1}, {640, 400, 2}, {390, 844, 3}, {320, 640, 1}} {
		b.run(chromedp.EmulateViewport(size.width, size.height, chromedp.EmulateScale(size.scale)))
		for _, path := range paths {
			b.visit(path)
			assert.Empty(t, b.text(broken), "%s at %d px", path, size.width)
		}
	}
}

// On a phone everything can be decided by touch.
func TestPhone(t *testing.T) {
	b := open(t, review(t, plain))
	b.run(chromedp.EmulateViewport(390, 844, chromedp.EmulateMobile, chromedp.EmulateTouch))
	b.visit("/queue?view=clusters")
	key := b.text(`document.querySelector("tr[data-key]").dataset.key`)
	b.visit("/questions/" + key)
	b.run(chromedp.ScrollIntoView(`button[name=score][value="0"]`), chromedp.Click(`button[name=score][value="0"]`))
	b.said("Scored 0")
	small := b.text(`[...document.querySelectorAll("main button, main a.plain, nav a")].filter((e) => { const r = e.getBoundingClientRect(); return e.checkVisibility() && r.height > 0 && r.height < 24; }).map((e) => e.outerHTML.slice(0, 80)).join("\n")`)
	assert.Empty(t, small, "controls that a finger misses: WCAG 2.5.8 asks for 24 px")
}

func unpack(t testing.TB, archive []byte, name string) string {
	t.Helper()
	text, err := fromTar(bytes.NewReader(archive), name)
	require.NoError(t, err)
	return text
}
