package processor

import (
	"bytes"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/annotation"
)

// Messages that nobody has decoded are annotated in their bytes. They get what those get that are decoded, and the rest stays as it is written.
func TestMessagesAreAnnotatedTheSameDecodedOrNot(t *testing.T) {
	alerts := []string{
		`{"z":1.50, "machine":"web-1","event":"e","timestamp":1,"id":"1","rule":{"mitre":{"id":["T1110"]}}}`,
		`{"machine":["web-1"],"event":2,"timestamp":"2","id":"2"}`,
		`{"machine":"web-1","event":"\u00e9\n","timestamp":3}`,
		`{"machine":"web-1","event":"e","timestamp":4,"id":null,"deepcase":{"status":"old","case":"old","mine":1}}`,
		`{"machine":"web-1","event":"e","timestamp":1,"id":"1","rule":{"mitre":{"id":["T1003"]}}}`,
		"{\"machine\":\"web-1\",\n\"event\":\"on two lines\",\"timestamp\":5}",
		"{\"machine\":\"web-1\",\"event\":\"\xff\",\"timestamp\":6}",
		`{"machine":"web-1","event":true,"timestamp":7}`,
		`{"machine":"web-1","timestamp":8}`,
		`{"machine":"web-1","event":"e","timestamp":"x"}`,
		`{"machine":"web-1","event":"e","timestamp":9,"deepcase":3}`,
		`{"machine":"web-1","event":"e","timestamp":9} {}`,
		`["web-1"]`, `{`, ``,
	}
	run := func(batch service.MessageBatch) service.MessageBatch {
		batch = process(t, newSequence(t, `id: ${! json("id") }`), batch)
		batch = process(t, newPredict(t, "model: "+t.TempDir()), batch)
		return process(t, newGrouping(t, `id: ${! json("id") }`, service.MockResources()), batch)
	}
	decoded := messages(alerts...)
	for _, message := range decoded {
		_, _ = message.AsStructured()
	}
	decoded, inBytes := run(decoded), run(messages(alerts...))
	cases := 0
	for i, alert := range alerts {
		want, wrong := decoded[i], decoded[i].GetError()
		got, err := inBytes[i], inBytes[i].GetError()
		if wrong != nil {
			assert.EqualError(t, err, wrong.Error(), alert)
			continue
		}
		require.NoError(t, err, alert)
		assert.JSONEq(t, text(t, want), text(t, got), alert)
		assert.Equal(t, i != 5, !got.HasStructured(), alert)
		cases++
	}
	assert.Equal(t, 6, cases)
	assert.Contains(t, text(t, inBytes[0]), alerts[0][:len(alerts[0])-1]+`,"deepcase":{`)
	assert.Contains(t, text(t, inBytes[0]), `"case_techniques":["T1110"]`)
}

// What a processor hands to the next one says the same as the documents do: also if messages were filtered, put together of several batches, copied, or
// replaced on their way, and at another target.
func TestDocumentsThatAreHandedOver(t *testing.T) {
	var alerts []string
	for i := range 20 {
		alerts = append(alerts, fmt.Sprintf(`{"machine":"web-%d","event":"e%d","timestamp":%d,"timestamp.x":1,"id":"%d"}`, i%3, i%5, i, i))
	}
	dir := t.TempDir()
	publish(t, dir, little(t, 1))
	length := fmt.Sprintf("length: %d\n", len(loginSample.Context))
	ways := map[string]func(service.MessageBatch) service.MessageBatch{
		"as they are": func(b service.MessageBatch) service.MessageBatch { return b },
		"copied": func(b service.MessageBatch) (to service.MessageBatch) {
			for _, m := range b {
				to = append(to, m.DeepCopy())
			}
			return to
		},
		"turned round": func(b service.MessageBatch) service.MessageBatch {
			slices.Reverse(b)
			return b
		},
		"some replaced": func(b service.MessageBatch) service.MessageBatch {
			for i, m := range b {
				if i%3 == 0 {
					m.SetBytes(bytes.Clone([]byte(text(t, m))))
				}
			}
			return b
		},
	}
	runtime.GC()
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // what is handed over may be collected at any time
	for name, way := range ways {                    // or the test would compare what is read with what is read
		batch := way(process(t, newSequence(t, ""), messages(alerts...)))
		known := 0
		for _, raw := range handed.take(annotation.Target{"deepcase"}, batch) {
			if raw.OK() {
				known++
			}
		}
		require.Equal(t, map[string]int{"as they are": 20, "copied": 0, "turned round": 20, "some replaced": 13}[name], known, name)
	}
	var want []string
	for _, way := range []string{"copied", "as they are", "turned round", "some replaced"} {
		sequence, predict, grouping := newSequence(t, length+`id: ${! json("id") }`), newPredict(t, "model: "+dir), newGrouping(t, `id: ${! json("id") }`, service.MockResources())
		both := process(t, sequence, messages(alerts[:10]...))
		both = append(both, process(t, sequence, messages(alerts[10:]...))...)
		other := newSequence(t, length+"target: other")
		process(t, other, service.MessageBatch{both[0].Copy()})
		out := process(t, predict, ways[way](both))
		out = process(t, grouping, ways[way](out)) // what was turned round is in its order again
		var got []string
		for _, m := range out {
			require.NoError(t, m.GetError())
			got = append(got, text(t, m))
		}
		if want == nil {
			want = got
		}
		require.Equal(t, want, got, way)
	}
}

// BenchmarkAnnotate is what the three processors take for a message that comes and goes as bytes: as it is, and if it is decoded before them.
func BenchmarkAnnotate(b *testing.B) {
	dir := b.TempDir()
	publish(b, dir, little(b, 1))
	processors := []service.BatchProcessor{newSequence(b, fmt.Sprintf("length: %d", len(loginSample.Context))), newPredict(b, "model: "+dir), newGrouping(b, "{}", service.MockResources())}
	var alerts []string
	for i := range 100 {
		alerts = append(alerts, fmt.Sprintf(`{"timestamp":"2022-01-15T02:32:%02dZ","event":"login","ip":"172.17.131.81","machine":"web-%d","short":"W-Sys-Cav","label":"-"}`, i%60, i%10))
	}
	for _, decoded := range []bool{false, true} {
		b.Run(fmt.Sprintf("decoded=%t", decoded), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				batch := messages(alerts...)
				if decoded {
					for _, message := range batch {
						_, _ = message.AsStructured()
					}
				}
				for _, p := range processors {
					batch = process(b, p, batch)
				}
				for _, message := range batch {
					require.NoError(b, message.GetError())
					_, _ = message.AsBytes()
				}
			}
			b.ReportMetric(float64(b.N*len(alerts))/b.Elapsed().Seconds(), "alerts/s")
		})
	}
}
