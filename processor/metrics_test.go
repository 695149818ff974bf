package processor

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/store"
)

// gauges is a metrics exporter that keeps the gauges of DeepCASE, by name and label values.
type gauges struct {
	mu     sync.Mutex
	values map[string]int64
}

var recorded gauges

func init() {
	service.MustRegisterMetricsExporter("recorded", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Logger) (service.MetricsExporter, error) { return &recorded, nil })
}

type ignored struct{}

func (ignored) Incr(int64)   {}
func (ignored) Timing(int64) {}

type gauge struct{ name string }

func (g gauge) Set(value int64) {
	recorded.mu.Lock()
	defer recorded.mu.Unlock()
	recorded.values[g.name] = value
}

func (*gauges) NewCounterCtor(string, ...string) service.MetricsExporterCounterCtor {
	return func(...string) service.MetricsExporterCounter { return ignored{} }
}

func (*gauges) NewTimerCtor(string, ...string) service.MetricsExporterTimerCtor {
	return func(...string) service.MetricsExporterTimer { return ignored{} }
}

func (*gauges) NewGaugeCtor(name string, keys ...string) service.MetricsExporterGaugeCtor {
	return func(labels ...string) service.MetricsExporterGauge {
		full := name
		for i, key := range keys {
			if key != "label" && key != "path" && key != "stream" { // which every component has
				full += " " + key + "=" + labels[i]
			}
		}
		return gauge{full}
	}
}

func (*gauges) Close(context.Context) error { return nil }

// model gives the gauges of a model, by name.
func (g *gauges) model() map[string]int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	values := map[string]int64{}
	for name, value := range g.values {
		if strings.HasPrefix(name, "deepcase_model_") && !strings.Contains(name, "reload") {
			values[name] = value
		}
	}
	return values
}

// The gauges follow the version that serves, and are no more for having had many versions.
func TestModelGauges(t *testing.T) {
	recorded.values = map[string]int64{}
	dir := t.TempDir()
	m := little(t, 1)
	trained, err := store.Made(publish(t, dir, m))
	require.NoError(t, err)
	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.DiscardHandler))
	require.NoError(t, builder.SetMetricsYAML("recorded: {}"))
	require.NoError(t, builder.AddProcessorYAML(fmt.Sprintf("deepcase_predict: {model: %q, reload: 5ms}", dir)))
	_, err = builder.AddBatchProducerFunc()
	require.NoError(t, err)
	require.NoError(t, builder.AddOutputYAML("drop: {}"))
	s, err := builder.Build()
	require.NoError(t, err)
	running := make(chan error, 1)
	go func() { running <- s.Run(t.Context()) }()
	models, err := store.Open(dir, false)
	require.NoError(t, err)
	time.Sleep(time.Second) // or the times might be the same
	for i, event := range []string{"login", "backup"} {
		version, err := models.Update(t.Context(), func(m *model.Model) (*model.Model, error) { return scored(t, m, event, 1), nil })
		require.NoError(t, err)
		made, err := store.Made(version)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return recorded.model()["deepcase_model_clusters_scored"] == int64(i+1) }, 10*time.Second, time.Millisecond)
		assert.Equal(t, map[string]int64{
			"deepcase_model_created_seconds": made.Unix(), "deepcase_model_trained_seconds": trained.Unix(), "deepcase_model_events": 6, "deepcase_model_clusters": 2,
			"deepcase_model_clusters_scored": int64(i + 1),
		}, recorded.model())
	}
	require.NoError(t, s.StopWithin(10*time.Second))
	require.NoError(t, <-running)
}
