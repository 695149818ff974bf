// Package train holds DeepCASE's input deepcase_train.
package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/configfield"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/internal/redeliver"
	"connect-deepcase/internal/spool"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/engine"
	"connect-deepcase/model/interpreter"
)

func init() {
	service.MustRegisterBatchInput("deepcase_train", trainSpec(), redeliver.Constructor(func(conf *service.ParsedConfig, mgr *service.Resources) (*train, error) {
		return newTrainFromParsed(conf, mgr, time.Now)
	}))
}

func newTrainFromParsed(conf *service.ParsedConfig, mgr *service.Resources, now func() time.Time) (*train, error) {
	t := &train{
		log:     mgr.Logger(),
		metrics: newTrainMetrics(mgr.Metrics()),
		now:     now,
		out:     make(chan outgoing),
		ended:   make(chan struct{}),
		done:    make(chan struct{}),
	}
	var err error
	if t.params, err = paramsFromParsed(conf); err != nil {
		return nil, err
	}
	strategy, err := conf.FieldString(fieldStrategy)
	if err != nil {
		return nil, err
	}
	switch t.strategy = interpreter.Strategy(strategy); t.strategy {
	case interpreter.Max, interpreter.Min, interpreter.Avg:
	default:
		return nil, fmt.Errorf("field '%s': %q, need one of max, min, avg", fieldStrategy, strategy)
	}
	if t.mapping, err = mapping.New(conf, mgr.Logger()); err != nil {
		return nil, err
	}
	if t.target, err = mapping.ParseTarget(conf); err != nil {
		return nil, err
	}
	if t.label, err = mapping.NewLabel(conf, fieldLabel, fieldBenign); err != nil {
		return nil, err
	}
	if t.dir, err = configfield.ParseModel(conf); err != nil {
		return nil, err
	}
	if t.spoolDir, err = conf.FieldString(fieldSpool); err != nil {
		return nil, err
	}
	if t.spoolDir == "" {
		t.spoolDir = filepath.Join(t.dir, "spool")
	}
	if t.limits.Records, err = fieldMaxEvents.Parse(conf); err != nil {
		return nil, err
	}
	if t.limits.Bytes, err = fieldMaxBytes.Parse(conf); err != nil {
		return nil, err
	}
	if t.maxNames, err = fieldMaxNames.Parse(conf); err != nil {
		return nil, err
	}
	if t.maxMemory, err = fieldMaxMemory.Parse(conf); err != nil {
		return nil, err
	}
	if t.every, err = fieldEvery.Parse(conf); err != nil {
		return nil, err
	}
	if t.keepScores, err = conf.FieldBool(fieldKeepScores); err != nil {
		return nil, err
	}
	if t.report, err = conf.FieldBool(fieldReport); err != nil {
		return nil, err
	}
	if t.retain, err = configfield.ParseRetain(conf); err != nil {
		return nil, err
	}
	name, err := configfield.ParseDevice(conf)
	if err != nil {
		return nil, err
	}
	if t.engine, err = engine.Open(name); err != nil {
		return nil, err
	}
	t.log.With("engine", t.engine.Name(), "why", engine.Why(name)).Info("Engine chosen")
	// Last, since a child input that nobody closes would stay.
	t.child, err = conf.FieldInput(fieldInput)
	return t, err
}

// train is the input deepcase_train. Two goroutines work for it: one takes events from the child into the spool, one learns from the
// spool and hands clusters to ReadBatch.
type train struct {
	child     *service.OwnedInput
	mapping   *mapping.Mapping
	target    annotation.Target
	label     *mapping.Label
	dir       string
	spoolDir  string
	limits    spool.Limits
	maxNames  int
	maxMemory int64
	every     time.Duration // 0: once, when the child ends

	params     model.Params
	strategy   interpreter.Strategy
	keepScores bool
	report     bool
	retain     int // versions to keep, 0 for all
	engine     contextbuilder.Engine

	log     *service.Logger
	metrics trainMetrics
	now     func() time.Time

	tried   time.Time // when the last training of this process ended, however; only learn uses it
	refused sync.Once // says that a label was refused
	stuck   string    // what was last logged about old events that cannot be dropped; only take uses it
	crowded bool      // it was logged that max_bytes drops events; only take uses it

	// What was set aside and not told yet, why the first of them was, and when it was last told; only take uses them.
	untold int
	why    string
	told   time.Time

	connect sync.Mutex
	spool   *spool.Spool // nil before Connect
	cancel  context.CancelFunc
	out     chan outgoing
	ended   chan struct{} // closed when the child has ended and all it gave is spooled
	done    chan struct{} // closed when nothing more comes
}

type trainMetrics struct {
	events, trainings       *service.MetricCounter
	spooled, epoch, loss    *service.MetricGauge
	damaged, rareNames      *service.MetricGauge
	refusedLabels           *service.MetricCounter
	clusters                *service.MetricGauge
	spoolLatency, trainTime *service.MetricTimer
}

func newTrainMetrics(m *service.Metrics) trainMetrics {
	t := trainMetrics{
		events:        m.NewCounter("deepcase_train_events", "outcome"),
		trainings:     m.NewCounter("deepcase_trainings", "outcome"),
		spooled:       m.NewGauge("deepcase_train_spooled"),
		damaged:       m.NewGauge("deepcase_train_damaged"),
		refusedLabels: m.NewCounter("deepcase_train_refused_labels"),
		rareNames:     m.NewGauge("deepcase_train_rare_names"),
		epoch:         m.NewGauge("deepcase_train_epoch"),
		loss:          m.NewGauge("deepcase_train_loss"),
		clusters:      m.NewGauge("deepcase_train_clusters"),
		spoolLatency:  m.NewTimer("deepcase_train_spool_latency_ns"),
		trainTime:     m.NewTimer("deepcase_training_latency_ns"),
	}
	// What counts failures is there before the first one, or its increase could not be seen.
	t.trainings.Incr(0, "failed")
	t.events.Incr(0, "rejected")
	t.refusedLabels.Incr(0)
	return t
}

func (t *train) Connect(context.Context) error {
	t.connect.Lock()
	defer t.connect.Unlock()
	if t.spool != nil {
		return nil
	}
	var err error
	if t.spool, err = spool.Open(t.spoolDir, t.limits); err != nil {
		t.spool = nil
		return err
	}
	if n := t.spool.Len(); n > 0 {
		t.log.With("spool", t.spoolDir, "events", n).Info("Events of an earlier run are part of the next training")
	}
	t.metrics.spooled.Set(int64(t.spool.Len()))
	if _, err := os.Stat(filepath.Join(t.spoolDir, trainedFile)); errors.Is(err, os.ErrNotExist) {
		t.mark()
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.cancel = cancel
	go func() {
		defer close(t.done)
		var both sync.WaitGroup
		both.Go(func() { t.take(ctx) })
		both.Go(func() { t.learn(ctx) })
		both.Wait()
	}()
	return nil
}

func (t *train) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	select {
	case out := <-t.out:
		return out.batch, out.ack, nil
	case <-t.done:
		return nil, nil, service.ErrEndOfInput
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
}

// delivered is told when a training's clusters have arrived, or why not: until then it is due again at a restart. With retraining its
// events are wanted again, without they are forgotten.
func (t *train) delivered(_ context.Context, err error) error {
	if err != nil {
		return err
	}
	t.mark()
	if t.every > 0 {
		return nil
	}
	if err := t.spool.Clear(); err != nil {
		t.log.With("spool", t.spoolDir).Errorf("Events that were learnt from stay in the spool and will be part of the next training: %v", err)
	}
	t.metrics.spooled.Set(0)
	return nil
}

// shutdownTimeout bounds Close: a training ends between two batches, a clustering between two events.
const shutdownTimeout = time.Minute

func (t *train) Close(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, shutdownTimeout)
	defer cancel()
	t.connect.Lock()
	defer t.connect.Unlock()
	if t.spool == nil {
		return t.child.Close(ctx)
	}
	t.cancel()
	err := t.child.Close(ctx)
	select {
	case <-t.done:
		return errors.Join(err, t.spool.Close())
	case <-ctx.Done():
		return errors.Join(err, fmt.Errorf("training still runs: %w", ctx.Err()))
	}
}
