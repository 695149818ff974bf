//go:build browser

package browser

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const openCount = `document.querySelector("[data-open]").textContent`

// journal is the text of the decision journal of a test's model directory.
func journal(t testing.TB, s *server) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(s.process.Dir, "model", "decisions.ndjson"))
	require.NoError(t, err)
	return string(text)
}

// rowOf is an expression for the row of an item.
func rowOf(id string) string { return `document.querySelector('tr[data-key="` + id + `"]')` }

func TestScoreAndUndoByKey(t *testing.T) {
	s := review(t, plain)
	b := open(t, s)
	b.visit("/")
	before, first := b.text(openCount), b.text(inFocus)
	require.NotEmpty(t, first)
	b.press("0")
	b.said("Scored 0")
	b.until(rowOf(first) + `.matches(".done")`)
	assert.Contains(t, b.text(rowOf(first)+`.querySelector(".made").textContent`), "ann")
	assert.NotEqual(t, before, b.text(openCount))
	assert.NotEqual(t, first, b.text(inFocus), "the next question is in focus")
	b.press("u")
	b.said("Undone")
	b.until(`!` + rowOf(first) + `.matches(".done")`)
	assert.Equal(t, before, b.text(openCount))
	assert.Equal(t, first, b.text(inFocus), "what was undone is in focus again")
	b.press("2")
	b.said("Scored 2")
	b.run(key("z", input.ModifierCtrl))
	b.until(openCount + ` === ` + fmt.Sprintf("%q", before))
	made := strings.Count(journal(t, s), `"by":"ann"`)
	undone := strings.Count(journal(t, s), `"kind":"undo"`)
	assert.GreaterOrEqual(t, undone, 2)
	assert.Equal(t, made, 2*undone, "what was decided and what undid it are in the journal")
}

func TestCommentOnAQuestion(t *testing.T) {
	s := review(t, plain)
	b := open(t, s)
	b.visit("/queue?view=clusters")
	b.press(kb.Enter)
	b.until(`document.querySelector("[data-item]") && document.body.dataset.ready`)
	key := b.text(`document.querySelector("[data-item]").dataset.key`)
	b.press("j") // the next one
	b.until(fmt.Sprintf(`document.querySelector("[data-item]")?.dataset.key !== %q && document.body.dataset.ready`, key))
	b.press("k")
	b.until(fmt.Sprintf(`document.querySelector("[data-item]")?.dataset.key === %q && document.body.dataset.ready`, key))
	b.press("b")
	b.until(`document.querySelector("[data-queue]") && document.body.dataset.ready`)
	b.press("j", "j", "k", kb.Enter)
	b.until(`document.querySelector("[data-item]") && document.body.dataset.ready`)
	first := b.text(`document.querySelector("[data-item]").dataset.key`)
	b.press("c")
	b.until(`document.activeElement.name === "why"`)
	b.press("1", " ", "i", "s", " ", "n", "o", " ", "s", "c", "o", "r", "e", " ", "u", "?") // these keys are text here
	assert.Equal(t, "1 is no score u?", b.text(`document.activeElement.value`))
	b.press(kb.Escape, "1")
	b.said("Scored 1")
	b.until(fmt.Sprintf(`document.querySelector("[data-item]")?.dataset.key !== %q`, first))
	b.visit("/questions/" + first)
	history := b.text(`document.querySelector(".history").textContent`)
	assert.Contains(t, history, "ann")
	assert.Contains(t, history, "1 is no score u?")
	b.visit("/decisions")
	assert.Contains(t, b.text(`document.querySelector("main").textContent`), "1 is no score u?")
}

func TestKeysCanBeSwitchedOff(t *testing.T) {
	s := review(t, plain)
	b := open(t, s)
	b.visit("/")
	before := b.text(openCount)
	b.press("?")
	b.until(`document.querySelector("#help").open`)
	b.js(`document.querySelector("[data-keys-on]").click()`)
	b.press(kb.Escape)
	b.until(`!document.querySelector("#help").open`)
	b.visit("/")
	b.press("0", "x", "u", "g", "o")
	assert.Equal(t, before, b.text(openCount))
	assert.Equal(t, "/queue", b.text(`location.pathname`))
	assert.NotContains(t, journal(t, s), `"by":"ann"`)
}

func TestEveryPageByKey(t *testing.T) {
	b := open(t, review(t, plain))
	b.visit("/")
	for _, to := range [][2]string{{"d", "/decisions"}, {"o", "/overview"}, {"m", "/models"}, {"q", "/queue"}} {
		b.press("g", to[0])
		b.until(fmt.Sprintf(`location.pathname === %q && document.body.dataset.ready`, to[1]))
	}
	b.press("d") // alone it leads nowhere
	b.press("/")
	b.until(`document.activeElement.type === "search"`)
}

func TestSelectAndScoreManyAtOnce(t *testing.T) {
	s := review(t, plain)
	b := open(t, s)
	b.visit("/queue?view=clusters")
	before := b.text(openCount)
	b.press("x", "j", "j")
	b.press("X") // with Shift: up to here
	b.until(`document.querySelector("[data-selected]").textContent.startsWith("3 selected")`)
	b.press("0")
	b.said("3 ")
	b.until(`document.querySelectorAll("tr.done").length === 3`)
	b.press("u")
	b.said("Undone")
	b.until(`document.querySelectorAll("tr.done").length === 0`)
	assert.Equal(t, before, b.text(openCount))
	assert.Equal(t, 6, strings.Count(journal(t, s), `"by":"ann"`))
}

func TestSnoozeAndCloseByKey(t *testing.T) {
	s := review(t, plain)
	b := open(t, s)
	b.visit("/queue?view=clusters")
	first := b.text(inFocus)
	b.press("s")
	b.said("Snoozed")
	b.visit("/queue?view=snoozed")
	b.until(rowOf(first))
	b.press("u")
	b.said("Undone")
	b.visit("/queue?view=clusters")
	b.until(rowOf(first))
	assert.NotContains(t, journal(t, s), `"by":"ann"`, "a snooze is not knowledge")
}

func TestTwoAnalystsAtOnce(t *testing.T) {
	folder := copied(t, plain)
	tokens := filepath.Join(folder, "tokens")
	require.NoError(t, os.WriteFile(tokens, []byte("eve publish eve-"+strings.Repeat("e", 40)+"\nfay publish fay-"+strings.Repeat("f", 40)+"\n"), 0o600))
	s := serve(t, folder, "--annotated", "annotated.ndjson", "--tokens", tokens)
	// The sign-in page answers 401.
	eve, fay := open(t, s, "401"), open(t, s, "401", "409")
	eve.signIn("eve-" + strings.Repeat("e", 40))
	fay.signIn("fay-" + strings.Repeat("f", 40))
	eve.visit("/queue?view=clusters")
	question := "/questions/" + eve.text(inFocus)
	eve.visit(question)
	fay.visit(question)
	fay.until(`document.querySelector("[data-others]").textContent.includes("eve")`)
	eve.press("3")
	eve.said("Scored 3")
	fay.press("0")
	fay.until(`document.querySelector("#conflict").open`)
	text := fay.text(`document.querySelector("#conflict").textContent`)
	assert.Contains(t, text, "eve")
	assert.Contains(t, text, "3")
	fay.press(kb.Enter) // keeps theirs
	fay.until(`!document.querySelector("#conflict")?.open`)
	assert.NotContains(t, journal(t, s), `"by":"fay"`)
	// Whoever has seen the other's decision may decide otherwise.
	fay.visit(question)
	assert.Contains(t, fay.text(`document.querySelector(".history").textContent`), "eve")
	fay.press("0")
	fay.said("Scored 0")
	assert.Contains(t, journal(t, s), `"by":"fay"`)
}

// signIn gives a token to the sign-in page, which needs no script.
func (b *tab) signIn(token string) {
	b.t.Helper()
	b.run(chromedp.Navigate(b.url+"/"), chromedp.WaitReady("input[type=password]"), chromedp.SendKeys("input[type=password]", token+kb.Enter),
		chromedp.WaitReady("body[data-ready] [data-open]"))
}
