package desk

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/review"
	"connect-deepcase/model"
)

// Questions and cases have the techniques of their alerts, and clusters those of their examples, too. The queue finds them.
func TestTechniquesOfItems(t *testing.T) {
	r := &room{t: t, dir: t.TempDir(), model: little(t, 1), now: start.Add(24 * time.Hour)}
	login := &r.model.Clusters[clusterOf(t, r.model, "login")]
	login.Examples = []json.RawMessage{json.RawMessage(`{"tags":["attack.t1078","attack.t1110.001"]}`)}
	r.publish(r.model)
	a := r.desk(t.TempDir())
	a.names = []string{"T1021.004"}
	a.see(3, rareSample, model.NoCluster, "case-", "pc-1")
	a.names = []string{"T1110.001"}
	a.see(6, rareSample, model.NoCluster, "case-", "pc-1")
	a.see(1, loginSample, model.Unscored, "", "pc-1")
	a.names = nil
	a.see(1, backupSample, model.Unscored, "", "pc-1")

	require.Equal(t, []string{"T1110.001", "T1021.004"}, a.item("scan").Techniques, "the most frequent first")
	require.Equal(t, []string{"T1110.001", "T1078"}, a.item("login").Techniques, "live ones, then those of the examples")
	require.Empty(t, a.item("backup").Techniques)
	cases := a.Queue("ann", review.Query{View: review.Cases}).Items
	require.Len(t, cases, 1)
	require.Equal(t, []string{"T1110.001", "T1021.004"}, cases[0].Techniques)

	for query, want := range map[string]int{
		"technique:T1110": 3, "technique:t1110.001": 3, "technique:T1078": 1, "technique:T1021 kind:case": 1, "technique:T11": 0, "technique:T1110.0": 0, "technique:T1003": 0,
	} {
		require.Equal(t, want, a.Queue("ann", review.Query{View: review.All, Text: query}).Matching, query)
	}
}
