package train

import (
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/configfield"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/engine"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/sequencer"
)

func newFromParsed(conf *service.ParsedConfig, mgr *service.Resources, now func() time.Time) (*input, error) {
	in := &input{log: mgr.Logger(), metrics: newMetrics(mgr.Metrics()), done: make(chan struct{})}
	t, l := &in.taker, &in.learner
	var err error
	if l.params, err = paramsFromParsed(conf); err != nil {
		return nil, err
	}
	strategy, err := conf.FieldString(fieldStrategy)
	if err != nil {
		return nil, err
	}
	l.strategy = interpreter.Strategy(strategy)
	if l.strategy.Validate() != nil {
		return nil, fmt.Errorf("field '%s': %q, need one of max, min, avg, nearest", fieldStrategy, strategy)
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
	if l.dir, err = configfield.ParseModel(conf); err != nil {
		return nil, err
	}
	if in.spoolDir, err = conf.FieldString(fieldSpool); err != nil {
		return nil, err
	}
	if in.spoolDir == "" {
		in.spoolDir = filepath.Join(l.dir, "spool")
	}
	if in.limits.Records, err = fieldMaxEvents.Parse(conf); err != nil {
		return nil, err
	}
	if in.limits.Bytes, err = fieldMaxBytes.Parse(conf); err != nil {
		return nil, err
	}
	if l.maxNames, err = fieldMaxNames.Parse(conf); err != nil {
		return nil, err
	}
	if l.maxMemory, err = fieldMaxMemory.Parse(conf); err != nil {
		return nil, err
	}
	if l.every, err = fieldEvery.Parse(conf); err != nil {
		return nil, err
	}
	if l.keepScores, err = conf.FieldBool(fieldKeepScores); err != nil {
		return nil, err
	}
	if l.report, err = conf.FieldBool(fieldReport); err != nil {
		return nil, err
	}
	if l.retain, err = configfield.ParseRetain(conf); err != nil {
		return nil, err
	}
	name, err := configfield.ParseDevice(conf)
	if err != nil {
		return nil, err
	}
	if l.engine, err = engine.Open(name); err != nil {
		return nil, err
	}
	in.log.With("engine", l.engine.Name(), "why", engine.Why(name)).Info("Engine chosen")
	t.length, t.limits, t.spoolDir, t.log, t.metrics, t.now = l.params.Length, in.limits, in.spoolDir, in.log, in.metrics, now
	t.after = time.After
	l.limits, l.spoolDir, l.log, l.metrics, l.now, l.out = in.limits, in.spoolDir, in.log, in.metrics, now, make(chan outgoing)
	// The child comes last: after an error nobody would close it.
	in.child, err = conf.FieldInput(fieldInput)
	t.child = in.child
	return in, err
}

// paramsFromParsed reads hyperparameterFields.
func paramsFromParsed(conf *service.ParsedConfig) (p model.Params, err error) {
	p = model.DefaultParams()
	seed := 0
	for field, value := range map[configfield.Int]*int{
		fieldLength: &p.Length, fieldHidden: &p.Hidden, fieldLayers: &p.Layers, fieldEpochs: &p.Training.Epochs, fieldBatchSize: &p.Training.BatchSize,
		fieldWarmup: &p.Training.Warmup, fieldIterations: &p.Query.Iterations, fieldQueryBatch: &p.Query.BatchSize,
		fieldMinSamples: &p.Interpreter.MinSamples, fieldSeed: &seed,
	} {
		if *value, err = field.Parse(conf); err != nil {
			return p, err
		}
	}
	p.Training.Seed = uint64(seed)
	for field, value := range map[configfield.Float]*float64{
		fieldRate: &p.Training.LearningRate, fieldFactor: &p.Training.Factor, fieldDelta: &p.Training.Delta,
		fieldTeachRatio: &p.Training.TeachRatio, fieldDropout: &p.Training.Dropout, fieldEps: &p.Interpreter.Eps,
		fieldThreshold: &p.Interpreter.Threshold, fieldGuard: &p.Interpreter.Guard,
	} {
		if *value, err = field.Parse(conf); err != nil {
			return p, err
		}
	}
	if p.Timeout, err = fieldTimeout.Parse(conf); err != nil {
		return p, err
	}
	if p.LSTM, err = conf.FieldBool(fieldLSTM); err != nil {
		return p, err
	}
	if p.Bidirectional, err = conf.FieldBool(fieldBidirectional); err != nil {
		return p, err
	}
	optimizer, err := conf.FieldString(fieldOptimizer)
	if err != nil {
		return p, err
	}
	p.Training.Optimizer = contextbuilder.Optimizer(optimizer)
	return p, errors.Join(sequencer.Options{Length: p.Length, Timeout: p.Timeout}.Validate(), p.Validate())
}
