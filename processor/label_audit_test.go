package processor

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

// An audited event is answered, not its cluster scored. Each counts once, as it was decided last.
func TestDecisionsOnAuditsAreCounted(t *testing.T) {
	recorded.values = map[string]int64{}
	builder := service.NewResourceBuilder()
	require.NoError(t, builder.SetMetricsYAML("recorded: {}"))
	builder.SetLogger(slog.New(slog.DiscardHandler))
	resources, closeResources, err := builder.Build()
	require.NoError(t, err)
	defer func() { assert.NoError(t, closeResources(t.Context())) }()
	dir, m := t.TempDir(), little(t, 1)
	version := publish(t, dir, scored(t, m, "login", 0))
	l, err := newLabelFromParsed(parse(t, labelSpec(), "model: "+dir+"\nby: ann"), resources)
	require.NoError(t, err)
	figures := func() []int64 {
		return []int64{recorded.value("deepcase_audit_decided"), recorded.value("deepcase_audit_attacks"), recorded.value("deepcase_audit_miss_ppm")}
	}
	assert.Equal(t, []int64{0, 0, 1_000_000}, figures())
	decide := func(kind string, number int, score float64) map[string]any {
		content := fmt.Sprintf(`{"score":%v,"deepcase":{"machine":"m-%d","event":"login","context":[null,"scan","guess"],"status":"scored","score":0,"cluster":%d,
			"send":true,"case":"%s-%d","case_kind":%q,"case_opened":true}}`, score, number, clusterOf(t, m, "login"), kind, number, kind)
		out := process(t, l, messages(content))
		require.NoError(t, out[0].GetError())
		var reply map[string]any
		require.NoError(t, json.Unmarshal([]byte(text(t, out[0])), &reply))
		return reply
	}
	reply := decide("audit", 1, 0)
	assert.Equal(t, "pattern_on_machine", reply["scope"])
	assert.Equal(t, []int64{1, 0, 950_000}, figures())
	decide("audit", 1, 0)
	decide("audit", 2, 0)
	decide("burst", 3, 0)
	assert.Equal(t, []int64{2, 0, 776_394}, figures())
	decide("audit", 2, 3)
	assert.Equal(t, []int64{2, 1, 974_680}, figures())
	decide("audit", 2, 0)
	assert.Equal(t, []int64{2, 0, 776_394}, figures())

	now, _ := current(t, dir)
	assert.Equal(t, version, now, "no cluster was scored")
	models, err := store.Open(dir, false)
	require.NoError(t, err)
	journal := models.Decisions(decisions.DefaultHold)
	answers := 0
	_, err = journal.Each(func(d decisions.Decision) error {
		if d.Kind == decisions.Answer {
			answers++
		}
		return nil
	})
	require.NoError(t, err)
	assert.Equal(t, 4, answers)
}
