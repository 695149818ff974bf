package decisions

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
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

// BenchmarkFold reads a journal as a process does that starts. MB is the memory that the process has from the system then.
func BenchmarkFold(b *testing.B) {
	dir, _, all := many(b)
	info, err := os.Stat(dir + "/" + journalFile)
	require.NoError(b, err)
	debug.FreeOSMemory()
	for b.Loop() {
		j, _ := open(b, dir)
		require.Len(b, j.fold.entries, all)
	}
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	b.ReportMetric(float64(memory.Sys-memory.HeapReleased)/1e6, "MB")
	b.ReportMetric(float64(info.Size())/1e6, "MB-file")
}

// BenchmarkLookUp settles verdicts by a journal of a million answers; a third of the events has none.
func BenchmarkLookUp(b *testing.B) {
	dir, subject, all := many(b)
	j, c := open(b, dir)
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
	c.pass(time.Hour)
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
