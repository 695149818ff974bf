package desk

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

// TestKilledDesks kills a process that decides and publishes, at any moment. What it acknowledged is in the journal, and the next process
// publishes the scores of clusters that are in no version yet.
func TestKilledDesks(t *testing.T) {
	if dir := os.Getenv("DESK_OF_TEST"); dir != "" {
		decideForEver(t, dir, os.Getenv("STORE_OF_TEST"))
		return
	}
	r := newRoom(t)
	dir := t.TempDir()
	acknowledged := map[string]float64{} // the last score of each event
	journalled := 0
	for kill := range 4 {
		child := exec.Command(os.Args[0], "-test.run", "^TestKilledDesks$")
		child.Env = append(os.Environ(), "DESK_OF_TEST="+r.dir, "STORE_OF_TEST="+dir)
		out, err := child.StdoutPipe()
		require.NoError(t, err)
		require.NoError(t, child.Start())
		lines := bufio.NewScanner(out)
		for n := 0; lines.Scan(); {
			event, score, found := strings.Cut(lines.Text(), " decided ")
			if !found {
				continue
			}
			var x float64
			_, err := fmt.Sscan(score, &x)
			require.NoError(t, err)
			acknowledged[event] = x
			journalled++
			if n++; n == 7+5*kill {
				require.NoError(t, child.Process.Kill())
			}
		}
		require.Error(t, child.Wait(), "it ends by being killed only")
	}
	r.now = time.Now()
	a := r.desk(dir)
	_, err := a.Publish(t.Context())
	require.NoError(t, err)
	m := r.current()
	for event, x := range acknowledged {
		if event != "scan" {
			require.Equal(t, x, m.Clusters[clusterOf(t, m, event)].Score, event)
		}
	}
	s, err := store.Open(r.dir, false)
	require.NoError(t, err)
	written := 0
	damage, err := s.Decisions(decisions.DefaultHold).Each(func(decisions.Decision) error { written++; return nil })
	require.NoError(t, err)
	require.Zero(t, damage.Lines)
	require.GreaterOrEqual(t, written, journalled)
	require.LessOrEqual(t, written, journalled+4*2, "a decision that was not acknowledged may be there: one a kill, of two patterns at most")
}

// decideForEver is the process that is killed.
func decideForEver(t *testing.T, dir, store string) {
	r := &room{t: t, dir: dir, now: time.Now()}
	r.model = r.current()
	a := r.desk(store)
	for i := 0; ; i++ {
		event := []string{"backup", "login"}[i%2]
		if _, err := a.Decide(t.Context(), score("ann", float64(i%5), a.item(event))); err != nil {
			t.Fatal(err)
		}
		fmt.Printf("%s decided %d\n", event, i%5)
		if i%3 == 0 {
			if _, err := a.Publish(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
