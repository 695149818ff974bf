package files

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// Benchmark reads 100,000 events, beside what Benthos' own input does in the same pipeline.
func Benchmark(b *testing.B) {
	const events = 100_000
	dir := b.TempDir()
	var ndjson, csv strings.Builder
	csv.WriteString("machine,event,timestamp,payload\n")
	for i := range events {
		payload := strings.Repeat("x", 300)
		fmt.Fprintf(&ndjson, `{"machine":"web-%d","event":"login","timestamp":%d,"payload":%q}`+"\n", i%100, 1767261600+i, payload)
		fmt.Fprintf(&csv, "web-%d,login,%d,%s\n", i%100, 1767261600+i, payload)
	}
	lines, rows := filepath.Join(dir, "a.ndjson"), filepath.Join(dir, "a.csv")
	require.NoError(b, os.WriteFile(lines, []byte(ndjson.String()), 0o644))
	require.NoError(b, os.WriteFile(rows, []byte(csv.String()), 0o644))
	for _, c := range []struct {
		name, yaml string
		bytes      int
	}{
		{"lines/benthos", "file: { paths: [ " + lines + " ], scanner: { skip_bom: { into: { lines: { omit_empty: true } } } } }", ndjson.Len()},
		{"lines/files", "deepcase_files: { paths: [ " + lines + " ] }", ndjson.Len()},
		{"json/files", "deepcase_files: { format: json, paths: [ " + lines + " ] }", ndjson.Len()},
		{"csv/benthos", "file: { paths: [ " + rows + " ], scanner: { skip_bom: { into: { csv: { continue_on_error: true } } } } }", csv.Len()},
		{"csv/files", "deepcase_files: { paths: [ " + rows + " ] }", csv.Len()},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.SetBytes(int64(c.bytes))
			b.ReportAllocs()
			for b.Loop() {
				builder := service.NewStreamBuilder()
				builder.SetLogger(slog.New(slog.DiscardHandler))
				require.NoError(b, builder.AddInputYAML(c.yaml))
				read := 0
				require.NoError(b, builder.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
					read += len(batch)
					return nil
				}))
				stream, err := builder.Build()
				require.NoError(b, err)
				require.NoError(b, stream.Run(b.Context()))
				require.Equal(b, events, read)
			}
		})
	}
}
