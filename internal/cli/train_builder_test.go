package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/model/store"
)

func TestTrainGoesOnFromABuilderWithNamesInAnyOrder(t *testing.T) {
	m := scoreless(t)
	m.Names = []string{"c", "a", "b"}
	m.Clusters, m.Vectors, m.VectorCluster = nil, nil, nil
	dir, file := filepath.Join(t.TempDir(), "model"), filepath.Join(t.TempDir(), "events.csv")
	publishIn(t, dir, m)
	require.NoError(t, os.WriteFile(file, []byte("timestamp,machine,event\n1,m,a\n2,m,b\n3,m,c\n4,m,b\n"), 0o644))
	app := &ucli.App{Commands: []*ucli.Command{Command()}, Writer: io.Discard, ErrWriter: io.Discard, ExitErrHandler: func(*ucli.Context, error) {}}
	require.NoError(t, app.RunContext(t.Context(),
		[]string{"", "deepcase", "train", "--csv", file, "--load-builder", dir, "--epochs", "1", "--save-builder", dir}))
	st, err := store.Open(dir, false)
	require.NoError(t, err)
	further, _, err := loadVersion(st, "")
	require.NoError(t, err)
	assert.Equal(t, m.Names, further.Names)
	assert.Equal(t, 4, further.Samples)
	assert.NotEqual(t, m.Weights.Tensors(), further.Weights.Tensors())
}

// interrupting is an engine whose training an interrupt ends after its first batches.
type interrupting struct {
	contextbuilder.Engine
	interrupt func()
}

func (e interrupting) Train(ctx context.Context, w *contextbuilder.Weights, s contextbuilder.Samples, t contextbuilder.Training) error {
	shown := t.Progress
	t.Progress = func(p contextbuilder.Progress) {
		shown(p)
		if p.Batch == 3 {
			e.interrupt()
		}
	}
	return e.Engine.Train(ctx, w, s, t)
}

func TestAnInterruptedTrainingThatHasDivergedIsNotSaved(t *testing.T) {
	file := filepath.Join(t.TempDir(), "events.csv")
	require.NoError(t, os.WriteFile(file, []byte("timestamp,machine,event\n1,m,a\n2,m,b\n3,m,c\n4,m,b\n"), 0o644))
	for rate, want := range map[string]string{"0.01": "what was learnt until then is saved in", "1e30": "nothing is saved: the training has diverged"} {
		dir := filepath.Join(t.TempDir(), "model")
		app := &ucli.App{ExitErrHandler: func(*ucli.Context, error) {}, Commands: []*ucli.Command{{Name: "train", Flags: modeFlags(), Action: func(c *ucli.Context) error {
			ctx, stop := context.WithCancel(c.Context)
			defer stop()
			s := &session{flags: c, out: io.Discard, notes: io.Discard}
			q, err := s.sequences(ctx, nil)
			require.NoError(t, err)
			p, err := s.params()
			require.NoError(t, err)
			_, err = s.train(ctx, interrupting{cpu.New(), stop}, q, p, nil)
			return err
		}}}}
		err := app.RunContext(t.Context(), []string{"", "train", "--csv", file, "--batch", "1", "--learning-rate", rate, "--save-builder", dir})
		require.ErrorContains(t, err, "training was interrupted: "+want)
		_, err = os.Stat(dir)
		assert.Equal(t, rate == "0.01", err == nil)
	}
}
