package cli

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	ucli "github.com/urfave/cli/v2"

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
