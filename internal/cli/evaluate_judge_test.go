package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	ucli "github.com/urfave/cli/v2"
)

func TestMajority(t *testing.T) {
	clusters := []int32{0, 0, 0, 1, 1, -1, 2}
	labels := []float64{0, 2, 2, 1, 3, 5, -1}
	assert.Equal(t, map[int]float64{0: 2, 1: 3}, majority(clusters, labels), "of equals the higher one")
}

// The clusters of one site, scored by their examples alone, must find the attacks at another site. With the first three events of each cluster
// as examples, a tenth of the attacks was missed.
func TestExamplesOfRealAlertsRepresentThem(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	data := "../../../shared/data/ait-ads"
	if _, err := os.Stat(data); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("the AIT Alert Data Set is not there: ", err)
	}
	var out bytes.Buffer
	app := &ucli.App{Commands: []*ucli.Command{Command()}, Writer: &out, ErrWriter: io.Discard, ExitErrHandler: func(*ucli.Context, error) {}}
	require.NoError(t, app.RunContext(t.Context(), []string{"", "deepcase", "evaluate", "--json", "--judge", "examples", "--epochs", "1",
		"--train-csv", filepath.Join(data, "russellmitchell.csv.gz"), "--test-csv", filepath.Join(data, "santos.csv.gz"),
		"--columns", "timestamp=time,machine=host,event=name,label=event_label", "--benign", "-"}))
	var got struct {
		Training struct{ Judged, Clusters int }
		Tests    []struct {
			DeepCASE struct{ Attacks, Missed int }
		}
	}
	require.NoError(t, json.Unmarshal(out.Bytes(), &got))
	assert.LessOrEqual(t, got.Training.Judged, 8*got.Training.Clusters)
	assert.Equal(t, 36874, got.Tests[0].DeepCASE.Attacks)
	assert.Less(t, got.Tests[0].DeepCASE.Missed, 100)
}
