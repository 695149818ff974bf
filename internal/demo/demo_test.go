package demo

import (
	"bytes"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func ndjson(t *testing.T, opts Options) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, WriteNDJSON(&b, Generate(opts)))
	return b.Bytes()
}

// The figures of the quick start hold for exactly these alerts.
func TestGenerateIsTheSameEverywhere(t *testing.T) {
	const want = "a3435cccf7aad61b65537c39d7adb678fa011387ef1c4248552d2f41d730f9c9"
	assert.Equal(t, want, fmt.Sprintf("%x", sha256.Sum256(ndjson(t, Options{}))))
	explicit := Options{Seed: 1, Start: time.Date(2026, 1, 7, 1, 0, 0, 0, time.FixedZone("CET", 3600)), Days: 8, Machines: 40}
	assert.Equal(t, want, fmt.Sprintf("%x", sha256.Sum256(ndjson(t, explicit))))
	assert.NotEqual(t, ndjson(t, Options{Machines: 2, Seed: 2}), ndjson(t, Options{Machines: 2, Seed: 3}))
}

func TestGenerate(t *testing.T) {
	var opts Options
	alerts := Generate(opts)
	assert.InDelta(t, 40_000, len(alerts), 4_000)

	machines, events, benign, attacks := map[string]bool{}, map[string]bool{}, map[string]bool{}, map[string]bool{}
	ids := map[string]bool{}
	before, after := map[string]int{}, map[string]int{} // attacks of each kind
	end := alerts[0].Timestamp
	for _, a := range alerts {
		require.False(t, a.Timestamp.Before(end), "time order: %v", a)
		end = a.Timestamp
		ids[a.ID], machines[a.Machine], events[a.Event] = true, true, true
		require.NotEmpty(t, a.Message)
		require.NotContains(t, a.Message, "{")
		require.Equal(t, a.Label > 0, a.Attack != "", "%v", a)
		require.LessOrEqual(t, a.Label, 3)
		if a.Label == 0 {
			benign[a.Event] = true
			continue
		}
		if attacks[a.Attack] {
			continue
		}
		attacks[a.Attack] = true
		kind, _, _ := strings.Cut(a.Attack, " on ")
		if a.Timestamp.Before(opts.Split()) {
			before[kind]++
		} else {
			after[kind]++
		}
	}
	assert.Len(t, ids, len(alerts))
	assert.Len(t, machines, 40)
	assert.InDelta(t, 65, len(events), 15)
	assert.False(t, alerts[0].Timestamp.Before(opts.orDefault().Start))
	assert.True(t, end.Before(opts.orDefault().Start.AddDate(0, 0, 8)))

	assert.Zero(t, before[novelAttack])
	for _, s := range scripts {
		if s.attack {
			assert.Positive(t, after[s.name], s.name)
		}
		if s.attack && !s.novel {
			assert.GreaterOrEqual(t, before[s.name], 8, "%s: enough to make clusters of its steps", s.name)
			both := 0
			for _, step := range s.steps {
				if benign[step.event] {
					both++
				}
			}
			assert.GreaterOrEqual(t, both, 3, "%s: the name alone must not decide", s.name)
		}
	}
}

func TestGenerateSmall(t *testing.T) {
	for _, opts := range []Options{{Days: 1, Machines: 1}, {Days: 1, Machines: 300}, {Days: -1, Machines: -1}} {
		alerts := Generate(opts)
		require.NotEmpty(t, alerts)
		if opts.Machines > 0 {
			machines := map[string]bool{}
			for _, a := range alerts {
				machines[a.Machine] = true
			}
			assert.Len(t, machines, opts.Machines)
		}
	}
}

// Both files have the same alerts, with the field names that the tools expect.
func TestWrite(t *testing.T) {
	alerts := Generate(Options{Days: 4, Machines: 8})
	var b bytes.Buffer
	require.NoError(t, WriteCSV(&b, alerts))
	rows, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	require.Len(t, rows, len(alerts)+1)
	d := json.NewDecoder(bytes.NewReader(ndjson(t, Options{Days: 4, Machines: 8})))
	for _, row := range rows[1:] {
		var object map[string]any
		require.NoError(t, d.Decode(&object))
		for i, column := range rows[0] {
			switch value := object[column].(type) {
			case nil:
				require.Equal(t, "attack", column)
				require.Empty(t, row[i])
			case float64:
				require.Equal(t, row[i], strconv.FormatFloat(value, 'f', -1, 64))
			default:
				require.Equal(t, row[i], value, column)
			}
		}
		require.NotContains(t, []any{object["timestamp"], object["machine"], object["event"]}, nil)
	}
	require.False(t, d.More())

	assert.ErrorIs(t, WriteCSV(fullDisk{}, alerts), errFull)
	assert.ErrorIs(t, WriteNDJSON(fullDisk{}, alerts), errFull)
}

var errFull = errors.New("disk full")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }
