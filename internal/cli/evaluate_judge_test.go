package cli

import (
	"bytes"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
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
	var got struct {
		Training struct{ Judged, Clusters int }
		Tests    []struct {
			DeepCASE struct{ Attacks, Missed int }
		}
	}
	evaluateReal(t, &got, "--judge", "examples", "--epochs", "1", "--train-csv", "russellmitchell.csv.gz", "--test-csv", "santos.csv.gz")
	assert.LessOrEqual(t, got.Training.Judged, 8*got.Training.Clusters)
	assert.Equal(t, 36874, got.Tests[0].DeepCASE.Attacks)
	assert.Less(t, got.Tests[0].DeepCASE.Missed, 100)
}

// evaluateReal runs evaluate on files of the AIT Alert Data Set, and decodes what it prints.
func evaluateReal(t *testing.T, into any, arguments ...string) {
	t.Helper()
	data := "../../../shared/data/ait-ads"
	if _, err := os.Stat(data); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skip("the AIT Alert Data Set is not there: ", err)
	}
	for i, argument := range arguments {
		if strings.HasSuffix(argument, ".csv.gz") {
			arguments[i] = filepath.Join(data, argument)
		}
	}
	var out bytes.Buffer
	app := &ucli.App{Commands: []*ucli.Command{Command()}, Writer: &out, ErrWriter: io.Discard, ExitErrHandler: func(*ucli.Context, error) {}}
	require.NoError(t, app.RunContext(t.Context(), append([]string{"", "deepcase", "evaluate", "--json", "--benign", "-",
		"--columns", "timestamp=time,machine=host,event=name,label=event_label"}, arguments...)))
	require.NoError(t, json.Unmarshal(out.Bytes(), into))
}
