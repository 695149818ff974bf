package examples_test

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	_ "connect-deepcase/cache"
)

// targets is a server that stands for all targets, each on a path of its own.
type targets struct {
	mu     sync.Mutex
	got    []request
	answer func(path string, nth int) int // the status of the nth request of a path; nil to accept all
	asked  map[string]int
}

type request struct {
	path, token string
	body        map[string]any
}

func (s *targets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	content, err := io.ReadAll(r.Body)
	got := request{path: r.URL.Path, token: r.Header.Get("Authorization")}
	if err != nil || json.Unmarshal(content, &got.body) != nil || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if s.asked == nil {
		s.asked = map[string]int{}
	}
	s.asked[r.URL.Path]++
	if s.answer != nil {
		if status := s.answer(r.URL.Path, s.asked[r.URL.Path]); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	s.got = append(s.got, got)
}

// sent is what a test looks at in the files of plan, of what was sent, and of what failed.
type sent struct {
	Target, Action, Key, Case, Error string
	Severity                         int
	Body                             map[string]any
}

// inCase is a document in a case.
func inCase(minute int, machine, kind, id, more string) string {
	return fmt.Sprintf(`{"timestamp":"2026-03-02T09:%02d:00Z","deepcase":{"machine":%q,"event":"e of %s","send":true,"case":%q,"case_kind":%q,"case_techniques":["T1110"],%s}}`+"\n",
		minute, machine, machine, id, kind, more)
}

const scored = `"status":"scored","cluster":7,"model":"v1","score":`

// policyRun runs the policy on documents, with all targets on a server.
func policyRun(t *testing.T, server *httptest.Server, state string, documents string, more map[string]string) map[string]string {
	t.Helper()
	variables := outputs(t)
	for _, name := range []string{"PLAN", "SENT", "FAILED", "INPUT"} {
		variables[name] = filepath.Join(t.TempDir(), strings.ToLower(name)+".ndjson")
	}
	require.NoError(t, os.WriteFile(variables["INPUT"], []byte(documents), 0o644))
	variables["TICKETS"], variables["TICKETS_TOKEN"] = server.URL+"/tickets", "t1"
	variables["THEHIVE"], variables["THEHIVE_KEY"] = server.URL, "t2"
	variables["CHAT"] = server.URL + "/hooks/secret"
	variables["RESPONSE"], variables["RESPONSE_TOKEN"] = server.URL+"/respond", "t3"
	variables["STATE"], variables["RETRY"] = state, "1ms"
	maps.Copy(variables, more)
	run(t, "policy.yaml", variables)
	return variables
}

// Each case goes to each target once, and again when it gets worse. Nothing goes out in a dry run.
func TestThePolicySendsEachCaseOnce(t *testing.T) {
	system := &targets{}
	server := httptest.NewServer(system)
	defer server.Close()
	documents := inCase(0, "pc-1", "new", "new-1", `"status":"no_cluster"`) +
		inCase(1, "pc-1", "new", "new-1", `"status":"no_cluster"`) +
		`{"timestamp":"2026-03-02T09:02:00Z","deepcase":{"machine":"pc-1","event":"e","status":"scored","score":0,"send":false}}` + "\n" +
		inCase(3, "pc-1", "alarm", "alarm-1", scored+"1") + // as severe as what was new
		inCase(4, "pc-1", "alarm", "alarm-1", scored+"3") + // worse
		inCase(5, "pc-1", "alarm", "alarm-1", scored+"2") +
		inCase(6, "dc-1", "alarm", "alarm-2", scored+"3") + // a machine that nobody may cut off
		inCase(7, "192.0.2.7", "burst", "burst-1", scored+"0") +
		inCase(8, "192.0.2.7", "alarm", "alarm-3", scored+"3") + // escalates the burst
		inCase(9, "pc-2", "unscored", "unscored-1", `"status":"unscored","cluster":4`) +
		inCase(10, "pc-3", "unscored", "unscored-1", `"status":"unscored","cluster":4`) + // the same case on another machine
		inCase(11, "pc-2", "audit", "audit-1", scored+"0") +
		`{"timestamp":"soon","deepcase":{"machine":"m","event":"e","status":"no_model","send":true,"case":"new-9","case_kind":"new"}}` + "\n" +
		`{"timestamp":"2026-03-02T09:14:07Z"}` + "\n"
	want := []string{
		"ticket open new-1 2", "thehive open new-1 2",
		"ticket open alarm-1 2", "thehive open alarm-1 2",
		"ticket escalate alarm-1-4 4", "thehive escalate alarm-1-4 4", "chat open alarm-1 4", "response open alarm-1 4", // for them it is new
		"ticket open alarm-2 4", "thehive open alarm-2 4", "chat open alarm-2 4",
		"ticket open burst-1 3", "thehive open burst-1 3", "chat open burst-1 3",
		"ticket escalate alarm-3 4", "thehive escalate alarm-3 4", "chat escalate alarm-3 4", "response escalate alarm-3 4",
		"ticket open unscored-1 1", "thehive open unscored-1 1",
		"ticket open audit-1 1", "thehive open audit-1 1",
	}
	short := func(file string) (all []string) {
		for _, s := range lines[sent](t, file) {
			all = append(all, fmt.Sprintf("%s %s %s %d", s.Target, s.Action, s.Key, s.Severity))
		}
		return all
	}
	state := filepath.Join(t.TempDir(), "state")
	never := map[string]string{"RESPONSE_NEVER": "dc-2, dc-1"}
	for _, dry := range []string{"true", "no", "FALSE", ""} {
		never["DRY_RUN"] = dry
		variables := policyRun(t, server, filepath.Join(t.TempDir(), "state"), documents, never)
		require.Equal(t, want, short(variables["PLAN"]), "DRY_RUN=%s", dry)
		require.NoFileExists(t, variables["SENT"])
		require.NoFileExists(t, variables["FAILED"])
	}
	delete(never, "DRY_RUN")
	policyRun(t, server, state, documents, never)
	require.Empty(t, system.got, "nothing is sent by default")

	never["DRY_RUN"], never["REVIEW"] = "false", "https://review.example.org"
	variables := policyRun(t, server, state, documents, never)
	require.Equal(t, want, short(variables["SENT"]), "the dry run has taken nothing from it")
	require.NoFileExists(t, variables["PLAN"])
	require.NoFileExists(t, variables["FAILED"])
	dead := lines[annotated](t, variables["DEAD_LETTERS"])
	require.Len(t, dead, 2)
	assert.Contains(t, dead[0].Error, `timestamp: "soon"`)
	assert.Contains(t, dead[1].Error, "deepcase.send is missing")
	require.Len(t, system.got, len(want))
	paths := map[string]string{"ticket": "/tickets", "thehive": "/api/v1/alert", "chat": "/hooks/secret", "response": "/respond"}
	tokens := map[string]string{"ticket": "Bearer t1", "thehive": "Bearer t2", "response": "Bearer t3"}
	references := map[string]bool{}
	for i, s := range lines[sent](t, variables["SENT"]) {
		got := system.got[i]
		require.Equal(t, request{paths[s.Target], tokens[s.Target], s.Body}, got)
		if s.Target != "thehive" {
			continue
		}
		for name, most := range map[string]int{"type": 32, "source": 64, "sourceRef": 128, "title": 512, "description": 1 << 20} { // what TheHive 5 requires
			text, _ := got.body[name].(string)
			assert.NotEmpty(t, text, name)
			assert.LessOrEqual(t, len(text), most, name)
		}
		assert.EqualValues(t, s.Severity, got.body["severity"])
		assert.Subset(t, got.body["tags"], []any{"deepcase", "case:" + s.Case, "T1110"})
		assert.Equal(t, "https://review.example.org/queue?view=all&q=case:"+s.Case, got.body["externalLink"])
		assert.False(t, references[s.Key], "TheHive would refuse it")
		references[s.Key] = true
	}
	assert.Equal(t, []any{map[string]any{"dataType": "ip", "data": "192.0.2.7"}}, system.got[12].body["observables"])
	assert.Equal(t, []any{map[string]any{"dataType": "hostname", "data": "pc-1"}}, system.got[1].body["observables"])
	assert.Equal(t, "burst-1", system.got[14].body["escalates"])
	assert.Equal(t, map[string]any{
		"action": "isolate", "key": "alarm-1", "case": "alarm-1", "machine": "pc-1", "reason": "Attack: e of pc-1 on pc-1", "severity": 4.0, "score": 3.0,
		"cluster": 7.0, "model": "v1", "techniques": []any{"T1110"}, "at": "2026-03-02T09:04:00Z", "link": "https://review.example.org/queue?view=all&q=case:alarm-1",
	}, system.got[7].body)

	variables = policyRun(t, server, state, documents, never)
	require.Len(t, system.got, len(want), "after a restart, nothing is sent again")
	require.NoFileExists(t, variables["SENT"])
}

// A target that has a bad moment gets its message all the same. What it refuses is kept with the reason, without the address, and stops nothing.
func TestThePolicyKeepsWhatCannotBeSent(t *testing.T) {
	system := &targets{answer: func(path string, nth int) int {
		switch {
		case path == "/hooks/secret" && nth <= 2:
			return http.StatusServiceUnavailable
		case path == "/api/v1/alert":
			return http.StatusBadRequest
		}
		return 0
	}}
	server := httptest.NewServer(system)
	defer server.Close()
	alarm := inCase(0, "pc-1", "alarm", "alarm-1", scored+"3")
	state := t.TempDir()
	variables := policyRun(t, server, state, alarm+alarm, map[string]string{"DRY_RUN": "false", "RESPONSE": "http://127.0.0.1:1/secret"})
	require.Len(t, lines[sent](t, variables["SENT"]), 2)
	require.Equal(t, map[string]int{"/tickets": 1, "/hooks/secret": 3, "/api/v1/alert": 1}, system.asked)
	failed := lines[sent](t, variables["FAILED"])
	require.Len(t, failed, 2)
	assert.Equal(t, "thehive", failed[0].Target)
	assert.Contains(t, failed[0].Error, "400")
	assert.Equal(t, "alarm-1", failed[0].Body["sourceRef"])
	assert.Equal(t, "response", failed[1].Target)
	assert.Contains(t, failed[1].Error, "refused")
	for _, f := range failed {
		assert.NotContains(t, f.Error, "/secret")
		assert.NotContains(t, f.Error, "/api/v1/alert")
	}

	// Targets without an address are left out.
	none := map[string]string{"DRY_RUN": "false", "TICKETS": "", "THEHIVE": "", "RESPONSE": ""}
	variables = policyRun(t, server, t.TempDir(), alarm, none)
	require.Len(t, lines[sent](t, variables["SENT"]), 1)
	require.NoFileExists(t, variables["FAILED"])
}

// A name is no markup in a chat, and calls nobody.
func TestNamesInAChatAreQuoted(t *testing.T) {
	system := &targets{}
	server := httptest.NewServer(system)
	defer server.Close()
	const begin = "a `b <!channel> & @all\n# c"
	text, err := json.Marshal(begin + strings.Repeat("é", 1000))
	require.NoError(t, err)
	document := strings.ReplaceAll(inCase(0, "pc-1", "alarm", "alarm-1", scored+"3"), `"e of pc-1"`, string(text))
	policyRun(t, server, t.TempDir(), document, map[string]string{"DRY_RUN": "false", "TICKETS": "", "THEHIVE": "", "RESPONSE": ""})
	require.Len(t, system.got, 1)
	assert.Equal(t, "Attack: `a  b &lt;!channel&gt; &amp; @all # c"+strings.Repeat("é", 400-len(begin))+"…` on `pc-1` (severity 4, case alarm-1) T1110", system.got[0].body["text"])
}
