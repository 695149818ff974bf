package decisions

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
)

// many is a journal of a million answers, each to a pattern of its own. DECISIONS sets how many.
func many(b *testing.B) (dir string, subject func(i int) Subject, all int) {
	b.Helper()
	all = 1_000_000
	if text := os.Getenv("DECISIONS"); text != "" {
		var err error
		all, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	subject = func(i int) Subject {
		s := tenEvents
		s.Context = append([]string{fmt.Sprint("event ", i)}, s.Context[1:]...)
		s.Machine = fmt.Sprint("web-", i%4000)
		return s
	}
	dir = b.TempDir()
	j, _ := open(b, dir)
	for from := 0; from < all; from += 10_000 {
		var batch []Decision
		for i := from; i < min(all, from+10_000); i++ {
			batch = append(batch, answer(subject(i), PatternOnMachine, 0))
		}
		appendAll(b, j, batch...)
	}
	return dir, subject, all
}

// BenchmarkFold reads a journal as a process does that starts: a process of its own. MB is the most memory that it had (Linux).
func BenchmarkFold(b *testing.B) {
	dir, _, all := many(b)
	info, err := os.Stat(filepath.Join(dir, journalFile))
	require.NoError(b, err)
	var seconds, most, cpu float64
	for b.Loop() {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), readDir+"="+dir)
		out, err := child.Output()
		require.NoError(b, err)
		var s, mb float64
		var decisions int
		_, err = fmt.Sscan(string(out), &decisions, &s, &mb)
		require.NoError(b, err, "%s", out)
		require.Equal(b, all, decisions)
		seconds, most = seconds+s, max(most, mb)
		cpu += (child.ProcessState.UserTime() + child.ProcessState.SystemTime()).Seconds()
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(seconds/float64(b.N), "s/fold")
	b.ReportMetric(cpu/float64(b.N), "cpu-s/process")
	b.ReportMetric(most, "MB")
	b.ReportMetric(float64(info.Size())/1e6, "MB-file")
}

// measure reads the journal of a directory, and gives its decisions, the seconds that it took and the megabytes.
func measure(dir string) string {
	start := time.Now()
	j := New(dir, alone(), DefaultHold)
	if err := j.Refresh(); err != nil {
		return err.Error()
	}
	took := time.Since(start)
	status, _ := os.ReadFile("/proc/self/status")
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	kib := 0
	_, _ = fmt.Sscan(peak, &kib)
	return fmt.Sprint(len(j.fold.entries), took.Seconds(), float64(kib)*1024/1e6)
}

// BenchmarkLookUp settles verdicts by a journal of a million answers; a third of the events has none.
func BenchmarkLookUp(b *testing.B) {
	dir, subject, all := many(b)
	j, _ := open(b, dir)
	r := rand.New(rand.NewPCG(1, 2))
	keys := make([][4]Key, 1<<16)
	for i := range keys {
		keys[i] = subject(r.IntN(all + all/2)).Keys()
	}
	unsure := model.Verdict{Status: model.NoCluster}
	settled := 0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		j.Read(func(l Look) {
			if l.Settle(unsure, keys[i%len(keys)]).Found != nil {
				settled++
			}
		})
	}
	require.NotZero(b, settled)
}

// BenchmarkRefresh asks for news when there are none.
func BenchmarkRefresh(b *testing.B) {
	j, _ := open(b, b.TempDir())
	appendAll(b, j, answer(sshd, Event, 1))
	b.ReportAllocs()
	for b.Loop() {
		require.NoError(b, j.Refresh())
	}
}
