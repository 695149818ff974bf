package page

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/review"
)

// answered counts the patterns that have an answer.
func answered(of []review.Pattern) (n int) {
	for _, p := range of {
		if p.Answer != nil && p.Answer.InForce {
			n++
		}
	}
	return n
}

func TestAPatternIsAnsweredAlone(t *testing.T) {
	s := newSite(t, friendly)
	id := s.items(review.Query{View: review.Unsure})[0].ID
	q, err := s.desk.Question(id)
	require.NoError(t, err)
	require.Greater(t, len(q.Listed), 2)
	first := q.Listed[0].Key.String()
	require.Contains(t, s.get(link(id)), `name="pattern" form="decide" value="`+first+`"`)

	w := s.form("/decide", url.Values{"item": {id + " " + q.Rev}, "pattern": {first}, "score": {"2"}, "next": {"/queue"}})
	require.Equal(t, http.StatusSeeOther, w.Code, w.Body)
	require.Equal(t, link(id), w.Header().Get("Location"), "the others wait there")
	after, err := s.desk.Question(id)
	require.NoError(t, err)
	require.Equal(t, 1, answered(after.Listed))
	require.Equal(t, q.Undecided-1, after.Undecided)

	target := func(patterns ...string) map[string]any {
		return map[string]any{"items": []review.Target{{ID: id, Rev: after.Rev, Patterns: patterns}}, "action": "score", "score": 0}
	}
	code, out := s.post("/api/decisions", target("00"))
	require.Equal(t, http.StatusUnprocessableEntity, code)
	require.Contains(t, out["error"], "was not listed")
	code, out = s.post("/api/decisions", target(q.Listed[1].Key.String()))
	require.Equal(t, http.StatusOK, code, out)
	code, out = s.post("/api/undo", map[string]any{"batch": out["batch"]})
	require.Equal(t, http.StatusOK, code, out)
	last, err := s.desk.Question(id)
	require.NoError(t, err)
	require.Equal(t, 1, answered(last.Listed))
}

func TestAPatternOfACaseIsAnsweredAlone(t *testing.T) {
	s := newSite(t, friendly)
	var c review.CaseView
	for _, x := range s.items(review.Query{View: review.Cases}) {
		var err error
		c, err = s.desk.Case(x.ID)
		require.NoError(t, err)
		if len(c.Patterns) > 1 {
			break
		}
	}
	require.Greater(t, len(c.Patterns), 1)
	item := review.Target{ID: c.ID, Rev: c.Rev, Patterns: []string{c.Patterns[0].Key.String()}}
	code, out := s.post("/api/decisions", map[string]any{"items": []review.Target{item}, "action": "close"})
	require.Equal(t, http.StatusUnprocessableEntity, code)
	require.Contains(t, out["error"], "cannot be closed alone")
	code, out = s.post("/api/decisions", map[string]any{"items": []review.Target{item}, "action": "score", "score": 0})
	require.Equal(t, http.StatusOK, code, out)
	after, err := s.desk.Case(c.ID)
	require.NoError(t, err)
	require.Equal(t, answered(c.Patterns)+1, answered(after.Patterns))
	require.Nil(t, after.Score, "the case itself has no verdict yet")
	cluster := s.items(review.Query{View: review.Clusters})[0]
	code, out = s.post("/api/decisions", map[string]any{"items": []review.Target{{ID: cluster.ID, Rev: cluster.Rev, Patterns: item.Patterns}}, "action": "score", "score": 0})
	require.Equal(t, http.StatusUnprocessableEntity, code, out)
}

// What a training was labelled with gives the answer away.
func TestLabelsOfDocumentsAreNoColumns(t *testing.T) {
	require.Equal(t, []string{"message"}, columns([]review.Document{{Body: []byte(`{"label":"attack","attack":true,"message":"x","machine":"m"}`)}}))
}

func TestTechniquesAreShown(t *testing.T) {
	s := newSite(t, []string{"a", "b", "c", "d"})
	for _, path := range []string{"/queue", "/queue?view=cases", "/queue?q=technique:T1021"} {
		require.Contains(t, s.get(path), `<span class="tag">T1021.004</span> <span class="tag">T1110</span>`, path)
	}
	require.Contains(t, s.get("/queue?q=technique:T1003"), "Nothing matches")
	for _, x := range s.items(review.Query{View: review.All, Limit: 1000}) {
		require.Contains(t, s.get(link(x.ID)), `<span class="tag"><bdi>T1021.004</bdi></span><span class="tag"><bdi>T1110</bdi></span>`, x.Event)
	}
}
