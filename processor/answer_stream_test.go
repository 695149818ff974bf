package processor

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/store"
)

// renamed is a model of another vocabulary.
func renamed(m *model.Model) *model.Model {
	other := *m
	other.Names, other.Clusters = slices.Clone(m.Names), slices.Clone(m.Clusters)
	for i := range other.Names {
		other.Names[i] += " v2"
	}
	for i := range other.Clusters {
		other.Clusters[i].Event += " v2"
		other.Clusters[i].Contexts = nil
	}
	return &other
}

// What a pipeline of an analyst answers is in force in another pipeline within reload, and for every model after that.
func TestAnswersHoldInOtherPipelinesAndForOtherModels(t *testing.T) {
	dir, first, second := t.TempDir(), little(t, 1), little(t, 2)
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(time.Unix(1_800_000_000, 0))) // after the alerts
		publish(t, dir, first)
		env := service.GlobalEnvironment()
		scoring, score, scored := stream(t, env, 1, "deepcase_sequence: {length: 3, timeout: 1h}", fmt.Sprintf("deepcase_predict: {model: %q}", dir))
		labelling, label, labelled := stream(t, env, 1, fmt.Sprintf("deepcase_label: {model: %q, by: ann}", dir))
		running := make(chan error, 2)
		for _, s := range []*service.Stream{scoring, labelling} {
			go func() { running <- s.Run(t.Context()) }()
		}
		day := 0
		ask := func() *service.Message { // always in the same context
			day++
			at := day * 86400
			require.NoError(t, score(t.Context(), messages(alertOf("m", "guess", at), alertOf("m", "scan", at+1), alertOf("m", "never seen", at+2))))
			return scored.messages[len(scored.messages)-1]
		}
		decide := func(content string) (reply map[string]any) {
			require.NoError(t, label(t.Context(), messages(content)))
			message := labelled.messages[len(labelled.messages)-1]
			require.NoError(t, message.GetError())
			require.NoError(t, json.Unmarshal([]byte(text(t, message)), &reply))
			return reply
		}
		asked := ask()
		require.Equal(t, "unknown_event", at(t, asked)["status"])
		answer := decide(strings.Replace(text(t, asked), "{", `{"score":3,`, 1))
		require.Equal(t, at(t, asked)["pattern"], answer["pattern"])
		reload()
		holds := func(version string) {
			t.Helper()
			now := at(t, ask())
			require.Equal(t, "answered", now["status"])
			require.Equal(t, 3.0, now["score"])
			require.Equal(t, answer["number"], now["answer"].(map[string]any)["number"])
			if version != "" {
				require.Equal(t, version, now["model"])
			}
		}
		holds("")
		models, err := store.Open(dir, false)
		require.NoError(t, err)
		for _, change := range []func() (string, error){
			func() (string, error) { return models.Publish(t.Context(), second) },
			func() (string, error) { return models.Rollback(t.Context(), "") },
			func() (string, error) { return models.Publish(t.Context(), renamed(first)) },
		} {
			version, err := change()
			require.NoError(t, err)
			reload()
			holds(version)
		}
		decide(fmt.Sprintf(`{"undo":%v}`, answer["number"]))
		reload()
		require.Equal(t, "unknown_event", at(t, ask())["status"])
		for _, s := range []*service.Stream{scoring, labelling} {
			require.NoError(t, s.Stop(t.Context()))
			require.NoError(t, <-running)
		}
	})
}
