package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWritesAreThereAfterReopening(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "store")
	d, err := Open(dir)
	require.NoError(t, err)
	put := func(value int, fail error) error {
		return d.Alerts.Write(context.Background(), func(tx *sql.Tx) error {
			_, err := tx.Exec("INSERT OR REPLACE INTO total VALUES (1, ?)", value)
			return errors.Join(err, fail)
		})
	}
	require.NoError(t, put(1, nil))
	require.ErrorContains(t, put(2, errors.New("no")), "no")
	require.NoError(t, d.Close())
	d, err = Open(dir)
	require.NoError(t, err)
	defer d.Close()
	var value int
	require.NoError(t, d.Alerts.Read().QueryRow("SELECT state FROM total").Scan(&value))
	require.Equal(t, 1, value)
	_, err = d.Alerts.Read().Exec("DELETE FROM total")
	require.Error(t, err, "readers only read")
	info, err := os.Stat(filepath.Join(dir, "alerts.db"))
	require.NoError(t, err)
	require.Zero(t, info.Mode().Perm()&0o077, "others cannot read it")
}

func TestOneProcessADirectory(t *testing.T) {
	dir := t.TempDir()
	d, err := Open(dir)
	require.NoError(t, err)
	_, err = Open(dir)
	require.ErrorContains(t, err, "in use by another process")
	require.NoError(t, d.Close())
	d, err = Open(dir)
	require.NoError(t, err)
	require.NoError(t, d.Close())
}

func TestDamagedAndNewerFilesAreRefused(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "alerts.db"), []byte("no database, but a text that is long enough to be taken for one: "+fmt.Sprint(make([]int, 100))), 0o600))
	_, err := Open(dir)
	require.ErrorContains(t, err, "move it away")

	dir = t.TempDir()
	d, err := Open(dir)
	require.NoError(t, err)
	_, err = d.Alerts.writer.Exec("PRAGMA user_version = 99")
	require.NoError(t, err)
	require.NoError(t, d.Close())
	_, err = Open(dir)
	require.ErrorContains(t, err, "format 99")
	d, err = Open(t.TempDir())
	require.NoError(t, err)
	require.NoError(t, d.Close())
}

func TestPathsMayBeRelativeAndOdd(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, dir := range []string{"store", "a/b", "with space", "50%?x#y", "./c:d"} {
		db, err := Open(dir)
		require.NoError(t, err, dir)
		require.NoError(t, db.Close())
		require.FileExists(t, dir+"/review.db")
	}
}

func TestARemovedFileTakesNothing(t *testing.T) {
	dir := t.TempDir()
	d, err := Open(dir)
	require.NoError(t, err)
	defer d.Close()
	require.NoError(t, d.There())
	path := filepath.Join(dir, "alerts.db")
	require.NoError(t, os.Rename(path, path+".old"))
	write := func() error { return d.Alerts.Write(context.Background(), func(*sql.Tx) error { return nil }) }
	require.ErrorContains(t, write(), "was removed or replaced")
	require.ErrorContains(t, d.There(), "alerts.db was removed")
	require.NoError(t, os.WriteFile(path, nil, 0o600)) // a backup is put there
	require.ErrorContains(t, write(), "was removed or replaced")
	require.NoError(t, d.File.Write(context.Background(), func(*sql.Tx) error { return nil }))
}
