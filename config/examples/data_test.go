package examples_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// realData is the path of a file of real logs, which lie beside the checkout and not in it.
func realData(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join("..", "..", "..", "shared", "data", name)
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal(err)
		}
		t.Skipf("no real data: %v", err)
	}
	return path
}

// variable is what must not be in the name of an event: addresses, file paths, hashes, user names of the data.
var variable = regexp.MustCompile(`\d+\.\d+\.\d+\.\d+|[0-9a-f]{8}|[A-Za-z]:\\|elastic_user|ubuntu|wardog|port \d{5}|\[\d+\]`)

func TestRealLogsHaveMachinesNamesAndTimes(t *testing.T) {
	eve := map[string]string{"MACHINE_FIELD": "dest_ip", "EVENT_FIELD": "alert.signature", "TIME_FIELD": "timestamp"}
	for _, c := range []struct {
		example, data   string
		variables       map[string]string
		events          int
		machines, names int
	}{
		{"source_authlog.yaml", "auth-log/auth.log", nil, 7121, 1, 54},
		{"source_authlog.yaml", "auth-log/OpenSSH_2k.log", nil, 2000, 1, 20},
		{"source_suricata.yaml", "suricata-cptc2017/team1.eve.json.gz", nil, 4274, 53, 44},
		{"source_suricata.yaml", "suricata-cptc2017/team2.eve.json.gz", nil, 2923, 258, 37},
		{"source_suricata.yaml", "suricata-cptc2017/team3.eve.json.gz", nil, 3353, 95, 58},
		{"score_ndjson.yaml", "suricata-cptc2017/team1.eve.json.gz", eve, 4274, 53, 44},
		{"source_windows.yaml", "windows-otrf/covenant_wmi_wbemcomn_dll_hijack_2020-10-09173318.json.gz", nil, 8947, 3, 48},
		{"source_windows.yaml", "windows-otrf/empire_wmic_add_user_backdoor_2020-09-14080546.json.gz", nil, 12278, 3, 64},
		{"source_wazuh.yaml", "wazuh/ossec_insect.json", nil, 497, 2, 13},
	} {
		t.Run(c.example+" "+filepath.Base(c.data), func(t *testing.T) {
			t.Parallel()
			out := t.TempDir()
			variables := map[string]string{
				"INPUT": realData(t, c.data), "MODEL": filepath.Join(out, "model"),
				"OUTPUT": filepath.Join(out, "annotated.ndjson"), "DEAD_LETTERS": filepath.Join(out, "dead-letters.ndjson"),
			}
			maps.Copy(variables, c.variables)
			run(t, c.example, variables)
			// Only an event with machine, name and time is annotated.
			require.Empty(t, lines[annotated](t, variables["DEAD_LETTERS"]))
			documents := lines[annotated](t, variables["OUTPUT"])
			require.Len(t, documents, c.events)
			machines, names := map[string]int{}, map[string]int{}
			for _, d := range documents {
				require.Equal(t, "no_model", d.Deepcase.Status)
				machines[d.Deepcase.Machine]++
				names[d.Deepcase.Event]++
			}
			once, other := 0, 0
			for name, n := range names {
				require.NotRegexp(t, variable, name)
				if n == 1 {
					once++
				}
				if regexp.MustCompile(`: (PAM )?other$`).MatchString(name) {
					other += n
				}
			}
			t.Logf("%d events, %d machines, %d names, %d of them once, %d events of unknown kind", len(documents), len(machines), len(names), once, other)
			require.Len(t, machines, c.machines)
			require.Len(t, names, c.names)
			require.Zero(t, other)
		})
	}
}
