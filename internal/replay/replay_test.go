package replay_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/replay"
	"connect-deepcase/model/decisions"
)

var target = annotation.Target{"deepcase"}

// alert is a document with an annotation.
func alert(machine, context, verdict string) string {
	return fmt.Sprintf(`{"deepcase":{"machine":%q,"event":"e","context":[%q,null],%s}}`, machine, context, verdict)
}

func TestReplay(t *testing.T) {
	documents := []string{
		alert("m", "a", `"status":"low_confidence"`),
		alert("m", "a", `"status":"no_cluster","case":"attacked"`),
		alert("m", "b", `"status":"unscored","cluster":1`),
		alert("n", "a", `"status":"unknown_event"`),
		alert("n", "a", `"status":"no_model"`),
		alert("m", "a", `"status":"scored","score":0,"cluster":1`),
		alert("m", "c", `"status":"scored","score":3,"cluster":2,"case":"attacked"`),
		alert("n", "c", `"status":"muted","score":0,"cluster":2,"answer":{"scope":"event","verdict":"scored"}`),
		alert("o", "a", `"status":"answered","score":2,"answer":{"scope":"pattern_on_machine","verdict":"no_cluster"}`),
		alert("o", "a", `"status":"answered","score":0,"answer":{"scope":"event","verdict":"no_cluster"}`),
		alert("o", "a", `"status":"answered","score":2,"answer":{"scope":"pattern","verdict":"scored"}`),
	}
	var alerts replay.Alerts
	refused, why, err := alerts.Read(target, strings.NewReader(strings.Join(documents, "\n")+"\n{}\n\nno JSON"))
	require.NoError(t, err)
	assert.Equal(t, 2, refused)
	assert.EqualError(t, why, "line 12: deepcase: no annotation of deepcase_sequence, with an event and its context")
	assert.Equal(t, len(documents), alerts.Len())
	subject := decisions.Subject{Event: "e", Context: []string{"", "a"}, Machine: "m"}
	for _, c := range []struct {
		kind     decisions.Kind
		scope    decisions.Scope
		score    float64
		settled  int
		attacks  int
		machines int
	}{
		{decisions.Answer, decisions.PatternOnMachine, 0, 2, 1, 1},
		{decisions.Answer, decisions.PatternOnMachine, 3, 3, 1, 1},
		{decisions.Answer, decisions.Pattern, 0, 4, 1, 3},
		{decisions.Answer, decisions.Pattern, 3, 6, 2, 3},
		{decisions.Answer, decisions.EventOnMachine, 0, 3, 1, 1},
		{decisions.Answer, decisions.Event, 3, 5, 1, 3},
		{decisions.Mute, decisions.PatternOnMachine, 0, 0, 0, 0},
		{decisions.Mute, decisions.EventOnMachine, 0, 1, 1, 1},
		{decisions.Mute, decisions.Event, 0, 4, 4, 3},
	} {
		d := decisions.Decision{Kind: c.kind, Scope: c.scope, Score: c.score, Key: subject.Key(c.scope), Reason: "r", Until: time.Unix(0, 0)}
		figures, err := alerts.Replay(d)
		require.NoError(t, err)
		assert.Equal(t, replay.Figures{Recent: len(documents), Settled: c.settled, Attacks: c.attacks, Machines: c.machines}, figures, c)
	}
}

func TestACloneIsAnother(t *testing.T) {
	var alerts replay.Alerts
	require.NoError(t, alerts.Add(target, []byte(alert("m", "a", `"status":"no_cluster"`))))
	clone := alerts.Clone()
	require.NoError(t, clone.Add(target, []byte(alert("m", "a", `"status":"no_cluster"`))))
	assert.Equal(t, 1, alerts.Len())
	assert.Equal(t, 2, clone.Len())
	assert.Error(t, clone.Add(target, []byte(alert("m", "a", `"status":"new"`))))
}
