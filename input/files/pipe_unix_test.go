//go:build unix

package files

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipe")
	require.NoError(t, syscall.Mkfifo(path, 0o600))
	return path
}

func texts(t *testing.T, batch service.MessageBatch) (found []string) {
	for _, m := range batch {
		b, err := m.AsBytes()
		require.NoError(t, err)
		found = append(found, string(b))
	}
	return found
}

// What comes through a pipe goes on at once, and the pipe's end is the input's.
func TestAPipeIsReadAsItComes(t *testing.T) {
	path := fifo(t)
	i := parsed(t, "{ paths: [ "+path+" ] }")
	next := make(chan string, 1)
	go func() {
		w, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return
		}
		defer w.Close()
		for text := range next {
			_, _ = w.WriteString(text)
		}
	}()
	for _, step := range []struct {
		write string
		want  []string
	}{
		{"{\"a\":1}\n", []string{`{"a":1}`}},
		{"{\"a\":2}\n{\"a\":3}\n{\"a\"", []string{`{"a":2}`, `{"a":3}`}},
		{":4}\n", []string{`{"a":4}`}},
	} {
		next <- step.write
		batch, _, err := i.ReadBatch(t.Context())
		require.NoError(t, err)
		assert.Equal(t, step.want, texts(t, batch))
	}
	close(next)
	_, _, err := i.ReadBatch(t.Context())
	assert.Equal(t, service.ErrEndOfInput, err)
	require.NoError(t, i.Close(t.Context()))
}

// Neither a pipe that nobody writes to nor one that is silent holds up the end, and no goroutine stays.
func TestCloseDoesNotWaitForAPipe(t *testing.T) {
	for name, write := range map[string]string{"nobody writes": "", "a line is open": "{\"a\"", "a line came": "{\"a\":1}\n"} {
		t.Run(name, func(t *testing.T) {
			before := runtime.NumGoroutine()
			path := fifo(t)
			i := parsed(t, "{ paths: [ "+path+" ] }")
			if write != "" {
				w, err := os.OpenFile(path, os.O_RDWR, 0)
				require.NoError(t, err)
				defer w.Close()
				_, err = w.WriteString(write)
				require.NoError(t, err)
			}
			if strings.HasSuffix(write, "\n") {
				_, _, err := i.ReadBatch(t.Context())
				require.NoError(t, err)
			}
			ended := make(chan error, 1)
			go func() {
				_, _, err := i.ReadBatch(context.Background())
				ended <- err
			}()
			// It holds the lock for as long as it reads.
			require.Eventually(t, func() bool {
				free := i.mu.TryLock()
				if free {
					i.mu.Unlock()
				}
				return !free
			}, 2*time.Minute, time.Millisecond)
			require.NoError(t, i.Close(t.Context()))
			assert.ErrorIs(t, <-ended, context.Canceled)
			assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 2*time.Minute, time.Millisecond,
				"%d goroutines before, and one that looks", before)
		})
	}
}

// The end may come before the goroutine that opens the pipe gets to it.
func TestNoGoroutineWaitsForAPipeAfterTheEnd(t *testing.T) {
	before := runtime.NumGoroutine()
	path := fifo(t)
	ended, end := context.WithCancel(t.Context())
	end()
	for range 200 {
		_, err := openFile(ended, path, true)
		require.ErrorIs(t, err, context.Canceled)
	}
	assert.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 2*time.Minute, time.Millisecond,
		"%d goroutines before, and one that looks", before)
}
