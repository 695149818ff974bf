package cli

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/model/store"
)

// scoreless is a model with two clusters that have no score.
func scoreless(t *testing.T) *model.Model {
	p := model.DefaultParams()
	p.Length, p.Hidden = 2, 3
	w, err := contextbuilder.Init(contextbuilder.Config{Events: 4, Length: 2, Hidden: 3, Layers: 1}, 1)
	require.NoError(t, err)
	return &model.Model{Params: p, Names: []string{"a", "b", "c"}, Weights: w, Samples: 12, VectorCluster: []int32{0, 1},
		Clusters: []model.Cluster{{ID: 0, Event: "b", Size: 7, Score: interpreter.NoScore}, {ID: 1, Event: "c", Size: 5, Score: interpreter.NoScore}},
		Vectors:  &interpreter.Vectors{Offsets: []int32{0, 1, 2}, IDs: []int32{0, 1}, Values: []int32{10_000, 10_000}}}
}

// withOtherVectors is a model whose clusters look like those of m but have other vectors.
func withOtherVectors(m *model.Model) *model.Model {
	other := *m
	other.Vectors = &interpreter.Vectors{Offsets: []int32{0, 1, 2}, IDs: []int32{0, 1}, Values: []int32{10_000, 9_000}}
	return &other
}

func publishIn(t *testing.T, dir string, m *model.Model) string {
	t.Helper()
	st, err := store.Open(dir, true)
	require.NoError(t, err)
	version, err := st.Publish(t.Context(), m)
	require.NoError(t, err)
	return version
}

// manualBeside runs `deepcase manual` on dir while another writer makes version current: after manual has loaded the one before.
func manualBeside(t *testing.T, dir, version, labels string) error {
	t.Helper()
	file := filepath.Join(t.TempDir(), "labels.csv")
	require.NoError(t, os.WriteFile(file, []byte(labels), 0o644))
	lock := flock.New(filepath.Join(dir, "LOCK"))
	require.NoError(t, lock.Lock())
	defer lock.Close()
	notes, out := io.Pipe()
	app := &ucli.App{Commands: []*ucli.Command{Command()}, Writer: io.Discard, ErrWriter: out, ExitErrHandler: func(*ucli.Context, error) {}}
	ended := make(chan error, 1)
	go func() {
		err := app.RunContext(t.Context(), []string{"", "deepcase", "manual", "--load-interpreter", dir, "--load-clusters", file, "--save-interpreter", dir})
		out.CloseWithError(io.EOF)
		ended <- err
	}()
	lines := bufio.NewScanner(notes)
	require.True(t, lines.Scan())
	require.Contains(t, lines.Text(), "loaded version")
	require.NoError(t, os.WriteFile(filepath.Join(dir, "CURRENT"), []byte(version+"\n"), 0o644))
	require.NoError(t, lock.Close())
	for lines.Scan() {
	}
	return <-ended
}

func TestManualKeepsWhatOthersPublish(t *testing.T) {
	for name, labels := range map[string]string{
		"one row per cluster": "cluster,score\n0,3\n",
		"one row per event":   "clusters,labels\n" + strings.Repeat("0,3\n", 7) + strings.Repeat("1,-1\n", 5),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			m := scoreless(t)
			scored, err := m.WithScores(map[int]float64{1: 4})
			require.NoError(t, err)
			others := publishIn(t, dir, scored)
			publishIn(t, dir, m)
			require.NoError(t, manualBeside(t, dir, others, labels))
			st, err := store.Open(dir, false)
			require.NoError(t, err)
			now, _, err := loadVersion(st, "")
			require.NoError(t, err)
			assert.Equal(t, []float64{3, 4}, scores(now))
		})
	}
}

func TestManualRefusesClustersThatWereReplaced(t *testing.T) {
	dir := t.TempDir()
	others := publishIn(t, dir, withOtherVectors(scoreless(t)))
	publishIn(t, dir, scoreless(t))
	err := manualBeside(t, dir, others, "cluster,score\n0,3\n")
	assert.ErrorContains(t, err, dir+": another model was published in the meantime: the clusters have other contexts")
	st, err := store.Open(dir, false)
	require.NoError(t, err)
	version, err := st.Current()
	require.NoError(t, err)
	assert.Equal(t, others, version)
}

func TestLabelsOfAVersionThatIsGone(t *testing.T) {
	dir := t.TempDir()
	meant := publishIn(t, dir, scoreless(t))
	st, err := store.Open(dir, false)
	require.NoError(t, err)
	_, err = st.Update(t.Context(), func(_ string, m *model.Model) (*model.Model, error) { return m.WithScores(map[int]float64{1: 4}) })
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(filepath.Join(dir, "versions", meant)))
	labels, err := readClusters(strings.NewReader(fmt.Sprintf("cluster,score,model\n0,1,%s\n", meant)))
	require.NoError(t, err)
	assert.NoError(t, labels.checkVersion(dir, scoreless(t)))
	publishIn(t, dir, scoreless(t)) // trained again
	assert.ErrorIs(t, labels.checkVersion(dir, scoreless(t)), os.ErrNotExist)
}

func TestLabelsOfClustersThatOnlyLookAlike(t *testing.T) {
	dir := t.TempDir()
	version := publishIn(t, dir, withOtherVectors(scoreless(t)))
	labels, err := readClusters(strings.NewReader(fmt.Sprintf("cluster,score,model\n0,1,%s\n", version)))
	require.NoError(t, err)
	assert.ErrorContains(t, labels.checkVersion(dir, scoreless(t)), "which has other clusters")
	assert.NoError(t, labels.checkVersion(dir, withOtherVectors(scoreless(t))))
}
