package store

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
)

// childDir names the environment variable that makes this test binary a writer: it counts the current model up in that directory for
// as long as it lives, and prints each number that it published.
const childDir = "DEEPCASE_TEST_WRITER_DIR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(childDir); dir != "" {
		s, err := Open(dir, false, Retain(3))
		for err == nil {
			published := 0
			_, err = s.Update(context.Background(), func(_ string, current *model.Model) (*model.Model, error) {
				published = current.Samples + 1
				return numbered(published), nil
			})
			if err == nil {
				fmt.Println(published)
			}
		}
		fmt.Println(err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// writer starts a child that publishes, waits until it has done so once, and gives what it says afterwards.
func writer(t *testing.T, s *Store) (*exec.Cmd, *bufio.Reader) {
	t.Helper()
	child := exec.Command(os.Args[0])
	child.Env = append(os.Environ(), childDir+"="+s.dir)
	child.Stderr = os.Stderr
	out, err := child.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, child.Start())
	lines := bufio.NewReader(out)
	_, err = lines.ReadString('\n')
	require.NoError(t, err)
	return child, lines
}

// TestKilledWriters kills a writer at a random point, again and again: what it said to have published is there, the current version is
// whole, and the next writer goes on from it.
func TestKilledWriters(t *testing.T) {
	s := open(t)
	publish(t, s, 0)
	random := rand.New(rand.NewPCG(1, 2))
	leftovers := 0
	for range 40 {
		child, lines := writer(t, s)
		time.Sleep(time.Duration(random.Int64N(int64(8 * time.Millisecond))))
		require.NoError(t, child.Process.Kill())
		said := 0
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				break
			}
			said, err = strconv.Atoi(strings.TrimSpace(line))
			require.NoError(t, err, line)
		}
		_ = child.Wait() // "killed"
		current := number(t, s)
		require.GreaterOrEqual(t, current, said)
		if said > 0 {
			require.LessOrEqual(t, current, said+1)
		}
		versions, err := s.Versions()
		require.NoError(t, err)
		for _, v := range versions {
			_, err := s.Load(v.Name)
			require.NoError(t, err, "a version is there by half")
		}
		entries, err := os.ReadDir(s.path(versionsDir))
		require.NoError(t, err)
		leftovers += len(entries) - len(versions)
	}
	require.Positive(t, leftovers, "no writer was killed while it wrote: the test proves nothing")
	publish(t, s, 0)
	entries, err := os.ReadDir(s.path(versionsDir))
	require.NoError(t, err)
	require.Len(t, entries, len(names(t, s)))
}

// TestWritersDoNotLoseEachOthersVersion counts up in several goroutines and another process at once, while a reader looks on.
func TestWritersDoNotLoseEachOthersVersion(t *testing.T) {
	const writers, each = 4, 8
	s := open(t)
	publish(t, s, 0)
	child, lines := writer(t, s)
	stopped, reader := make(chan struct{}), sync.WaitGroup{}
	reader.Go(func() {
		last := 0
		for {
			select {
			case <-stopped:
				return
			default:
			}
			name, err := s.Current()
			if err != nil {
				t.Errorf("reading: %v", err)
				return
			}
			m, err := s.Load(name)
			if errors.Is(err, os.ErrNotExist) {
				continue // the child keeps 3 versions, and a slow reader may be further behind
			}
			if err != nil || m.Samples < last {
				t.Errorf("reading %s after number %d: %v", name, last, err)
				return
			}
			last = m.Samples
		}
	})
	var all sync.WaitGroup
	for range writers {
		own, err := Open(s.dir, false)
		require.NoError(t, err)
		all.Go(func() {
			for range each {
				if _, err := own.Update(t.Context(), func(_ string, m *model.Model) (*model.Model, error) { return numbered(m.Samples + 1), nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	close(stopped)
	reader.Wait()
	require.NoError(t, child.Process.Kill())
	rest, err := io.ReadAll(lines)
	require.NoError(t, err)
	_ = child.Wait() // "killed"
	said := 1 + strings.Count(string(rest), "\n")
	require.Contains(t, []int{writers*each + said, writers*each + said + 1}, number(t, s)) // it may have published one more than it said
}
