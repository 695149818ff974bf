package decisions

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// TestTheFirstJournalCanStillBeRead reads a journal of the first version of this program. It is never written again.
func TestTheFirstJournalCanStillBeRead(t *testing.T) {
	j, _ := open(t, "testdata/v1")
	require.Zero(t, j.Damage())
	var all []Decision
	damaged, err := j.Each(func(d Decision) error {
		all = append(all, d)
		return nil
	})
	require.NoError(t, err)
	require.Zero(t, damaged)
	require.Equal(t, examples(), all)
	l := j.fold.Look(all[7].At)
	for number, state := range []State{InForce, Undone, InForce, InForce, Ended, "", "", ""} {
		require.Equal(t, state, l.State(uint64(number+1)), number+1)
	}
	found, _ := l.answer(sshd.Keys())
	require.Equal(t, uint64(1), found.Number)
}
