package sequencer

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// realData finds files in the folder with real events beside the repository. If CI is set, the folder must be there.
func realData(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("../../shared/data", pattern))
	require.NoError(t, err)
	if len(paths) == 0 {
		if os.Getenv("CI") != "" {
			t.Fatalf("shared/data/%s is not beside the repository", pattern)
		}
		t.Skipf("shared/data/%s is not beside the repository", pattern)
	}
	return paths
}

func TestReadRealData(t *testing.T) {
	for _, c := range []struct {
		pattern                string
		opts                   ReadOptions
		rows, events, machines int
	}{
		{"ait-ads/russellmitchell.csv.gz", ReadOptions{Columns: Columns{"time", "host", "name", "event_label"}, Benign: "-"}, 45_544, 72, 11},
		{"hdfs/hdfs_train.txt.gz", ReadOptions{}, 95_125, 14, 4855},
		{"suricata-cptc2017/*.json.gz", ReadOptions{Columns: Columns{Machine: "src_ip", Event: "alert.signature"}, PerFile: true}, 10_550, 75, 39},
		{"windows-otrf/*.json.gz", ReadOptions{Columns: Columns{Timestamp: "@timestamp", Machine: "Hostname", Event: "EventID"}}, 21_225, 65, 3},
		{"wazuh/*.json", ReadOptions{Columns: Columns{Machine: "agent.name", Event: "rule.description"}}, 497, 13, 1},
	} {
		t.Run(c.pattern, func(t *testing.T) {
			var table Table
			require.NoError(t, table.Read(c.opts, realData(t, c.pattern)...))
			assert.Equal(t, c.rows, table.Len())
			assert.Len(t, table.names.texts, c.events)
			assert.Len(t, table.machines.texts, c.machines)
		})
	}
}
