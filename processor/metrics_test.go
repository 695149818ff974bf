package processor

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/store"
)

// numbers is a metrics exporter that keeps counters and gauges, by name and label values.
type numbers struct {
	mu     sync.Mutex
	values map[string]int64
}

var recorded numbers

func init() {
	service.MustRegisterMetricsExporter("recorded", service.NewConfigSpec(),
		func(*service.ParsedConfig, *service.Logger) (service.MetricsExporter, error) { return &recorded, nil })
}

type ignored struct{}

func (ignored) Timing(int64) {}

type number struct{ name string }

func (n number) Set(value int64) {
	recorded.mu.Lock()
	defer recorded.mu.Unlock()
	recorded.values[n.name] = value
}

func (n number) Incr(by int64) {
	recorded.mu.Lock()
	defer recorded.mu.Unlock()
	recorded.values[n.name] += by
}

func (*numbers) NewCounterCtor(name string, keys ...string) service.MetricsExporterCounterCtor {
	return func(labels ...string) service.MetricsExporterCounter { return named(name, keys, labels) }
}

func (*numbers) NewTimerCtor(string, ...string) service.MetricsExporterTimerCtor {
	return func(...string) service.MetricsExporterTimer { return ignored{} }
}

func (*numbers) NewGaugeCtor(name string, keys ...string) service.MetricsExporterGaugeCtor {
	return func(labels ...string) service.MetricsExporterGauge { return named(name, keys, labels) }
}

func named(name string, keys, labels []string) number {
	for i, key := range keys {
		if key != "label" && key != "path" && key != "stream" { // which every component has
			name += " " + key + "=" + labels[i]
		}
	}
	return number{name}
}

func (*numbers) Close(context.Context) error { return nil }

func (n *numbers) value(name string) int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.values[name]
}

// model gives the gauges of a model, by name.
func (n *numbers) model() map[string]int64 {
	n.mu.Lock()
	defer n.mu.Unlock()
	values := map[string]int64{}
	for name, value := range n.values {
		if strings.HasPrefix(name, "deepcase_model_") && !strings.Contains(name, "reload") {
			values[name] = value
		}
	}
	return values
}

// The gauges follow the version that serves, and are no more for having had many versions.
func TestModelGauges(t *testing.T) {
	recorded.values = map[string]int64{}
	builder := service.NewResourceBuilder()
	builder.SetLogger(slog.New(slog.DiscardHandler))
	require.NoError(t, builder.SetMetricsYAML("recorded: {}"))
	resources, closeResources, err := builder.Build()
	require.NoError(t, err)
	defer func() { assert.NoError(t, closeResources(t.Context())) }()
	dir, m := t.TempDir(), little(t, 1)
	synctest.Test(t, func(t *testing.T) {
		trained, err := store.CreatedAt(publish(t, dir, m))
		require.NoError(t, err)
		p, err := newPredictFromParsed(parse(t, predictSpec(), "model: "+dir), resources)
		require.NoError(t, err)
		defer func() { assert.NoError(t, p.Close(t.Context())) }()
		models, err := store.Open(dir, false)
		require.NoError(t, err)
		for i, event := range []string{"login", "backup"} {
			time.Sleep(time.Second) // or the times would be the same
			version, err := models.Update(t.Context(), func(_ string, m *model.Model) (*model.Model, error) { return scored(t, m, event, 1), nil })
			require.NoError(t, err)
			made, err := store.CreatedAt(version)
			require.NoError(t, err)
			reload()
			assert.Equal(t, map[string]int64{
				"deepcase_model_created_seconds": made.Unix(), "deepcase_model_trained_seconds": trained.Unix(), "deepcase_model_events": 6, "deepcase_model_clusters": 2,
				"deepcase_model_clusters_scored": int64(i + 1), "deepcase_model_confidence": int64(math.Round(m.Confidence.Mean() * 10_000)),
			}, recorded.model())
		}
	})
}

// Confidences are summed up in units of 1/10000, without those that nothing can be compared with.
func TestConfidences(t *testing.T) {
	recorded.values = map[string]int64{}
	builder := service.NewResourceBuilder()
	require.NoError(t, builder.SetMetricsYAML("recorded: {}"))
	resources, closeResources, err := builder.Build()
	require.NoError(t, err)
	defer func() { assert.NoError(t, closeResources(t.Context())) }()
	c := newConfidences(resources.Metrics())
	verdict := func(status model.Status, confidence float64) model.Verdict {
		return model.Verdict{Status: status, Confidence: confidence}
	}
	c.add([]model.Verdict{verdict(model.Scored, 0.5), verdict(model.LowConfidence, 0.10004), verdict(model.UnknownEvent, 0.9), verdict(model.NoCluster, 0.25),
		verdict(model.NoModel, 0), verdict(model.Unscored, 0.7)}, []error{nil, nil, nil, nil, nil, errors.New("not finite")})
	c.add(nil, nil)
	assert.EqualValues(t, 8500, recorded.value("deepcase_confidence_sum"))
	assert.EqualValues(t, 3, recorded.value("deepcase_confidence_count"))
	assert.Zero(t, trainedConfidence(&model.Model{}))
	assert.EqualValues(t, 2050, trainedConfidence(&model.Model{Confidence: &model.Confidences{20: 3}}))
}
