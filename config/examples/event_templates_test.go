package examples_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/store"
)

// leases are lines of a program that parse_deepcase_syslog has no rules for, and of one that it has.
func leases(t *testing.T, cycles int) string {
	t.Helper()
	var b strings.Builder
	for i := range cycles {
		write := func(second int, program, message string) {
			fmt.Fprintf(&b, "Mar %2d %02d:%02d:%02d h%d %s[%d]: %s\n", 1+i/1440, i/60%24, i%60, second, i%3, program, i, message)
		}
		write(1, "dhclient", fmt.Sprintf("DHCPREQUEST of 192.0.2.%d on eth0 to 198.51.100.%d port 67", i%250, i%7))
		write(2, "dhclient", fmt.Sprintf("DHCPACK of 192.0.2.%d from 198.51.100.%d", i%250, i%7))
		write(3, "dhclient", fmt.Sprintf("bound to 192.0.2.%d -- renewal in %d seconds.", i%250, 1000+i))
		write(4, "sshd", fmt.Sprintf("Connection closed by 192.0.2.%d port %d [preauth]", i%250, 4000+i))
	}
	path := filepath.Join(t.TempDir(), "auth.log")
	require.NoError(t, os.WriteFile(path, []byte(b.String()), 0o600))
	return path
}

func eventNames(t *testing.T, variables map[string]string) map[string]int {
	t.Helper()
	require.Empty(t, lines[annotated](t, variables["DEAD_LETTERS"]))
	names := map[string]int{}
	for _, d := range lines[annotated](t, variables["OUTPUT"]) {
		names[d.Deepcase.Event]++
	}
	return names
}

// Lines that no rule covers: learn their templates, score, train, and score again with the same names.
func TestSyslogLinesAreNamedByTemplates(t *testing.T) {
	variables := outputs(t)
	variables["LOG_YEAR"], variables["INPUT"] = "2026", leases(t, 100)
	variables["TEMPLATES"], variables["LEARN"] = filepath.Join(t.TempDir(), "templates.ndjson"), "270"
	run(t, "source_authlog.yaml", variables)
	require.Equal(t, map[string]int{
		"dhclient: other": 270, // while they are learnt
		"dhclient: DHCPREQUEST of <*> on <*> to <*> port <*>": 10, "dhclient: DHCPACK of <*> from <*>": 10,
		"dhclient: bound to <*> -- renewal in <*>.": 10, "sshd: connection closed": 100,
	}, eventNames(t, variables))
	learnt, err := os.ReadFile(variables["TEMPLATES"])
	require.NoError(t, err)

	want := map[string]int{
		"dhclient: DHCPREQUEST of <*> on <*> to <*> port <*>": 200, "dhclient: DHCPACK of <*> from <*>": 200,
		"dhclient: bound to <*> -- renewal in <*>.": 200, "sshd: connection closed": 200,
	}
	variables["INPUT"], variables["OUTPUT"] = leases(t, 200), filepath.Join(t.TempDir(), "second.ndjson")
	run(t, "source_authlog.yaml", variables)
	require.Equal(t, want, eventNames(t, variables))

	training := map[string]string{"INPUT": variables["OUTPUT"], "MODEL": variables["MODEL"], "TRAININGS": variables["TRAININGS"],
		"CLUSTERS": filepath.Join(t.TempDir(), "clusters"), "EPOCHS": "3"}
	run(t, "train_from_files.yaml", training)
	models, err := store.Open(variables["MODEL"], false)
	require.NoError(t, err)
	version, err := models.Current()
	require.NoError(t, err)
	m, err := models.Load(version)
	require.NoError(t, err)
	require.Len(t, m.Templates, 1, "the model knows its templates")
	clusters := lines[struct {
		FirstSeen string `json:"first_seen"`
	}](t, training["CLUSTERS"]+"-"+version+".ndjson")
	require.NotEmpty(t, clusters)
	require.Contains(t, clusters[0].FirstSeen, "20", "times are those of @timestamp")

	variables["OUTPUT"] = filepath.Join(t.TempDir(), "third.ndjson")
	run(t, "source_authlog.yaml", variables)
	require.Equal(t, want, eventNames(t, variables))
	for _, d := range lines[struct {
		Deepcase struct{ Event, Status, Templates string }
	}](t, variables["OUTPUT"]) {
		require.NotContains(t, []string{"no_model", "unknown_event"}, d.Deepcase.Status, d.Deepcase.Event)
		if strings.HasPrefix(d.Deepcase.Event, "dhclient: ") {
			require.Equal(t, m.Templates[0], d.Deepcase.Templates)
		}
	}
	now, err := os.ReadFile(variables["TEMPLATES"])
	require.NoError(t, err)
	require.Equal(t, string(learnt), string(now), "scoring does not change the file")
}

// An analyst's name, a line without a template, a line of a program that the file does not know.
func TestSyslogNamesOfAnalysts(t *testing.T) {
	variables := outputs(t)
	variables["LOG_YEAR"], variables["INPUT"] = "2026", filepath.Join(t.TempDir(), "auth.log")
	variables["TEMPLATES"] = filepath.Join("testdata", "syslog_templates.ndjson")
	require.NoError(t, os.WriteFile(variables["INPUT"], []byte(`Mar 27 13:07:10 h dhclient[1]: DHCPACK of 192.0.2.7 from 192.0.2.1
Mar 27 13:07:10 h dhclient[1]: something else
Mar 27 13:07:10 h sshd-session[1]: rexec line 12: Deprecated option KeyRegenerationInterval
Mar 27 13:07:10 h sshd[1]: Failed password for root from 192.0.2.7 port 4242 ssh2
Mar 27 13:07:10 h NetworkManager[1]: DHCPACK of 192.0.2.7 from 192.0.2.1
Mar 27 13:07:10 h sshd[1]: pam_new(sshd:auth): something
`), 0o600))
	run(t, "source_authlog.yaml", variables)
	require.Equal(t, map[string]int{
		"dhclient: DHCPACK of <*> from <*>": 1, "dhclient: other": 1, "sshd: deprecated option": 1, "sshd: failed password for root": 1,
		"networkmanager: other": 1, "sshd: PAM other": 1,
	}, eventNames(t, variables))
}
