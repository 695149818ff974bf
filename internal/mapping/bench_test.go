package mapping_test

import (
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// BenchmarkMapping reads events out of documents that are decoded already; plain is what Benthos' interpolation of the four fields takes.
func BenchmarkMapping(b *testing.B) {
	const content = `{"host":{"name":"web-1"},"rule":{"name":"sshd: failed password"},"@timestamp":"2026-03-02T09:14:07Z","event":{"id":"7-8"}}`
	fields := map[string]string{"machine": `${! json("host.name") }`, "event": `${! json("rule.name") }`, "timestamp": `${! json("@timestamp") }`,
		"id": `${! json("event.id") }`}
	yaml := ""
	for name, expression := range fields {
		yaml += name + ": '" + expression + "'\n"
	}
	message := service.NewMessage([]byte(content))
	_, err := message.AsStructured()
	require.NoError(b, err)
	batch := service.MessageBatch{message}
	b.Run("mapping", func(b *testing.B) {
		m, err := newMapping(b, yaml)
		require.NoError(b, err)
		b.ReportAllocs()
		for b.Loop() {
			_, err = m.Over(batch).Event(0)
		}
		require.NoError(b, err)
	})
	b.Run("plain", func(b *testing.B) {
		var plain []*service.InterpolatedString
		for _, expression := range fields {
			x, err := service.NewInterpolatedString(expression)
			require.NoError(b, err)
			plain = append(plain, x)
		}
		b.ReportAllocs()
		for b.Loop() {
			for _, x := range plain {
				_, _ = batch.InterpolationExecutor(x).TryString(0)
			}
		}
	})
}
