package drift

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/clusterjson"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

func judged(status model.Status, score float64, cluster int) Verdict {
	return Verdict{model.Verdict{Status: status, Score: score, Cluster: cluster}, decisions.Settled{Status: status, Score: score}}
}

func TestWhatAPersonMustLookAtComesFirst(t *testing.T) {
	bad, benign, open := judged(model.Scored, 3, 1), judged(model.Scored, 0, 2), judged(model.LowConfidence, 0, -1)
	worse, elsewhere, other := judged(model.Scored, 5, 1), judged(model.Scored, 0, 9), judged(model.NoCluster, 0, -1)
	muted := bad
	muted.Settled = decisions.Settled{Status: model.Muted}
	answered := other
	answered.Settled = decisions.Settled{Status: model.Answered, Score: 2}
	c := Compare()
	asked := 0
	add := func(n int, event string, before, now Verdict) {
		for i := range n {
			c.Add(event, fmt.Sprint("web-", i%12), before, now, func() json.RawMessage {
				asked++
				return json.RawMessage(fmt.Sprintf(`{"event":%q,"n":%d}`, event, i))
			})
		}
	}
	add(40, "same", benign, elsewhere) // another number of a cluster is no change
	add(1, "other reason", open, other)
	add(2, "new work", benign, open)
	add(3, "new alarm", benign, bad)
	add(4, "worse", bad, worse)
	add(5, "raised", open, answered)
	add(6, "asked", bad, open)
	add(7, "explained", open, benign)
	add(30, "hidden more", bad, benign)
	add(8, "hidden", bad, muted)

	assert.Equal(t, 106, c.Alerts())
	assert.Equal(t, 38, c.Count(alarm, dismissed))
	assert.Equal(t, 40, c.Count(dismissed, dismissed))
	assert.Equal(t, 5, c.Count(question, alarm))
	changes := c.Changes()
	var events []string
	for _, x := range changes {
		events = append(events, x.Event)
	}
	assert.Equal(t, []string{"hidden more", "hidden", "explained", "asked", "new alarm", "raised", "new work", "worse", "other reason"}, events)
	require.Equal(t, len(changes), asked, "the first document of each group alone")

	one, two, three, zero := 1, 2, 3.0, 0.0
	hidden := changes[0]
	assert.Equal(t, Outcome{Class: alarm, Status: "scored", Score: &three, Cluster: &one}, hidden.Before)
	assert.Equal(t, Outcome{Class: dismissed, Status: "scored", Score: &zero, Cluster: &two}, hidden.Now)
	assert.Equal(t, 30, hidden.Alerts)
	assert.Equal(t, 12, hidden.MachineCount)
	assert.Len(t, hidden.Machines, model.MaxMachines)
	assert.Equal(t, clusterjson.Machine{Machine: "web-0", Count: 3}, hidden.Machines[0])
	assert.JSONEq(t, `{"event":"hidden more","n":0}`, string(hidden.Example))
	assert.Equal(t, Outcome{Class: dismissed, Status: "muted", Cluster: &one}, changes[1].Now)
	assert.Equal(t, Outcome{Class: question, Status: "low_confidence"}, changes[3].Now)
	assert.Empty(t, Compare().Changes())
	disputed := outcomeOf(judged(model.Disputed, 0, 1))
	assert.Equal(t, question, disputed.class(), "a person has to settle it")
}
