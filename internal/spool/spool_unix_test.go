//go:build unix

package spool_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// limitFiles makes writes beyond so many bytes of a file fail, as on a full disk; the answer lifts it.
func limitFiles(t *testing.T, bytes uint64) (lift func()) {
	t.Helper()
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before))
	limit := before
	limit.Cur = bytes
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit))
	return func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before)) }
}

// inChild marks the process in which files are limited: the files of the test's own process must not be.
const inChild = "DEEPCASE_TEST_FULL_DISK"

// What a full disk refuses leaves nothing behind, however often it is tried; what is there stays whole.
func TestFullDisk(t *testing.T) {
	if os.Getenv(inChild) == "" {
		command := exec.Command(os.Args[0], "-test.run=^TestFullDisk$", "-test.v")
		command.Env = append(os.Environ(), inChild+"=1")
		out, err := command.CombinedOutput()
		require.NoError(t, err, string(out))
		require.Contains(t, string(out), "--- PASS: TestFullDisk")
		return
	}
	for _, before := range []int{0, 2} {
		dir := t.TempDir()
		s := open(t, dir, 1000)
		if before > 0 {
			require.NoError(t, s.Append(records(0, before)))
		}
		lift := limitFiles(t, 20)
		for range 10 {
			assert.ErrorContains(t, s.Append(records(before, before+3)), "file too large")
		}
		lift()
		assert.Len(t, segments(t, dir), min(1, before))
		assert.Equal(t, before, s.Len())
		require.NoError(t, s.Append(records(before, before+3)))
		assert.Equal(t, names(0, before+3), events(t, s))
	}
}

// A spool with more segments than a process may have files is read and dropped all the same.
func TestMoreSegmentsThanDescriptors(t *testing.T) {
	dir := t.TempDir()
	for i := range 300 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("events-%08d.ndjson", i+1)),
			fmt.Appendf(nil, "{\"event\":\"e%d\",\"document\":{\"i\":%d}}\n", i, i), 0o644))
	}
	var before syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &before))
	limit := before
	limit.Cur = 100
	require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit))
	defer func() { require.NoError(t, syscall.Setrlimit(syscall.RLIMIT_NOFILE, &before)) }()
	s := open(t, dir, 1000)
	require.NoError(t, s.Append(records(300, 302)))
	assert.Equal(t, names(0, 302), events(t, s))
	require.NoError(t, s.Clear())
	assert.Empty(t, segments(t, dir))
}
