package template

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func save(t *testing.T, s *Set) string {
	t.Helper()
	var b strings.Builder
	require.NoError(t, s.Save(&b))
	return b.String()
}

// reload gives what Load reads of what Save wrote, which is the same.
func reload(t *testing.T, s *Set) *Set {
	t.Helper()
	file := save(t, s)
	loaded, err := Load(strings.NewReader(file))
	require.NoError(t, err, file)
	require.Equal(t, file, save(t, loaded))
	return loaded
}

func TestAFileIsTheSameSet(t *testing.T) {
	s := learn(Options{Keep: []string{"root", "^"}}, append(messages(), "odd ^ signs: ^root, <*> and ^: \x01"))
	loaded := reload(t, s)
	assert.Equal(t, texts(s), texts(loaded))
	for _, m := range messages() {
		want, _ := s.Match("", m)
		got, _ := loaded.Match("", m)
		require.Equal(t, want, got)
	}
}

// The fixture is of the first version. It is never written anew: another format or masking gets a fixture of its own.
const fixture = `{"format":1,"masking":1,"keep":["root"],"templates":4}
{"scope":"sshd","template":"Failed password for <*> from <*>","messages":7,"also":["Failed password for alice from <*>"]}
{"scope":"sshd","template":"Failed password for ^:root from <*>","name":"guessing root","messages":2}
{"template":"a ^^ in a text","messages":1}
{"scope":"sshd","template":"Accepted password for <*> from <*>","messages":3,"extends":1}
`

func TestTheFirstFormatStaysReadable(t *testing.T) {
	s, err := Load(strings.NewReader(fixture))
	require.NoError(t, err)
	for message, want := range map[string]string{
		"Failed password for bob from 10.0.0.1":   "sshd: Failed password for <*> from <*>",
		"Failed password for root from 10.0.0.1":  "guessing root",
		"Accepted password for bob from 10.0.0.1": "sshd: Accepted password for <*> from <*>",
		"a ^ in a text": "",
	} {
		got, _ := s.Match("sshd", message)
		assert.Equal(t, want, got, message)
	}
	got, _ := s.Match("", "a ^ in a text")
	assert.Equal(t, "a ^ in a text", got)
	assert.Equal(t, 4, s.Len())
	var all []Template
	for x := range s.All() {
		all = append(all, x)
	}
	assert.Contains(t, all, Template{"sshd", "sshd: Failed password for root from <*>", "guessing root", 2})
}

func TestAnalystsRenameTemplates(t *testing.T) {
	s := learn(Options{}, messages())
	file := save(t, s)
	renamed, err := Load(strings.NewReader(strings.Replace(file,
		`"template":"session closed for user <*>"`, `"template":"session closed for user <*>","name":"logout"`, 1)))
	require.NoError(t, err)
	assert.NotEqual(t, s.Checksum(), renamed.Checksum())

	l := reload(t, renamed).Extend(Options{})
	for _, u := range users {
		l.Add("", "lid closed by "+u)
		l.Add("", "session closed for user "+u)
	}
	extended := reload(t, l.Learn())
	for _, set := range []*Set{renamed, extended} {
		got, ok := set.Match("", "session closed for user mallory")
		assert.Equal(t, "logout", got)
		assert.True(t, ok)
	}
	got, _ := extended.Match("", "lid closed by mallory")
	assert.Equal(t, "lid closed by <*>", got)
}

func TestLoadRefuses(t *testing.T) {
	const head = `{"format":1,"masking":1,"templates":1}` + "\n"
	for file, want := range map[string]string{
		"":                         "templates: an empty file: want one with templates that were learnt",
		"time,host\n":              "templates: line 1: invalid character 'i' in literal true (expecting 'r'): want the header of a file with templates",
		`{"template":"a"}`:         "templates: line 1: no format: want the header of a file with templates",
		`{"format":2,"masking":1}`: "templates: line 1: format 2, this version reads 1: learn the templates anew, or use the version that wrote them",
		`{"format":1,"masking":9}`: "templates: line 1: masking 9, this version has 1, which gives other names: learn the templates and the model anew, or use the version that wrote them",
		`{"format":1,"masking":1,"keep":["b","a"]}`: "templates: line 1: keep: want words in order",
		head: "templates: line 1 says that 1 templates follow, there are 0: want the whole file",
		strings.Join(strings.SplitAfter(fixture, "\n")[:3], ""):                                 "templates: line 1 says that 4 templates follow, there are 2: want the whole file",
		fixture[:len(fixture)-20]:                                                               "templates: line 5: unexpected EOF",
		head + "\n" + `{"template":"a","rename":"b"}`:                                           `templates: line 3: json: unknown field "rename"`,
		head + `{"template":"a"} {"template":"b"}`:                                              "templates: line 2: more than one JSON value: want one a line",
		head + `{"template":""}`:                                                                "templates: line 2: no template: want the text of one",
		head + `{"template":"a","messages":-1}`:                                                 "templates: line 2: messages -1: want a number from 0",
		head + `{"template":"a","extends":1}`:                                                   "templates: line 2: extends 1 after 0: want lines in the order in which they were written",
		head + `{"template":"a","extends":-1}`:                                                  "templates: line 2: extends -1: want a number from 0",
		head + `{"template":"a","name":" b"}`:                                                   `templates: line 2: name " b": want a text without control characters and without spaces around it`,
		head + `{"template":"a\u0001"}`:                                                         `templates: line 2: template "a\x01": want a text without control characters`,
		head + `{"template":"a","also":["b",""]}`:                                               `templates: line 2: template "": want a text without control characters`,
		head + `{"template":"a","also":["b","b"]}`:                                              `templates: line 2: template "b" comes twice: want it once`,
		head + `{"template":"a","scope":"b\n"}`:                                                 `templates: line 2: scope "b\n": want at most 128 bytes without control characters`,
		head + `{"template":"a"}` + "\n" + `{"template":"a"}`:                                   `templates: line 3: template "a" comes twice: want it once`,
		head + `{"template":"a","name":"b"}` + "\n" + `{"template":"a","name":"c","extends":1}`: `templates: line 3: name "c": the same template has the name "b" in a line before: want one name`,
	} {
		_, err := Load(strings.NewReader(file))
		assert.EqualError(t, err, want, "%q", file)
	}
}

// Invented lines of several programs, and what is learnt from them. Whoever changes the golden file counts up masking.
func TestGolden(t *testing.T) {
	messages, err := os.ReadFile("testdata/invented.log")
	require.NoError(t, err)
	l := NewLearner(Options{Keep: []string{"root"}, MinMessages: 2})
	for message := range strings.Lines(string(messages)) {
		scope, message, _ := strings.Cut(strings.TrimSuffix(message, "\n"), "\t")
		l.Add(scope, message)
	}
	want, err := os.ReadFile("testdata/invented.ndjson")
	require.NoError(t, err)
	assert.Equal(t, string(want), save(t, l.Learn()))
}
