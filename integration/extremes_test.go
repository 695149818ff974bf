//go:build integration

package integration

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// event is what the pipelines of this file read and write.
type event struct {
	Machine   string    `json:"machine"`
	Event     string    `json:"event"`
	Timestamp time.Time `json:"timestamp"`
	Verdict   *struct {
		Context []*string `json:"context"`
	} `json:"deepcase,omitempty"`
}

// through sends events through a configuration from INPUT to OUTPUT, and gives what comes out, with the process's peak of memory in MB.
func through(t testing.TB, config string, given []event, variables map[string]string) (found []event, peak int) {
	t.Helper()
	folder := t.TempDir()
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	for _, e := range given {
		require.NoError(t, encoder.Encode(e))
	}
	variables["INPUT"], variables["OUTPUT"] = filepath.Join(folder, "in.ndjson"), filepath.Join(folder, "out.ndjson")
	require.NoError(t, os.WriteFile(variables["INPUT"], text.Bytes(), 0o600))
	p := begin(t, config, folder, variables)
	p.finish(t, 3*time.Minute)
	out, err := os.Open(variables["OUTPUT"])
	require.NoError(t, err)
	defer out.Close()
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		var e event
		require.NoError(t, json.Unmarshal(scanner.Bytes(), &e))
		require.NotNil(t, e.Verdict, scanner.Text())
		found = append(found, e)
	}
	require.Len(t, found, len(given))
	return found, p.peak()
}

// 100,000 machines within an hour, each of which speaks twice, at the same pace. Where max_machines is above their number, or a
// cache keeps what is below, all contexts are there; without a cache those of forgotten machines are empty. Nothing is lost, and memory
// is bounded.
func TestHundredThousandMachinesInOneHour(t *testing.T) {
	const machines, rounds = 100_000, 2
	var given []event
	for round := range rounds {
		for machine := range machines {
			at := time.Unix(1_700_000_000, 0).UTC().Add(time.Duration(round*machines+machine) * time.Hour / (rounds * machines))
			given = append(given, event{Machine: fmt.Sprintf("host-%06d.example.org", machine), Event: fmt.Sprint("alert ", round), Timestamp: at})
		}
	}
	redis := launch(t, "redis")
	for _, c := range []struct {
		name, max, cache string
		exact            bool
		most             int // MB
	}{
		{"more than there are", "200000", `""`, true, 250},
		{"a tenth", "10000", `""`, false, 180},
		{"a tenth, with a cache", "10000", "windows", true, 180},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := filepath.Join(t.TempDir(), "machines.yaml")
			require.NoError(t, os.WriteFile(config, []byte(`
http: { enabled: false }
input:
  batched:
    policy: { count: 1000, period: 100ms }
    child: { file: { paths: [ "${INPUT}" ], scanner: { lines: {} } } }
pipeline:
  threads: 1
  processors:
    - deepcase_sequence: { max_machines: ${MAX_MACHINES}, cache: ${CACHE} }
output: { file: { path: "${OUTPUT}", codec: lines } }
cache_resources: [ { label: windows, redis: { url: "redis://${REDIS}" } } ]
`), 0o600))
			begun := time.Now()
			found, peak := through(t, config, given, map[string]string{"MAX_MACHINES": c.max, "CACHE": c.cache, "REDIS": redis.address()})
			t.Logf("%d events in %s, at most %d MB", len(found), time.Since(begun).Round(time.Second), peak)
			require.Less(t, peak, c.most, "MB")
			for i, e := range found {
				require.Equal(t, given[i].Machine, e.Machine)
				want := make([]string, 10)
				for k := range want {
					want[k] = "-"
					if round := i/machines - 10 + k; c.exact && round >= 0 {
						want[k] = fmt.Sprint("alert ", round)
					}
				}
				require.Equal(t, want, texts(e.Verdict.Context), "%s at %s", e.Machine, e.Timestamp)
			}
		})
	}
}

// A clock that jumps back by less than `late` events gives the contexts of time's order. One that jumps back further begins anew: no
// context has an event of the future, and once length + 1 + late events have come, contexts are those of a run that began at the jump.
func TestClockThatJumpsBack(t *testing.T) {
	const length, late, before = 10, 32, 200
	for _, back := range []time.Duration{20 * time.Second, time.Hour} {
		t.Run(back.String(), func(t *testing.T) {
			var given []event
			for i := range 2 * before {
				for machine := range 20 {
					at := time.Unix(1_700_000_000+int64(i), 0).UTC()
					if i >= before {
						at = at.Add(-back).Add(time.Second / 2)
					}
					given = append(given, event{Machine: fmt.Sprint("m", machine), Event: fmt.Sprint(i), Timestamp: at})
				}
			}
			found, _ := through(t, "../config/examples/score_ndjson.yaml", given, map[string]string{"MODEL": "none"})
			past := map[string][]event{} // of a machine, by time
			seen := map[string]int{}
			for i, e := range found {
				require.Equal(t, given[i].Machine+given[i].Event, e.Machine+e.Event)
				if seen[e.Machine]++; back == time.Hour && seen[e.Machine] == before+length+1+late {
					past[e.Machine] = nil
				}
				earlier := past[e.Machine]
				at, _ := slices.BinarySearchFunc(earlier, e, func(p, e event) int {
					if p.Timestamp.After(e.Timestamp) {
						return 1
					}
					return -1
				})
				var want []string
				for _, p := range earlier[max(0, at-length):at] {
					want = append(want, p.Event)
				}
				want = append(slices.Repeat([]string{"-"}, length-len(want)), want...)
				if back == time.Hour && seen[e.Machine] > before && seen[e.Machine] <= before+length+1+late {
					want = slices.Repeat([]string{"-"}, length) // its clock is not believed yet
				}
				require.Equal(t, want, texts(e.Verdict.Context), "event %s of %s", e.Event, e.Machine)
				past[e.Machine] = slices.Insert(earlier, at, e)
			}
		})
	}
}
