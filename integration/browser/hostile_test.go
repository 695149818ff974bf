//go:build browser

package browser

import (
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// broken lists what names did to a page: elements of their own, text that other text is hidden below, a page that scrolls sideways.
const broken = `(() => {
  const bad = [];
  if (document.images.length) bad.push(document.images.length + " images");
  for (const e of document.querySelectorAll("*")) {
    for (const a of e.attributes) {
      if (/^on/i.test(a.name)) bad.push(e.tagName + " has " + a.name);
      if (/^(href|src|action|formaction)$/i.test(a.name) && /^\s*javascript:/i.test(a.value)) bad.push(e.tagName + " leads to " + a.value.slice(0, 40));
    }
  }
  if ([...document.scripts].some((s) => !s.src)) bad.push("a script in the page");
  if (document.documentElement.scrollWidth > innerWidth) {
    const wide = [...document.querySelectorAll("main *")].filter((e) => e.getBoundingClientRect().right > innerWidth + 1 && e.checkVisibility());
    bad.push("scrolls sideways, " + document.documentElement.scrollWidth + " of " + innerWidth + " px: " + wide.slice(0, 3).map((e) => e.tagName + "." + (e.className.baseVal ?? e.className)).join(", "));
  }
  const text = document.body.textContent;
  if (/[\u202a-\u202e\u2066-\u2069\u200b-\u200f]/.test(text)) bad.push("characters that turn the direction, or have no width, are in the text");
  for (const e of document.querySelectorAll("main tr, main li, main h1")) {
    const h = e.getBoundingClientRect().height;
    if (h > 400 && e.checkVisibility() && !e.querySelector("tr, li, pre, svg")) bad.push(e.tagName + "." + e.className + " is " + Math.round(h) + " px high");
  }
  return bad.join("\n");
})()`

// pages are the pages of a queue: each of its views, and questions and cases of each kind.
func (b *tab) pages() (paths []string) {
	b.t.Helper()
	paths = []string{"/queue", "/queue?view=clusters", "/queue?view=unsure", "/queue?view=scored", "/queue?view=cases", "/queue?view=snoozed", "/queue?q=nothing+is+called+so", "/decisions", "/overview", "/models"}
	for _, view := range []string{"clusters", "unsure", "scored", "cases"} {
		b.visit("/queue?view=" + view)
		var links []string
		require.NoError(b.t, json.Unmarshal([]byte(b.text(`JSON.stringify([...document.querySelectorAll("tr[data-key] .ev")].map((a) => (a.closest("a") ?? a.querySelector("a") ?? a).getAttribute("href")))`)), &links))
		links = slices.DeleteFunc(links, func(l string) bool { return l == "" })
		paths = append(paths, links[:min(2, len(links))]...)
	}
	return paths
}

func TestHostileNamesAreText(t *testing.T) {
	s := review(t, hostiles)
	b := open(t, s)
	// Each name is an event and a machine.
	for i, name := range hostile {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			for _, field := range []string{"event", "machine"} {
				words := name[:min(len(name), 60)]
				b.visit("/queue?view=all&q=" + url.QueryEscape(words))
				assert.Empty(t, b.text(broken), "%s %s", field, words)
			}
		})
	}
	paths := b.pages()
	b.visit("/queue?view=all")
	for _, name := range hostile {
		var link string
		quoted, err := json.Marshal(name[:min(len(name), 12)])
		require.NoError(t, err)
		if b.run(chromedp.Evaluate(`[...document.querySelectorAll("tr[data-key] .ev")].find((e) => e.textContent.includes(`+string(quoted)+`))?.closest("tr").dataset.key ?? ""`, &link)); link != "" {
			paths = append(paths, "/questions/"+link)
		}
	}
	require.Greater(t, len(paths), 16, "hostile names are in the queue")
	for _, size := range [][2]int64{{1280, 800}, {390, 844}} {
		b.run(chromedp.EmulateViewport(size[0], size[1]))
		for _, path := range paths {
			b.visit(path)
			assert.Empty(t, b.text(broken), "%s at %d px", path, size[0])
		}
	}
	b.run(chromedp.EmulateViewport(1280, 800))
	b.visit("/queue?view=all")
	b.until(`document.body.textContent.includes("<img src=x onerror=alert(2)>")`)
	b.until(`[...document.querySelectorAll(".ctl")].some((e) => e.textContent === "U+202E")`)
	// What the script shows is text, too.
	b.press("2")
	b.said("Scored 2")
	assert.Empty(t, b.text(broken))
	b.visit("/decisions")
	assert.Empty(t, b.text(broken))
}

func TestPolicyStopsScriptsAndElementsMadeOfText(t *testing.T) {
	b := open(t, review(t, plain), "Trusted", "Content Security Policy", "inline")
	b.visit("/")
	assert.Equal(t, "TypeError", b.text(`(() => { try { document.body.innerHTML += "<p>x</p>"; return "made"; } catch (e) { return e.name; } })()`))
	b.js(`(() => { const s = document.createElement("script"); try { s.textContent = "window.ran = 1"; document.body.append(s); } catch {} })()`)
	assert.Equal(t, false, b.js(`!!window.ran`))
}

func TestExportNeutralisesFormulas(t *testing.T) {
	s := review(t, hostiles)
	b := open(t, s)
	b.visit("/queue?view=all&q=" + url.QueryEscape("HYPERLINK"))
	b.press("0")
	b.said("Scored 0")
	_, csv := s.do(t, "GET", "/decisions/export?format=csv", "")
	assert.Contains(t, csv, "HYPERLINK")
	assert.NotRegexp(t, `(?m)(^|[,;"])=HYPERLINK`, csv)
	_, ndjson := s.do(t, "GET", "/decisions/export?format=ndjson", "")
	assert.Contains(t, ndjson, "HYPERLINK")
}
