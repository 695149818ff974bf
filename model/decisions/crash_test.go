package decisions

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"
	"github.com/stretchr/testify/require"
)

// childDir names the environment variable that makes this test binary a writer. It appends batches of decisions to the journal there for as
// long as it lives, and prints the number of the first one of each batch once it is acknowledged.
const childDir = "DEEPCASE_TEST_JOURNAL_DIR"

// readDir names the environment variable that makes this test binary a reader of the journal there. It prints what that took.
const readDir = "DEEPCASE_TEST_JOURNAL_READ"

const batch = 3

func TestMain(m *testing.M) {
	if dir := os.Getenv(readDir); dir != "" {
		fmt.Println(measure(dir))
		return
	}
	if dir := os.Getenv(childDir); dir != "" {
		fmt.Println(write(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func write(dir string) error {
	j := New(dir, locked(dir), DefaultHold)
	for n := 0; ; n++ {
		machine := fmt.Sprintf("%d-%d", os.Getpid(), n)
		var decisions []Decision
		for i := range batch {
			s := Subject{Event: strconv.Itoa(i), Context: []string{"a", "", "b"}, Machine: machine}
			decisions = append(decisions, answer(s, PatternOnMachine, float64(1+n)))
		}
		written, err := j.Append(context.Background(), func(Look) ([]Decision, error) { return decisions, nil })
		if err != nil {
			return err
		}
		fmt.Println(written[0].Number, machine)
		if n%5 != 4 {
			continue
		}
		undo := Decision{Kind: Undo, Undoes: written[1].Number}
		if _, err := j.Append(context.Background(), func(Look) ([]Decision, error) { return []Decision{undo}, nil }); err != nil {
			return err
		}
		if _, _, err := j.Compact(context.Background(), 0); err != nil {
			return err
		}
	}
}

func locked(dir string) func(context.Context, func() error) error {
	return func(_ context.Context, write func() error) error {
		lock := flock.New(filepath.Join(dir, "LOCK"))
		if err := lock.Lock(); err != nil {
			return err
		}
		defer lock.Close()
		return write()
	}
}

// TestKilledWriters runs three writers, which also undo and compact, and kills one of them at a random moment, again and again: all that was
// acknowledged is there, and no batch is there by half. KILLS sets how often.
func TestKilledWriters(t *testing.T) {
	kills := 30
	if text := os.Getenv("KILLS"); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(t, err)
	}
	dir := t.TempDir()
	acknowledged := map[uint64]string{}
	type writer struct {
		*exec.Cmd
		lines *bufio.Scanner
	}
	start := func() writer {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), childDir+"="+dir)
		child.Stderr = os.Stderr
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		w := writer{child, bufio.NewScanner(out)}
		require.True(t, w.lines.Scan(), "the writer said nothing")
		return w
	}
	end := func(w writer) {
		require.NoError(t, w.Process.Kill())
		for more := true; more; more = w.lines.Scan() {
			number, machine, whole := strings.Cut(w.lines.Text(), " ")
			n, err := strconv.ParseUint(number, 10, 64)
			if !whole || err != nil { // cut off by the kill
				continue
			}
			acknowledged[n] = machine
		}
		_ = w.Wait() // "killed"
	}
	random := rand.New(rand.NewPCG(1, 2))
	writers := []writer{start(), start(), start()}
	for range kills {
		i := random.IntN(len(writers))
		time.Sleep(time.Duration(random.Int64N(int64(8 * time.Millisecond)))) // another moment each time
		end(writers[i])
		writers[i] = start()
	}
	for _, w := range writers {
		end(w)
	}

	j, _ := open(t, dir)
	require.Zero(t, j.Damage().Lines, j.Damage().First)
	machines, there, undone := map[string]int{}, map[uint64]string{}, 0
	damaged, err := j.Each(func(d Decision) error {
		if d.Kind == Undo {
			undone++
			return nil
		}
		machines[d.Subject.Machine]++
		there[d.Number] = d.Subject.Machine
		return nil
	})
	require.NoError(t, err)
	require.Zero(t, damaged.Lines, damaged.First)
	require.GreaterOrEqual(t, len(acknowledged), kills)
	for machine, lines := range machines {
		require.Equal(t, batch, lines, "machine %s: a batch is there by half", machine)
	}
	for number, machine := range acknowledged {
		require.Equal(t, machine, there[number], "decision %d was lost", number)
		found, _ := look(j, Subject{Event: "0", Context: []string{"a", "", "b"}, Machine: machine})
		require.Equal(t, number, numberOf(found), "decision %d is not in force", number)
	}
	archived, err := os.Stat(filepath.Join(dir, archiveFile))
	require.NoError(t, err)
	require.NotZero(t, archived.Size())
	t.Logf("%d kills, %d batches acknowledged, %d there, %d undos", kills, len(acknowledged), len(machines), undone)
}
