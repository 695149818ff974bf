package processor

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

// A document goes through both processors: one comes out, annotated or with an error, that is JSON again; the rest is as it was.
func FuzzAnnotate(f *testing.F) {
	dir := f.TempDir()
	publish(f, dir, little(f, 1))
	decideOn(f, dir, loginSample, scoreOf(2, decisions.Event), muteOf(decisions.Event, time.Now().Add(time.Hour)))
	decideOn(f, dir, rareSample, scoreOf(0, decisions.Event))
	for _, s := range []string{`{"machine":"m","event":"login","timestamp":1}`, `{"machine":"m","event":"login","timestamp":"2026-01-02T03:04:05Z","x":12345678901234567890123,"y":1.50,"z":"\ud800"}`,
		`{"machine":"m","event":"e","timestamp":1,"deepcase":{"pattern":3,"answer":[],"answered_before":{"number":"x"},"score":{}}}`, `{"machine":{},"event":[1],"timestamp":1e3}`, `{"machine":"m","event":"e","timestamp":1,"deepcase":{"context":[1]}}`, `{"machine":"a","event":"b","timestamp":1,"a":{"b":{"c":[[[]]]}}}`} {
		f.Add([]byte(s))
	}
	seq, err := newSequenceFromParsed(parse(f, sequenceSpec(), "length: 3\nid: ${! json(\"id\").or(\"\") }"), service.MockResources())
	require.NoError(f, err)
	pre, err := newPredictFromParsed(parse(f, predictSpec(), "model: "+dir), service.MockResources())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, content []byte) {
		m := service.NewMessage(bytes.Clone(content))
		out := process(t, pre, process(t, seq, service.MessageBatch{m, service.NewMessage([]byte(`{"machine":"m","event":"scan","timestamp":5}`))}))
		require.NoError(t, out[1].GetError())
		b, err := out[0].AsBytes()
		require.NoError(t, err)
		if out[0].GetError() != nil {
			return
		}
		var before, after map[string]any
		number := func(b []byte, to any) error {
			d := json.NewDecoder(bytes.NewReader(b))
			d.UseNumber()
			return d.Decode(to)
		}
		require.NoError(t, number(content, &before))
		require.NoError(t, number(b, &after), "%q", b)
		for _, k := range []string{"deepcase", "event", "labels", "rule"} {
			delete(before, k)
			delete(after, k)
		}
		require.True(t, reflect.DeepEqual(before, after), "%s became %s", content, b)
	})
}

// Any messages for deepcase_label: as many come back, the model stays readable, scores are finite and ≥ 0.
func FuzzLabel(f *testing.F) {
	for _, s := range []string{`{"cluster":0,"score":3}`, `{"cluster":"1.0","score":"0x1p3"}`, `{"cluster":1e0,"score":1e308}`, `{"deepcase":{"event":"login","context":[null,"scan","guess"]},"score":2}`,
		`{"cluster":-0.0,"score":-0.0}`, `{"cluster":0,"score":1,"model":"../../x"}`, `{"cluster":4294967296,"score":1}`, `{"cluster":0,"score":"1_0"}`} {
		f.Add([]byte(s), []byte(`{"cluster":1,"score":5}`))
	}
	low := `"deepcase":{"machine":"m","event":"login","context":[null,"scan","guess"],"status":"low_confidence","pattern":"` + patternOf(loginSample, "m") + `"}`
	for _, s := range []string{`{"score":0,"by":"ann","reason":"r",` + low + `}`, `{"score":2,"scope":"event","confirm":true,"expires":"1h",` + low + `}`, `{"mute":true,"reason":"r","expires":"2099-01-01T00:00:00Z",` + low + `}`,
		`{"undo":1}`, `{"recent":true,` + low + `}`, `{"score":0,"scope":"cluster",` + low + `}`, `{"score":1e308,"expires":"999999h","scope":"pattern","confirm":"TRUE",` + low + `}`} {
		f.Add([]byte(s), []byte(`{"score":0,"scope":"pattern_on_machine",`+low+`}`))
	}
	m := little(f, 1)
	f.Fuzz(func(t *testing.T, one, two []byte) {
		dir := t.TempDir()
		publish(t, dir, m)
		l := newLabel(t, "model: "+dir+"\nretain: 1")
		out := process(t, l, service.MessageBatch{service.NewMessage(one), service.NewMessage(two)})
		for _, x := range out {
			if x.GetError() == nil {
				b, err := x.AsBytes()
				require.NoError(t, err)
				require.True(t, json.Valid(b), "%q", b)
			}
		}
		s, err := store.Open(dir, false)
		require.NoError(t, err)
		name, err := s.Current()
		require.NoError(t, err)
		now, err := s.Load(name)
		require.NoError(t, err)
		for _, c := range now.Clusters {
			require.True(t, c.Score == -1 || c.Score >= 0 && !math.IsInf(c.Score, 0), fmt.Sprint(c.Score))
		}
		for _, d := range journalled(t, dir) {
			require.NoError(t, d.Validate())
		}
	})
}
