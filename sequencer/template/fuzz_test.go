package template

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever messages are: what was learnt from is known, order does not matter, and a set is the same after it was saved and extended.
func FuzzLearn(f *testing.F) {
	f.Add("sshd", "Failed password for root from 10.0.0.1 port 22 ssh2\nFailed password for ^: <*> (1)")
	f.Add("", "a=1 b= c=(2) <3 sec\nx: 1, 2, 3, 4 (5) ()\n::1 fe80::1%eth0 01:02:03:04:05:06\n^^:<*>^")
	f.Add("su do", "TTY=pts/0 ; USER=root ; COMMAND=/bin/ls -l /\nx {\"a\": 1, \"b\": {\"c\": [1, \"}\"]}} y\n耗时300ms\nname=John Smith age=3")
	f.Fuzz(func(t *testing.T, scope, text string) {
		o := Options{MinValues: 2, Keep: []string{"root", "^"}}
		l, backwards := NewLearner(o), NewLearner(o)
		ms := strings.Split(text, "\n")
		for i := range ms {
			l.Add(scope, ms[i])
			backwards.Add(scope, ms[len(ms)-1-i])
		}
		s := l.Learn()
		require.Equal(t, s.Checksum(), backwards.Learn().Checksum())
		loaded := reload(t, s)
		l = loaded.Extend(o)
		for i := range ms {
			l.Add(scope, ms[i])
			l.Add("", "new "+ms[i])
		}
		extended := l.Learn()
		for _, m := range ms {
			want, ok := s.Match(scope, m)
			shape := string(s.masker.mask(nil, scope, m))
			assert.Equal(t, len(shape) > afterScope(shape), ok, "%q in %v", m, texts(s))
			assert.True(t, utf8.ValidString(want))
			got, _ := loaded.Match(scope, m)
			assert.Equal(t, want, got, "loaded")
			got, _ = extended.Match(scope, m)
			if ok {
				assert.Equal(t, want, got, "extended")
			}
		}
	})
}

// A file is refused, or is the same after it was saved again.
func FuzzLoad(f *testing.F) {
	f.Add(fixture, "sshd", "Failed password for root from 10.0.0.1")
	f.Add(`{"format":1,"masking":1,"templates":1}`+"\n"+`{"template":"^ <*><*> ^:","also":["<*>"],"messages":1,"name":"x"}`, "", "a b")
	f.Fuzz(func(t *testing.T, file, scope, message string) {
		s, err := Load(strings.NewReader(file))
		if err != nil {
			return
		}
		want, _ := s.Match(scope, message)
		got, _ := reload(t, s).Match(scope, message)
		assert.Equal(t, want, got)
	})
}
