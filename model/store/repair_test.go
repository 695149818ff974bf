package store

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWritable(t *testing.T) {
	s := open(t)
	require.NoError(t, s.Writable())
	publish(t, s, 1)
	require.NoError(t, s.Writable())
	entries, err := os.ReadDir(s.dir)
	require.NoError(t, err)
	require.Len(t, entries, 3, "a probe is left")
	require.Len(t, names(t, s), 1)
	require.NoError(t, os.RemoveAll(s.path(versionsDir)))
	require.NoError(t, os.WriteFile(s.path(versionsDir), nil, 0o666))
	require.ErrorContains(t, s.Writable(), s.path(versionsDir))
}
