package cache

import (
	"fmt"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// Batches of 500 machines, an event of each, through deepcase_sequence, which reads two entries per machine and writes one.
func BenchmarkSequence(b *testing.B) {
	builder := service.NewResourceBuilder()
	require.NoError(b, builder.AddCacheYAML(fmt.Sprintf("label: state\ndeepcase_file: { directory: %q }", b.TempDir())))
	require.NoError(b, builder.AddProcessorYAML("label: sequence\ndeepcase_sequence: { machine: '${! json(\"m\") }', event: '${! json(\"e\") }', "+
		"timestamp: '${! json(\"t\") }', id: '${! json(\"t\") }', cache: state }"))
	resources, stop, err := builder.Build()
	require.NoError(b, err)
	defer func() { require.NoError(b, stop(b.Context())) }()
	at := 1_700_000_000
	batch := func() {
		at++
		var messages service.MessageBatch
		for i := range machines {
			messages = append(messages, service.NewMessage(fmt.Appendf(nil, `{"m":"machine-%d","e":"logged in","t":%d}`, i, at)))
		}
		require.NoError(b, resources.AccessProcessor(b.Context(), "sequence", func(p *service.ResourceProcessor) {
			out, err := p.ProcessBatch(b.Context(), messages)
			require.NoError(b, err)
			for _, m := range out[0] {
				require.NoError(b, m.GetError())
			}
		}))
	}
	batch()
	began := time.Now()
	for b.Loop() {
		batch()
	}
	b.ReportMetric(float64(b.N*machines)/time.Since(began).Seconds(), "windows/s")
}
