package template

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var users = strings.Fields("alice bob carol dave erin frank grace heidi ivan judy")

func messages() []string {
	r := rand.New(rand.NewPCG(1, 2))
	var ms []string
	for range 500 {
		u := users[r.IntN(len(users))]
		ms = append(ms,
			fmt.Sprintf("session opened for user %s by (uid=%d)", u, r.IntN(9)),
			fmt.Sprintf("session closed for user %s", u),
			fmt.Sprintf("Failed password for %s from 10.0.0.%d port %d", u, r.IntN(255), r.IntN(65536)),
			fmt.Sprintf("Accepted password for %s from 10.0.0.%d port %d", u, r.IntN(255), r.IntN(65536)),
			fmt.Sprintf("type=LOGIN user=%s exe=%s res=%s", u, users[r.IntN(len(users))], []string{"success", "failed"}[r.IntN(2)]),
		)
	}
	return append(ms, "session closed for user root", "session closed for user root")
}

func learn(o Options, ms []string) *Set {
	l := NewLearner(o)
	for _, m := range ms {
		l.Add("", m)
	}
	return l.Learn()
}

// texts gives the number of messages of each template.
func texts(s *Set) map[string]int {
	r := map[string]int{}
	for t := range s.All() {
		r[t.Text] = t.Messages
	}
	return r
}

func TestLearn(t *testing.T) {
	s := learn(Options{Keep: []string{"root"}}, messages())
	assert.Equal(t, []string{
		"Accepted password for <*> from <*> port <*>",
		"Failed password for <*> from <*> port <*>",
		"session closed for user <*>",
		"session closed for user root",
		"session opened for user <*> by (uid=<*>)",
		"type=LOGIN user=<*> exe=<*> res=failed",
		"type=LOGIN user=<*> exe=<*> res=success",
	}, slices.Sorted(maps.Keys(texts(s))))
	for message, want := range map[string]string{
		"session closed for user mallory":         "session closed for user <*>",
		"session closed for user root":            "session closed for user root",
		"session opened for user root by (uid=0)": "", // root is kept, and was not learnt here
		"session frozen for user alice":           "",
		"":                                        "",
	} {
		got, ok := s.Match("", message)
		assert.Equal(t, want, got, "%q", message)
		assert.Equal(t, want != "", ok, "%q", message)
	}
}

// Two names of hosts, packages or classes are enough. What went wrong stays.
func TestDottedNames(t *testing.T) {
	s := learn(Options{}, []string{
		"cannot reach web-a.corp.example now", "cannot reach web-b.corp.example now", "cannot find see.b now", "cannot find see.c now",
		"failed with java.io.IOException again", "failed with java.net.ConnectException again",
	})
	assert.Equal(t, []string{
		"cannot find see.b now", "cannot find see.c now", "cannot reach <*> now",
		"failed with java.io.IOException again", "failed with java.net.ConnectException again",
	}, slices.Sorted(maps.Keys(texts(s))))
}

// A value may have several words up to the next key. What often stands there is text.
func TestValuesOfSeveralWords(t *testing.T) {
	var ms []string
	for i := range 20 {
		u := users[i%len(users)]
		ms = append(ms, "login user="+u+" age=3", "login user="+u+" logged in from ip=10.0.0.1", "login user="+u+" ip=10.0.0.1")
	}
	ms = append(ms, "login user=John Smith age=3", "login user=Mary Jane Watson age=3")
	s := learn(Options{}, ms)
	assert.Equal(t, map[string]int{"login user=<*> age=<*>": 22, "login user=<*> logged in from ip=<*>": 20, "login user=<*> ip=<*>": 20}, texts(s))
	got, _ := s.Match("", "login user=Anna Maria van der Berg age=3")
	assert.Equal(t, "login user=<*> age=<*>", got)
}

// Where two words of each message are new, no two messages have all but one in common.
func TestTwoNewWordsInEachMessage(t *testing.T) {
	var ms []string
	for i := range 26 * 26 {
		a, b := string(rune('a'+i/26)), string(rune('a'+i%26))
		ms = append(ms, fmt.Sprintf("mail from x%s%s to %s%sy: %s", a, b, b, a, []string{"sent", "refused"}[i%2]))
	}
	assert.Equal(t, map[string]int{"mail from <*> to <*>: sent": 338, "mail from <*> to <*>: refused": 338}, texts(learn(Options{}, ms)))
}

func TestTemplatesDoNotCrossScopes(t *testing.T) {
	l := NewLearner(Options{})
	for _, u := range users {
		l.Add("sshd", "session of user "+u)
		l.Add("", "login of user "+u)
		l.Add("Event Log", "login of user alice")
		l.Add("cron", "")
	}
	s := l.Learn()
	assert.Equal(t, map[string]int{"sshd: session of user <*>": 10, "login of user <*>": 10, "Event Log: login of user alice": 10}, texts(s))
	for _, x := range [][3]string{
		{"sshd", "session of user mallory", "sshd: session of user <*>"},
		{"cron", "session of user mallory", ""},
		{"", "session of user mallory", ""},
		{"", "sshd: session of user mallory", ""},
		{"", "login of user mallory", "login of user <*>"},
		{"sshd", "login of user mallory", ""},
		{"Event Log", "login of user mallory", ""},
		{"cron", "", ""},
	} {
		got, _ := s.Match(x[0], x[1])
		assert.Equal(t, x[2], got, "%q", x)
	}
}

func TestRareMessagesHaveNoTemplate(t *testing.T) {
	s := learn(Options{MinMessages: 3}, append(messages(), "a word of alice", "a word of alice"))
	_, ok := s.Match("", "a word of alice")
	assert.False(t, ok)
	s = learn(Options{MinMessages: 2}, append(messages(), "a word of alice", "a word of alice"))
	_, ok = s.Match("", "a word of alice")
	assert.True(t, ok)
}

// The same messages in another order give the same set.
func TestOrderDoesNotMatter(t *testing.T) {
	for n, o := range []Options{{}, {Keep: []string{"root", "alice", "root", ""}}, {MinValues: 2, MinMessages: 2}, {MaxTemplates: 3}} {
		ms := messages()
		want := learn(o, ms).Checksum()
		for i := range uint64(5) {
			rand.New(rand.NewPCG(i, uint64(n))).Shuffle(len(ms), func(i, j int) { ms[i], ms[j] = ms[j], ms[i] })
			require.Equal(t, want, learn(o, ms).Checksum())
		}
	}
}

// What was known keeps its template, whatever is learnt later.
func TestExtend(t *testing.T) {
	old := learn(Options{}, []string{"session of alice", "session of bob", "disk 1 is full"})
	l := old.Extend(Options{})
	for _, u := range users {
		l.Add("", "session of "+u+" was closed")
		l.Add("", "session of "+u)
		l.Add("", "disk 2 is full")
	}
	s := l.Learn()
	for range 2 {
		for message, want := range map[string]string{
			"session of alice":              "session of alice",
			"session of carol":              "session of <*>",
			"session of mallory":            "session of <*>",
			"session of alice was closed":   "session of <*> was closed",
			"session of mallory was closed": "session of <*> was closed",
			"disk 3 is full":                "disk <*> is full",
		} {
			got, _ := s.Match("", message)
			assert.Equal(t, want, got, "%q", message)
		}
		assert.Equal(t, 1, texts(s)["disk <*> is full"], "messages with a name are not counted again")
		s = reload(t, s)
	}
	again := s.Extend(Options{})
	for _, u := range users {
		again.Add("", "session of "+u)
	}
	assert.Equal(t, s.Checksum(), again.Learn().Checksum(), "nothing new is nothing changed")
}

// Whatever was learnt before, and in however many steps: names stay.
func TestNamesStayThroughExtensions(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	words := strings.Fields("job user disk is full started ended alice bob carol 17 10.0.0.1 root a=1 b=(x)")
	random := func() []string {
		ms := make([]string, 60)
		for i := range ms {
			for range 2 + r.IntN(4) {
				ms[i] += words[r.IntN(len(words))] + " "
			}
		}
		return ms
	}
	for range 20 {
		o := Options{MinValues: 2 + r.IntN(3), MinMessages: 1 + r.IntN(2)}
		s := learn(o, random())
		known := map[string]string{}
		for range 4 {
			ms := random()
			for _, m := range ms {
				if name, ok := s.Match("", m); ok {
					known[m] = name
				}
			}
			l := s.Extend(o)
			for _, m := range ms {
				l.Add("", m)
			}
			s = reload(t, l.Learn())
			for m, want := range known {
				got, _ := s.Match("", m)
				require.Equal(t, want, got, "%q", m)
			}
		}
	}
}

func TestShapesAreBounded(t *testing.T) {
	l := NewLearner(Options{MaxShapes: 1000})
	r := rand.New(rand.NewPCG(3, 4))
	word := func() string {
		b := make([]byte, 8)
		for i := range b {
			b[i] = 'a' + byte(r.IntN(26))
		}
		return string(b)
	}
	for range 20_000 {
		l.Add("", "login of "+word()+" ok")
		l.Add("", word()+" "+word()+" "+word())
		require.LessOrEqual(t, len(l.counts), 1000)
	}
	assert.Equal(t, 20_000, texts(l.Learn())["login of <*> ok"])
	assert.Greater(t, l.Forgotten, 15_000)
}

func TestTemplatesAreBounded(t *testing.T) {
	l := NewLearner(Options{MaxTemplates: 2})
	for text, n := range map[string]int{"disk is full": 5, "disk is back": 1, "fan is broken": 3} {
		for range n {
			l.Add("", text)
		}
	}
	s := l.Learn()
	assert.Equal(t, map[string]int{"disk is full": 5, "fan is broken": 3}, texts(s))
	assert.Equal(t, 1, l.Forgotten)
	l.Learn()
	assert.Equal(t, 1, l.Forgotten, "to learn twice forgets nothing twice")

	l = s.Extend(Options{MaxTemplates: 2})
	l.Add("", "disk is back")
	assert.Equal(t, s.Checksum(), l.Learn().Checksum(), "there is no room")
	assert.Equal(t, 1, l.Forgotten)
}

func TestTheMemoryOfShapesIsBounded(t *testing.T) {
	s := learn(Options{}, messages())
	for i := range maxCache + 10 {
		name := strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprint(i))
		got, _ := s.Match("", "session closed for user "+name)
		require.Equal(t, "session closed for user <*>", got)
	}
	assert.LessOrEqual(t, len(s.cache), maxCache)
}

func TestManyGoroutinesGetTheSameNames(t *testing.T) {
	s := learn(Options{}, messages())
	want := map[string]string{}
	for _, m := range messages() {
		want[m], _ = reload(t, s).Match("", m)
		if len(want) == 500 {
			break
		}
	}
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for m, name := range want {
				got, ok := s.Match("", m)
				assert.Equal(t, name, got)
				assert.True(t, ok)
			}
		})
	}
	wait.Wait()
}
