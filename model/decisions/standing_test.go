package decisions

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOn(t *testing.T) {
	j, c := open(t, t.TempDir())
	on := func(kind Kind, scope Scope) (standing *Found, inForce bool) {
		j.Read(func(l Look) { standing, inForce = l.On(kind, sshd.Key(scope)) })
		return standing, inForce
	}
	standing, _ := on(Answer, PatternOnMachine)
	require.Nil(t, standing)
	appendAll(t, j, answer(sshd, PatternOnMachine, 0), answer(sshd, Event, 3))
	standing, inForce := on(Answer, PatternOnMachine)
	require.True(t, inForce)
	require.Equal(t, uint64(1), standing.Number)
	standing, _ = on(Answer, Pattern)
	require.Nil(t, standing, "no other scope counts")
	standing, _ = on(Mute, PatternOnMachine)
	require.Nil(t, standing)
	c.pass(12 * time.Hour)
	standing, inForce = on(Answer, PatternOnMachine)
	require.False(t, inForce)
	require.Equal(t, uint64(1), standing.Number, "it stands, but is due")
	appendAll(t, j, Decision{Kind: Undo, Undoes: 1})
	standing, _ = on(Answer, PatternOnMachine)
	require.Nil(t, standing)
	j.Read(func(l Look) {
		require.Equal(t, "ann", l.Number(1).By)
		require.Nil(t, l.Number(3), "an undo")
	})
}

func TestWhatAScopeLooksAt(t *testing.T) {
	all := Subject{Event: "e", Context: []string{"a"}, Machine: "m"}
	for scope, want := range map[Scope]Subject{
		PatternOnMachine: all, Pattern: {Event: "e", Context: []string{"a"}}, EventOnMachine: {Event: "e", Machine: "m"}, Event: {Event: "e"},
	} {
		require.Equal(t, want, all.In(scope))
		require.Equal(t, all.Key(scope), all.In(scope).Key(scope))
	}
	for i, scope := range Scopes {
		for k, other := range Scopes {
			require.Equal(t, i < k, scope.Narrower(other))
		}
	}
}
