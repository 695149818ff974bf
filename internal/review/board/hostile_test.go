package board

import (
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/field"
	"connect-deepcase/internal/review/database"
	"connect-deepcase/internal/snapshot"
	"connect-deepcase/model"
)

// A number that cannot be summed up or a time that cannot be written would keep everything from being written.
func TestReadRefusesWhatCannotBeStored(t *testing.T) {
	for text, want := range map[string]string{
		`"confidence":1e308`:  "deepcase.confidence is 1e+308, need a number from 0 to 1",
		`"confidence":-0.1`:   "deepcase.confidence is -0.1",
		`"attention":[2]`:     "deepcase.attention[0] is 2, need a number from 0 to 1",
		`"attention":[-1]`:    "deepcase.attention[0] is -1",
		`"attention":[1e999]`: "deepcase.attention is a JSON value 1e999",
	} {
		_, err := Read(target, []byte(`{"deepcase":{"status":"no_cluster","event":"a","context":["b"],`+text+`}}`), start)
		require.ErrorContains(t, err, want, text)
	}
	good := []byte(`{"deepcase":{"status":"no_cluster","event":"a","context":["b"]}}`)
	for _, year := range []int{1969, 2201, 12000} {
		_, err := Read(target, good, time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC))
		require.ErrorContains(t, err, "need one from 1970 to 2200")
	}
	long, err := json.Marshal(map[string]any{"deepcase": map[string]any{"status": "no_cluster", "event": string(make([]byte, maxAnnotation)), "context": []string{}}})
	require.NoError(t, err)
	_, err = Read(target, long, start)
	require.ErrorContains(t, err, "need at most 1048576")
}

// The database as a killed process leaves it: its files as they are, between two commits.
func TestAKilledProcessLosesNothing(t *testing.T) {
	dir := t.TempDir()
	o := Options{Generation: func(string) string { return "g" }}
	b := open(t, dir, o)
	r := rand.New(rand.NewPCG(5, 6))
	for round := range 6 {
		var alerts []Alert
		for _, d := range invented(r, 100) {
			alerts = append(alerts, d.alert(t))
		}
		require.NoError(t, b.Add(t.Context(), alerts))
		if round%2 == 1 {
			b.intake.Lock()
			require.NoError(t, b.checkpoint(t.Context()))
			b.intake.Unlock()
		}
		other := t.TempDir()
		for _, name := range []string{"alerts.db", "alerts.db-wal"} {
			content, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(filepath.Join(other, name), content, 0o600))
		}
		require.JSONEq(t, asJSON(t, picture(b)), asJSON(t, picture(open(t, other, o))), round)
	}
}

// What the clock said when an alert came counts after a restart, too.
func TestARestartDoesNotMoveAlertsFromAheadOfTheClock(t *testing.T) {
	now := start
	dir := t.TempDir()
	o := Options{Generation: func(string) string { return "g" }, Now: func() time.Time { return now }}
	db, err := database.Open(dir)
	require.NoError(t, err)
	b, err := Open(t.Context(), db, o)
	require.NoError(t, err)
	ahead := document{At: now.Add(5 * time.Hour), Machine: "pc-1", Event: "login", Context: []string{"scan"}, Status: "no_cluster"}
	require.NoError(t, b.Add(t.Context(), []Alert{ahead.alert(t)}))
	want := picture(b)
	require.NoError(t, db.Close())
	now = now.Add(10 * time.Hour)
	require.JSONEq(t, asJSON(t, want), asJSON(t, picture(open(t, dir, o))))
}

func TestADamagedPieceOfTheLogLeavesTheOthers(t *testing.T) {
	b := open(t, t.TempDir(), Options{})
	for i := range 3 {
		d := document{At: start.Add(time.Duration(i) * time.Minute), Machine: "pc-1", Event: "login", Context: []string{"scan"}, Status: "no_cluster", Case: "c", Kind: "new"}
		require.NoError(t, b.Add(t.Context(), []Alert{d.alert(t)}))
		require.NoError(t, b.Close(t.Context()))
	}
	require.NoError(t, b.db.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("UPDATE log SET alerts = x'0102030405' WHERE number = 2")
		return err
	}))
	alerts, _, err := b.CaseAlerts(t.Context(), caseID("c"))
	require.ErrorContains(t, err, "log of pc-1 from 2026-03-02T08:01:00Z on")
	require.Len(t, alerts, 2)
}

func TestWhatIsOlderThanKeepIsForgotten(t *testing.T) {
	now := start
	b := open(t, t.TempDir(), Options{Now: func() time.Time { return now }, Keep: 24 * time.Hour})
	add := func(machine, name string) {
		t.Helper()
		d := document{At: now, Machine: machine, Event: "login", Context: []string{"scan"}, Status: "unknown_event", Case: name, Kind: "new"}
		require.NoError(t, b.Add(t.Context(), []Alert{d.alert(t)}))
		require.NoError(t, b.Close(t.Context()))
	}
	add("pc-1", "old")
	now = now.Add(30 * time.Hour)
	add("pc-2", "new")
	for table, want := range map[string]int{"question": 1, "pattern": 1, "document": 1, "cases": 1, "hour": 1, "log": 1, "intake": 0} {
		var n int
		require.NoError(t, b.db.Read().QueryRow("SELECT count(*) FROM "+table).Scan(&n))
		require.Equal(t, want, n, table)
	}
	b.View(func(v View) {
		require.Len(t, v.Cases(), 1)
		for _, q := range v.Questions() {
			require.Len(t, q.Patterns, 1)
			require.Equal(t, 2, q.Alerts)
		}
	})
	now = now.Add(48 * time.Hour)
	b.checkpointed = time.Time{}
	require.NoError(t, b.Add(t.Context(), nil), "as from time to time, if no alert comes")
	b.View(func(v View) {
		require.Empty(t, v.Questions())
		require.Empty(t, v.Cases())
	})
}

func TestAQuestionForgetsItsOldestPatterns(t *testing.T) {
	b := open(t, t.TempDir(), Options{})
	var alerts []Alert
	for i := range maxPatterns + 1 {
		alerts = append(alerts, document{At: start.Add(time.Duration(i) * time.Second), Machine: fmt.Sprint(i), Event: "login", Context: []string{"x"}, Status: "unknown_event"}.alert(t))
	}
	require.NoError(t, b.Add(t.Context(), alerts))
	require.NoError(t, b.Close(t.Context()))
	b.View(func(v View) {
		require.Nil(t, v.ByPattern(alerts[maxPatterns/10-1].Pattern))
		q := v.ByPattern(alerts[maxPatterns/10].Pattern)
		require.Len(t, q.Patterns, maxPatterns-maxPatterns/10+1)
		require.Equal(t, maxPatterns+1, q.Alerts)
		require.Equal(t, maxPatterns+1, q.Seq)
	})
	var n int
	require.NoError(t, b.db.Read().QueryRow("SELECT count(*) FROM pattern").Scan(&n))
	require.Equal(t, maxPatterns-maxPatterns/10+1, n)
}

func TestTheOldestQuestionsAndCasesAreForgotten(t *testing.T) {
	b := open(t, t.TempDir(), Options{})
	var alerts []Alert
	for i := range 20 {
		alerts = append(alerts, document{At: start.Add(time.Duration(i) * time.Second), Machine: "pc", Event: fmt.Sprint("event ", i), Context: []string{"x"}, Status: "unknown_event", Case: fmt.Sprint(i), Kind: "new"}.alert(t))
	}
	require.NoError(t, b.Add(t.Context(), alerts))
	b.forgetOldest(5)
	b.forgetOldestCases(5)
	require.NoError(t, b.Close(t.Context()))
	b.View(func(v View) {
		require.Len(t, v.Questions(), 15)
		require.Len(t, v.Cases(), 15)
		require.Empty(t, v.OfEvent("event 4"))
		require.Len(t, v.OfEvent("event 5"), 1)
		require.Nil(t, v.ByPattern(alerts[4].Pattern))
		require.NotContains(t, v.Cases(), caseID("4"))
	})
}

// Bins keep eight days, whatever order alerts come in.
func TestBinsCountWhatASimpleProgramCounts(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for range 50 {
		var b Bins
		top, counts := int64(0), map[int64]int{}
		for range 300 {
			at := start.Add(time.Duration(r.IntN(20*24)) * time.Hour)
			bin := binOf(at)
			b.add(at)
			if bin > top-binned { // else it is too old when it comes
				counts[bin]++
			}
			top = max(top, bin)
			for n := range counts {
				if n <= top-binned {
					delete(counts, n)
				}
			}
		}
		now := time.Unix(top*int64(binTime/time.Second), 0)
		sum := 0
		for i, n := range b.Until(now) {
			require.Equal(t, counts[top-binned+1+int64(i)], n)
			sum += n
		}
		require.Equal(t, sum, b.Since(now, binned))
	}
}

func FuzzRead(f *testing.F) {
	f.Add(document{At: start, Machine: "m", Event: "e", Context: []string{"", "a"}, Attention: []float64{0, 1}, Status: "no_cluster"}.bytes())
	f.Add([]byte(`{"deepcase":{"status":"no_cluster","event":"a","context":[ null , "\u202e"],"attention":[ ]}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		a, err := Read(target, content, start)
		if err != nil {
			return
		}
		require.NotEmpty(t, a.Event)
		packed := binary.AppendUvarint(binary.AppendVarint([]byte{intakeVersion}, 0), 1)
		_, again, err := unpackAlerts(s2.Encode(nil, snapshot.Seal(a.append(packed))))
		require.NoError(t, err)
		require.Equal(t, fmt.Sprint(a), fmt.Sprint(again[0]))
	})
}

// An annotation is what encoding/json reads, which also takes keys in capitals.
func FuzzAnnotation(f *testing.F) {
	f.Add([]byte(`{"machine":"web-1","event":"e","context":[null,"a"],"attention":[0,1e-3],"status":"answered","score":0,"cluster":-1,"answer":{"verdict":"no_cluster"}}`))
	f.Add([]byte(`{"score":1e999,"cluster":1.5,"event":"\u00e9","case":null,"case_kind":7,"answer":[],"model":"a","model":null}`))
	f.Fuzz(func(t *testing.T, object []byte) {
		if !json.Valid(object) {
			return
		}
		for _, key := range field.Keys(object) {
			if strings.ContainsFunc(key, func(r rune) bool { return r > '~' || r >= 'A' && r <= 'Z' }) {
				return
			}
		}
		var d, want annotated
		err := d.read(object)
		require.Equal(t, fmt.Sprint(json.Unmarshal(object, &want)), fmt.Sprint(err))
		if err != nil {
			return
		}
		require.Equal(t, want, d)
	})
}

// The lists are what encoding/json reads.
func FuzzLists(f *testing.F) {
	f.Add(`[]`)
	f.Add(`[null, "a","b\n" ,"` + "\xff" + `"]`)
	f.Add(`[0.5, -1e-3,0 ]`)
	f.Add(`{}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, text string) {
		var names nameList
		var numbers numberList
		var wantNames []*string
		var wantNumbers []float64
		wantErr := json.Unmarshal([]byte(text), &wantNames)
		err := json.Unmarshal([]byte(text), &names)
		require.Equal(t, wantErr == nil, err == nil, err)
		if err == nil {
			require.Equal(t, wantNames == nil, names == nil)
			require.Len(t, names, len(wantNames))
			for i, name := range wantNames {
				if name == nil {
					name = new(string)
				}
				require.Equal(t, *name, names[i])
			}
		}
		if text := []byte(text); json.Unmarshal(text, &wantNumbers) == nil {
			if json.Unmarshal(text, &numbers) == nil { // null in a list is no number here
				require.Equal(t, wantNumbers, []float64(numbers))
			}
		}
	})
}

func FuzzUnpack(f *testing.F) {
	packed := pack([]line{{At: start, Event: "e", Status: model.Scored, Score: 1, Case: "c", Question: "q"}})
	f.Add(packed[1 : len(packed)-4])
	f.Fuzz(func(t *testing.T, body []byte) { // with a checksum that is right
		data := snapshot.Seal(append([]byte{logVersion}, body...))
		if lines, err := unpack(data, "m", ""); err == nil {
			again, err := unpack(pack(lines), "m", "")
			require.NoError(t, err)
			require.Len(t, again, len(lines))
		}
		_, _, _ = unpackAlerts(s2.Encode(nil, data))
	})
}
