package processor

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/sequencer/template"
)

func TestTemplateLearns(t *testing.T) {
	path := filepath.Join(t.TempDir(), "templates.ndjson")
	resources, log := withLog(t)
	yaml := byProgram + "learn: 500\ntemplates: " + path
	p := newTemplates(t, yaml, resources)
	lines := logins(3, 700)
	first := namesOf(t, process(t, p, messages(lines...)))
	for i, name := range first {
		if i < 500 {
			require.Equal(t, "-|learning", name, i)
		} else {
			require.Regexp(t, `<\*>.*\|known$`, name, i)
		}
	}
	assert.Contains(t, log.String(), "Templates learnt")
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, p.Close(t.Context()))
	entries, err := os.ReadDir(filepath.Dir(path))
	require.NoError(t, err)
	require.Len(t, entries, 1, "nothing is left behind")

	again := newTemplates(t, yaml, resources)
	defer func() { assert.NoError(t, again.Close(t.Context())) }()
	assert.Equal(t, first[500:], namesOf(t, process(t, again, messages(lines[500:]...))), "after a restart")
	after, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, before, after)
}

// Names from too few messages would stay for good.
func TestTemplateLearnsNothingIfItIsStopped(t *testing.T) {
	path := filepath.Join(t.TempDir(), "templates.ndjson")
	resources, log := withLog(t)
	p := newTemplates(t, byProgram+"learn: 500\ntemplates: "+path, resources)
	process(t, p, messages(logins(1, 499)...))
	require.NoError(t, p.Close(t.Context()))
	assert.NoFileExists(t, path)
	assert.Contains(t, log.String(), "Stopped after 499 of 500 messages to learn from")
}

func TestTemplateLearnsAnewIfThereIsNothingToLearn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "templates.ndjson")
	resources, log := withLog(t)
	p := newTemplates(t, byProgram+"learn: 200\ntemplates: "+path, resources)
	defer func() { assert.NoError(t, p.Close(t.Context())) }()
	var empty []string
	for range 200 {
		empty = append(empty, line("sshd", ""))
	}
	process(t, p, messages(empty...))
	assert.NoFileExists(t, path)
	assert.Contains(t, log.String(), "Messages have no templates, learning begins anew")
	process(t, p, messages(logins(1, 200)...))
	assert.FileExists(t, path)
	assert.Contains(t, namesOf(t, process(t, p, messages(logins(1, 1)...)))[0], "|known")
}

// Several processes start at once and learn from different messages: all of them end with the names of one file.
func TestTemplatesOfSeveralProcesses(t *testing.T) {
	for round := range uint64(10) {
		path := filepath.Join(t.TempDir(), "templates.ndjson")
		var processes []*templates
		for range 4 {
			processes = append(processes, newTemplates(t, byProgram+"learn: 200\ntemplates: "+path, service.MockResources()))
		}
		var all sync.WaitGroup
		for i, p := range processes {
			for thread := range uint64(2) {
				all.Go(func() {
					lines := logins(100*round+10*uint64(i)+thread, 150)
					_, err := p.ProcessBatch(t.Context(), messages(lines...))
					assert.NoError(t, err)
				})
			}
		}
		all.Wait()
		file, err := os.Open(path)
		require.NoError(t, err)
		set, err := template.Load(file)
		require.NoError(t, err)
		require.NoError(t, file.Close())
		for _, p := range processes {
			require.Equal(t, set.Checksum()[:16], p.file.inUse.Load().checksum)
			require.NoError(t, p.Close(t.Context()))
		}
	}
}

// A file that another process has written while this one learns is used at the next look. One that cannot be written is written later.
func TestTemplateLearnsBesideOthers(t *testing.T) {
	known, set := learntFile(t)
	content, err := os.ReadFile(known)
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "shared")
	path := filepath.Join(dir, "templates.ndjson")
	resources, log := withLog(t)
	synctest.Test(t, func(t *testing.T) {
		require.NoError(t, os.Mkdir(dir, 0o777))
		one := newTemplates(t, byProgram+"learn: 500\ntemplates: "+path, resources)
		defer func() { assert.NoError(t, one.Close(t.Context())) }()
		process(t, one, messages(logins(5, 20)...))
		require.NoError(t, os.WriteFile(path, content, 0o600))
		reload()
		assert.Equal(t, set.Checksum()[:16], one.file.inUse.Load().checksum)
		require.NoError(t, os.Remove(path))

		two := newTemplates(t, byProgram+"learn: 100\ntemplates: "+path, resources)
		defer func() { assert.NoError(t, two.Close(t.Context())) }()
		require.NoError(t, os.RemoveAll(dir))
		assert.Equal(t, "-|learning", namesOf(t, process(t, two, messages(logins(6, 101)...)))[100])
		reload()
		assert.Contains(t, log.String(), "Templates cannot be written")
		require.NoError(t, os.Mkdir(dir, 0o777))
		assert.Equal(t, "-|learning", namesOf(t, process(t, two, messages(logins(7, 1)...)))[0])
		reload()
		assert.Contains(t, namesOf(t, process(t, two, messages(logins(7, 1)...)))[0], "|known")
	})
}

// Whatever is learnt: the names are the same after a restart, in another process, in threads, from the same messages in another order, and
// after the file was extended by whatever came later.
func TestNamesStay(t *testing.T) {
	words := []string{"user", "root", "alice", "opened", "closed", "session", "for", "failed", "=", "a=1", "(x)", "10.0.0.1", "/etc/x", "42", "über", "\"q\"", "^", "<*>", "é:", "b,c"}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 7))
		random := func(n int) (lines []string) {
			for range n {
				message := ""
				for range 1 + r.IntN(5) {
					message += words[r.IntN(len(words))] + " "
				}
				lines = append(lines, line(fmt.Sprint("p", r.IntN(3)), message))
			}
			return lines
		}
		dir := t.TempDir()
		yaml := func(file string) string {
			return byProgram + "min_messages: 2\nkeep: [ root ]\nlearn: 300\ntemplates: " + filepath.Join(dir, file)
		}
		learn := func(file string, lines []string) []byte {
			p := newTemplates(t, yaml(file), service.MockResources())
			process(t, p, messages(lines...))
			require.NoError(t, p.Close(t.Context()))
			content, err := os.ReadFile(filepath.Join(dir, file))
			require.NoError(t, err)
			return content
		}
		score := func(file string, lines []string) []string {
			p := newTemplates(t, yaml(file), service.MockResources())
			defer func() { require.NoError(t, p.Close(t.Context())) }()
			return namesOf(t, process(t, p, messages(lines...)))
		}
		lines := random(300)
		content := learn("a", lines)
		shuffled := slices.Clone(lines)
		r.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		require.Equal(t, string(content), string(learn("b", shuffled)), "another order")

		later := random(300)
		both := slices.Concat(lines, later)
		want := score("a", both)
		require.Equal(t, want, score("b", both), "another process")

		set, err := template.Load(bytes.NewReader(content))
		require.NoError(t, err)
		l := set.Extend(template.Options{MinMessages: 2})
		for _, m := range messages(later...) {
			document, err := m.AsStructured()
			require.NoError(t, err)
			d := document.(map[string]any)
			l.Add(d["process"].(map[string]any)["name"].(string), d["message"].(string))
		}
		var extended bytes.Buffer
		require.NoError(t, l.Learn().Save(&extended))
		require.NoError(t, os.WriteFile(filepath.Join(dir, "c"), extended.Bytes(), 0o600))
		for i, name := range score("c", both) {
			if want[i] != name {
				require.Regexp(t, `: unknown\|unknown$`, want[i], "a name that is known stays")
			}
		}
	}
}

func FuzzTemplate(f *testing.F) {
	path, _ := learntFile(f)
	f.Add([]byte(line("sshd", "Failed password for trent from 203.0.113.9")))
	f.Add([]byte(`{"message":[["x"]],"process":{"name":7},"template":{}}`))
	p := newTemplates(f, byProgram+"templates: "+path, service.MockResources())
	f.Fuzz(func(t *testing.T, content []byte) {
		out := process(t, p, service.MessageBatch{service.NewMessage(content), service.NewMessage(content)})
		names := namesOf(t, out)
		require.Equal(t, names[0], names[1])
	})
}
