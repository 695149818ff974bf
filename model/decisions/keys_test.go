package decisions

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestKeysNeverChange: a key that is different in a later version would forget all answers.
func TestKeysNeverChange(t *testing.T) {
	var got []string
	for _, key := range sshd.Keys() {
		got = append(got, key.String())
	}
	require.Equal(t, []string{"f75c4c4302883edd035d66c33a402269", "092ee0565c921cededcb6d9ed2839d50", "355951b7bc3b43e7de3b1333c28b90b1", "4b1739408a5c75834cacb38d9747ca9f"}, got)
}

func TestKeysTellSubjectsApart(t *testing.T) {
	base := Subject{Event: "a", Context: []string{"b", "c"}, Machine: "m"}
	same := func(s Subject) (same [4]bool) {
		for i, key := range s.Keys() {
			same[i] = key == base.Keys()[i]
		}
		return same
	}
	for _, c := range []struct {
		subject Subject
		same    [4]bool
	}{
		{Subject{"a", []string{"c", "b"}, "m"}, [4]bool{true, true, true, true}},
		{Subject{"a", []string{"b", "c"}, "n"}, [4]bool{false, true, false, true}},
		{Subject{"a", []string{"b", "c", "c"}, "m"}, [4]bool{false, false, true, true}},
		{Subject{"a", []string{"b", "c", ""}, "m"}, [4]bool{false, false, true, true}},
		{Subject{"c", []string{"a", "b"}, "m"}, [4]bool{}},
		{Subject{"a", []string{"bc"}, "m"}, [4]bool{false, false, true, true}},
	} {
		require.Equal(t, c.same, same(c.subject), c.subject)
	}
	context := []string{"z", "a"}
	Subject{Context: context}.Keys()
	require.Equal(t, []string{"z", "a"}, context, "the caller's context is left alone")
	keys := base.Keys()
	for i, key := range keys {
		require.Equal(t, i, slices.Index(keys[:], key), "scopes have keys of their own")
		read, err := ParseKey(key.String())
		require.NoError(t, err)
		require.Equal(t, key, read)
	}
	for _, text := range []string{"", "00", keys[0].String() + "00", keys[0].String()[1:] + "x"} {
		_, err := ParseKey(text)
		require.ErrorContains(t, err, "need 32 hexadecimal digits")
	}
}

var tenEvents = Subject{Event: "sshd: failed password", Machine: "web-17.example.org", Context: []string{"sshd: invalid user", "sshd: failed password", "cron: session opened",
	"cron: session closed", "dns: query", "web: error", "", "", "sshd: invalid user", "sudo: command"}}

func BenchmarkKeys(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		tenEvents.Keys()
	}
}
