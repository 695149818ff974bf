package processor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/sequencer/template"
)

// parsedTemplateSpec is the spec, whose lint rules take a while to parse.
var parsedTemplateSpec = sync.OnceValue(templateSpec)

// withLog gives resources that write their log into the buffer.
func withLog(t testing.TB) (*service.Resources, *logText) {
	t.Helper()
	return built(t, "none: {}")
}

// withLogAndMetrics also counts in recorded.
func withLogAndMetrics(t testing.TB) (*service.Resources, *logText) {
	t.Helper()
	return built(t, "recorded: {}")
}

func built(t testing.TB, metrics string) (*service.Resources, *logText) {
	t.Helper()
	var log logText
	builder := service.NewResourceBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(&log, nil)))
	require.NoError(t, builder.SetMetricsYAML(metrics))
	resources, closeResources, err := builder.Build()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, closeResources(context.Background())) })
	return resources, &log
}

func newTemplates(t testing.TB, yaml string, resources *service.Resources) *templates {
	t.Helper()
	p, err := newTemplatesFromParsed(parse(t, parsedTemplateSpec(), yaml), resources)
	require.NoError(t, err)
	return p
}

// line is a document with a message of a program.
func line(program, message string) string {
	return fmt.Sprintf(`{"message":%q,"process":{"name":%q}}`, message, program)
}

const byProgram = "scope: ${! json(\"process.name\") }\n"

// logins are messages of three kinds, in some order.
func logins(seed uint64, n int) (batch []string) {
	r := rand.New(rand.NewPCG(seed, 1))
	for range n {
		user := []string{"alice", "bob", "carol", "dave", "erin", "frank", "grace", "heidi", "ivan", "judy", "mallory"}[r.IntN(11)]
		switch r.IntN(3) {
		case 0:
			batch = append(batch, line("sshd", fmt.Sprintf("Failed password for %s from 192.0.2.%d", user, r.IntN(256))))
		case 1:
			batch = append(batch, line("sshd", fmt.Sprintf("Accepted password for %s from 192.0.2.%d", user, r.IntN(256))))
		default:
			batch = append(batch, line("cron", fmt.Sprintf("job %d of user %s has ended", r.IntN(1000), user)))
		}
	}
	return batch
}

// learntFile is a file with the templates of logins.
func learntFile(t testing.TB) (path string, set *template.Set) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "templates.ndjson")
	p := newTemplates(t, byProgram+"learn: 600\ntemplates: "+path, service.MockResources())
	process(t, p, messages(logins(1, 600)...))
	require.NoError(t, p.Close(t.Context()))
	return path, p.file.inUse.Load().set
}

// namesOf gives names and statuses, "name|status".
func namesOf(t testing.TB, batch service.MessageBatch) (names []string) {
	t.Helper()
	for _, m := range batch {
		if err := m.GetError(); err != nil {
			names = append(names, "error: "+err.Error())
			continue
		}
		document, err := m.AsStructured()
		require.NoError(t, err)
		object, _ := document.(map[string]any)["template"].(map[string]any)
		require.Contains(t, object, "status")
		name, there := object["name"].(string)
		if !there {
			require.NotContains(t, object, "name")
			name = "-"
		}
		names = append(names, fmt.Sprint(name, "|", object["status"]))
	}
	return names
}

func TestTemplateBadConfigs(t *testing.T) {
	dir := t.TempDir()
	damaged := filepath.Join(dir, "damaged.ndjson")
	path, _ := learntFile(t)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := bytes.SplitAfter(content, []byte("\n"))
	lines[2] = []byte("{\n")
	require.NoError(t, os.WriteFile(damaged, bytes.Join(lines, nil), 0o600))
	testBadConfigs(t, "deepcase_template", []badConfig{
		{yaml: `text: ${! json("a") }`, lint: "field templates is required", build: "templates"},
		{yaml: `templates: ""`, lint: "templates needs a file", build: "field 'templates' is empty: need a file"},
		{yaml: `templates: ` + dir, build: "is not a regular file"},
		{yaml: `templates: ` + damaged, build: "field 'templates': " + damaged + ": templates: line 3: "},
		{yaml: "learn: 5\ntemplates: " + filepath.Join(dir, "none", "t.ndjson"), build: "field 'templates': templates could not be written there: "},
		{yaml: "templates: a\nlearn: -1", lint: "learn needs to be at least 0", build: "field 'learn': -1, need at least 0"},
		{yaml: "templates: a\nmin_messages: 0", lint: "min_messages needs to be at least 1", build: "field 'min_messages': 0, need at least 1"},
		{yaml: "templates: a\nmax_shapes: 0", lint: "max_shapes needs to be at least 100", build: "field 'max_shapes': 0, need at least 100"},
		{yaml: "templates: a\nmax_templates: 0", lint: "max_templates needs to be from 1 to 100000", build: "field 'max_templates': 0, need 1 to 100000"},
		{yaml: "templates: a\nunknown: ' '", lint: "unknown needs a name", build: "field 'unknown' is empty: need a name"},
		{yaml: "templates: a\nreload: 0s", lint: "reload needs to be longer than 0", build: "field 'reload': 0s, need longer than 0"},
		{yaml: "templates: a\ntarget: a..b", lint: "target needs names divided by single dots", build: `field 'target': "a..b": need names divided by single dots`},
		{yaml: "templates: a\nscope: ${! json(", lint: "required: expected function argument, but reached end of input", build: "scope"},
	})
}

func TestTemplateNames(t *testing.T) {
	path, set := learntFile(t)
	p := newTemplates(t, byProgram+"unknown: other\ntemplates: "+path, service.MockResources())
	defer func() { assert.NoError(t, p.Close(t.Context())) }()
	failed := messages(line("sshd", "x"))[0]
	failed.SetError(errors.New("before"))
	out := process(t, p, append(messages(
		line("sshd", "Failed password for trent from 203.0.113.9"), line("sshd", "Failed password for trent"), line("cron", "job 7 of user trent has ended"),
		line("sshd", "job 7 of user trent has ended"), line("", "job 7 of user trent has ended"), line("sshd", ""),
		`{"message":["Accepted password for a from 203.0.113.9"],"process":{"name":"sshd"},"template":{"name":"old","mine":1}}`,
		`{"message":7,"process":{"name":"sshd"}}`,
		`{"message":"x"}`, `{"process":{"name":"sshd"}}`, `{"message":{"a":1},"process":{"name":"sshd"}}`, `text`, `[]`, `{"message":"x","process":{"name":"a"},"template":"mine"}`,
	), failed))
	assert.Equal(t, []string{
		"sshd: Failed password for <*> from <*>|known", "sshd: other|unknown", "cron: job <*> of user <*> has ended|known",
		"sshd: other|unknown", "other|unknown", "sshd: other|unknown",
		"sshd: Accepted password for <*> from <*>|known",
		"sshd: other|unknown",
		`error: scope: process.name: is missing or null: want a text; if some messages have none: .or("")`,
		"error: text: message: is missing or null: want a text",
		"error: text: message: is an object (a longer path leads into it): want a text or a number",
		"error: document: not JSON: invalid character 'e' in literal true (expecting 'r')",
		"error: document: need a JSON object, have a list",
		"error: document: template is the text \"mine\", need an object",
		"error: before",
	}, namesOf(t, out))
	assert.JSONEq(t, `{"message":["Accepted password for a from 203.0.113.9"],"process":{"name":"sshd"},
		"template":{"name":"sshd: Accepted password for <*> from <*>","status":"known","mine":1}}`, text(t, out[6]), "what else is there stays")
	for i, m := range out {
		checksum, there := m.MetaGet("deepcase_templates")
		require.Equal(t, i < 8, there)
		if there {
			require.Equal(t, set.Checksum()[:16], checksum)
		}
	}
}

// deepcase_sequence writes down which templates named the event, and a new window has the new ones.
func TestTemplatesAreInTheSequence(t *testing.T) {
	path, set := learntFile(t)
	p := newTemplates(t, byProgram+"templates: "+path, service.MockResources())
	defer func() { assert.NoError(t, p.Close(t.Context())) }()
	s, err := newSequenceFromParsed(parse(t, parsedSequenceSpec(), `
machine: m
event: ${! json("template.name") }
timestamp: ${! 1 }`), service.MockResources())
	require.NoError(t, err)
	batch := process(t, p, messages(logins(2, 1)...))
	foreign := messages(`{"template":{"name":"e"}}`)[0]
	foreign.MetaSetMut("deepcase_templates", "whatever")
	out := process(t, s, append(batch, foreign))
	assert.Equal(t, set.Checksum()[:16], at(t, out[0])["templates"])
	assert.NotContains(t, at(t, out[1]), "templates")
}

func TestTemplatesAppearAndNeverChange(t *testing.T) {
	known, _ := learntFile(t)
	content, err := os.ReadFile(known)
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), "templates.ndjson")
	resources, log := withLog(t)
	synctest.Test(t, func(t *testing.T) {
		p := newTemplates(t, byProgram+"templates: "+path, resources)
		defer func() { assert.NoError(t, p.Close(t.Context())) }()
		name := func() string { return namesOf(t, process(t, p, messages(logins(2, 1)...)))[0] }
		write := func(content []byte) {
			require.NoError(t, os.WriteFile(path, content, 0o600))
			reload()
			reload()
		}
		require.Equal(t, "-|no_templates", name())
		assert.Contains(t, log.String(), "No templates there yet")
		write(content[:len(content)/2])
		require.Equal(t, "-|no_templates", name())
		assert.Equal(t, 1, strings.Count(log.String(), "The file cannot be used"), log.String())
		assert.Contains(t, log.String(), "templates: line ")
		write(content)
		want := name()
		require.Contains(t, want, "|known")

		changed := bytes.Replace(content, []byte(`"messages"`), []byte(`"name":"renamed","messages"`), 1)
		write(changed)
		require.Equal(t, want, name())
		assert.Equal(t, 1, strings.Count(log.String(), "The file has changed"), log.String())
		require.NoError(t, os.Remove(path))
		reload()
		reload()
		require.Equal(t, want, name())
		assert.Equal(t, 1, strings.Count(log.String(), "cannot be read any more"), log.String())
		write(content)
		write(changed)
		assert.Equal(t, 2, strings.Count(log.String(), "The file has changed"), "it was right again in between")
		require.Equal(t, want, name())
	})
}

// An analyst's name is used from the next start on.
func TestTemplatesAreRenamed(t *testing.T) {
	path, _ := learntFile(t)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	at := bytes.Index(content, []byte("Failed"))
	renamed := append(bytes.Clone(content[:at]), bytes.Replace(content[at:], []byte(`"messages"`), []byte(`"name":"sshd: failed","messages"`), 1)...)
	require.NoError(t, os.WriteFile(path, renamed, 0o600))
	p := newTemplates(t, byProgram+"templates: "+path, service.MockResources())
	defer func() { assert.NoError(t, p.Close(t.Context())) }()
	assert.Equal(t, []string{"sshd: failed|known"}, namesOf(t, process(t, p, messages(line("sshd", "Failed password for trent from 203.0.113.9")))))
}

func TestTemplateMetrics(t *testing.T) {
	recorded.values = map[string]int64{}
	resources, _ := withLogAndMetrics(t)
	l := template.NewLearner(template.Options{})
	for scope := range 60 {
		for n := range 100 + scope {
			l.Add(fmt.Sprint("p", scope), fmt.Sprint("started as ", n))
		}
	}
	var content bytes.Buffer
	require.NoError(t, l.Learn().Save(&content))
	path := filepath.Join(t.TempDir(), "templates.ndjson")
	require.NoError(t, os.WriteFile(path, content.Bytes(), 0o600))
	p := newTemplates(t, byProgram+"templates: "+path, resources)
	defer func() { assert.NoError(t, p.Close(t.Context())) }()
	for scope := range 60 {
		process(t, p, messages(line(fmt.Sprint("p", scope), "started as 7"), line(fmt.Sprint("p", scope), "x"), line(fmt.Sprint("invented", scope), "x"), `{}`))
	}
	for name, want := range map[string]int64{
		"deepcase_templates": 60, "deepcase_templates_changed": 0,
		"deepcase_template_messages status=known": 60, "deepcase_template_messages status=unknown": 120, "deepcase_template_messages status=error": 60,
		"deepcase_template_scopes scope=p59 status=known": 1, "deepcase_template_scopes scope=p59 status=unknown": 1, "deepcase_template_scopes scope=p0 status=known": 0,
		"deepcase_template_scopes scope=(other) status=known": 10, "deepcase_template_scopes scope=(other) status=unknown": 70,
	} {
		assert.Equal(t, want, recorded.value(name), name)
	}
	scopes := map[string]bool{}
	for name := range recorded.values {
		if scope, found := strings.CutPrefix(name, "deepcase_template_scopes scope="); found {
			scope, _, _ = strings.Cut(scope, " ")
			scopes[scope] = true
		}
	}
	assert.Len(t, scopes, 51)
}
