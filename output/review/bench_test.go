package review

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// BenchmarkWriteBatch takes up annotated alerts of 1,000 patterns on 100 machines as they come from a topic: bytes in batches of 1,000.
func BenchmarkWriteBatch(b *testing.B) {
	dir := b.TempDir()
	conf, err := spec().ParseYAML(fmt.Sprintf("model: %s/model\nstore: %[1]s/review\naddress: 127.0.0.1:0\n", dir), nil)
	require.NoError(b, err)
	o, err := newFromParsed(conf, service.MockResources())
	require.NoError(b, err)
	require.NoError(b, o.Connect(b.Context()))
	defer func() { require.NoError(b, o.Close(context.Background())) }()
	texts := make([]string, 1000)
	for i := range texts {
		texts[i] = fmt.Sprintf(`{"timestamp":"%s","message":"Failed password for invalid user admin from 198.51.100.7 port 52144 ssh2","host":{"name":"web-%d"},"deepcase":{"machine":"web-%[2]d",`+
			`"event":"event %d","context":[null,null,"a","b","c","d","e","f","g","event %[3]d"],"attention":[0,0,0.1,0.1,0,0,0,0,0.3,0.5],"status":"no_cluster","confidence":0.83,"distance":0.4,`+
			`"model":"20261123T141500Z-3f2a","send":true,"case":"new-%[2]d","case_kind":"new","case_opened":false}}`, time.Now().UTC().Format(time.RFC3339), i%100, i/10)
	}
	b.ResetTimer()
	alerts := 0
	for b.Loop() {
		require.NoError(b, o.WriteBatch(b.Context(), messages(texts...)))
		alerts += len(texts)
	}
	b.ReportMetric(float64(alerts)/b.Elapsed().Seconds(), "alerts/s")
}
