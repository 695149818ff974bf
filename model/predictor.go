package model

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

// Sample is an event with its context, by name, oldest event first. "" in the context is NO_EVENT, and names that the model does not know are
// treated as NO_EVENT there.
type Sample struct {
	Context []string
	Event   string
}

// Predictor is a model made ready to answer on an engine. Its methods may be called from several goroutines at once.
type Predictor struct {
	model       *Model
	engine      contextbuilder.Engine
	network     *shared
	closed      atomic.Bool
	interpreter *interpreter.Interpreter
	ids         map[string]int32
}

// shared is a network that several Predictors ask. The last one closes it.
type shared struct {
	contextbuilder.Network
	users atomic.Int32
}

// NewPredictor validates a model, opens it on an engine, and asks its network some questions. If an answer is NaN or infinite,
// errors.Is(err, interpreter.ErrNotFinite). Close the Predictor after use.
func NewPredictor(m *Model, e contextbuilder.Engine) (*Predictor, error) {
	network, err := open(m, e)
	if err != nil {
		return nil, err
	}
	return newPredictor(m, e, network, nil)
}

// After is NewPredictor for a model that replaces the one of p, on the same engine. If they share weights or vectors, as after a change of scores, the
// Predictors share what is made of them. Each must be closed; p must not be closed yet.
func (p *Predictor) After(m *Model) (*Predictor, error) {
	network := p.network
	if m.Weights == p.model.Weights {
		if err := m.Validate(); err != nil {
			return nil, err
		}
		network.users.Add(1)
	} else {
		var err error
		if network, err = open(m, p.engine); err != nil {
			return nil, err
		}
	}
	return newPredictor(m, p.engine, network, p.interpreter)
}

func open(m *Model, e contextbuilder.Engine) (*shared, error) {
	if err := m.Validate(); err != nil {
		return nil, err
	}
	network, err := e.Open(m.Weights)
	if err != nil {
		return nil, fmt.Errorf("opening the network: %w", err)
	}
	s := &shared{Network: network}
	s.users.Store(1)
	return s, nil
}

// newPredictor makes a Predictor, and closes it if it is not fit for use. before may be nil.
func newPredictor(m *Model, e contextbuilder.Engine, network *shared, before *interpreter.Interpreter) (*Predictor, error) {
	p := &Predictor{model: m, engine: e, network: network, ids: idsByName(m.Names)}
	known, err := m.known()
	if err == nil {
		p.interpreter, err = interpreter.New(network, m.Params.Query, m.Params.Interpreter)
	}
	if err == nil {
		err = p.interpreter.Use(known, before)
	}
	if err == nil {
		if err = p.probe(); err != nil {
			err = fmt.Errorf("probing the network: %w", err)
		}
	}
	if err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// NotFiniteError names the samples for which a network computed NaN or infinity.
type NotFiniteError struct {
	Rows  []int // ascending
	Total int
}

func (e *NotFiniteError) Error() string {
	return fmt.Sprintf("sample %d, and %d of %d in all: %v", e.Rows[0], len(e.Rows), e.Total, interpreter.ErrNotFinite)
}

func (e *NotFiniteError) Unwrap() error { return interpreter.ErrNotFinite }

// Predict returns one verdict per sample, in order. A verdict depends on the sample alone, not on the others. The network is asked once about
// equal samples. A context of another length than the model's is an error that names the sample. If the error is a *NotFiniteError, the
// verdicts on samples that it does not name are valid.
func (p *Predictor) Predict(ctx context.Context, samples []Sample) ([]Verdict, error) {
	length := p.model.Params.Length
	s := contextbuilder.Samples{Length: length, Contexts: make([]int32, 0, len(samples)*length), Events: make([]int32, 0, len(samples))}
	for row, sample := range samples {
		if len(sample.Context) != length {
			return nil, fmt.Errorf("sample %d: the context has %d events, the model needs %d", row, len(sample.Context), length)
		}
		for _, name := range sample.Context {
			id, there := p.ids[name]
			if !there {
				id = int32(len(p.model.Names))
			}
			s.Contexts = append(s.Contexts, id)
		}
		id, there := p.ids[sample.Event]
		if !there {
			id = unknown
		}
		s.Events = append(s.Events, id)
	}
	return p.verdicts(ctx, s, nil)
}

// PredictData is Predict for samples by id over d.Names. Without samples it returns no verdicts.
func (p *Predictor) PredictData(ctx context.Context, d Data) ([]Verdict, error) {
	if d.Samples.Rows() == 0 {
		return nil, nil
	}
	if err := d.validate(p.model.Params.Length); err != nil {
		return nil, err
	}
	return p.verdicts(ctx, d.translate(p.model.Names), d.Progress)
}

func (p *Predictor) verdicts(ctx context.Context, s contextbuilder.Samples, progress func(done, total int)) ([]Verdict, error) {
	known, rows := askable(s)
	matches, of, err := p.interpreter.Match(ctx, known, progress)
	if err != nil {
		return nil, err
	}
	found := make([]Verdict, len(matches))
	for i, match := range matches {
		found[i] = p.verdict(match)
	}
	verdicts := make([]Verdict, s.Rows())
	if len(rows) < len(verdicts) {
		for row := range verdicts {
			verdicts[row] = Verdict{Status: UnknownEvent, Cluster: interpreter.Noise}
		}
	}
	var wrong []int
	for i, row := range rows {
		verdicts[row] = found[of[i]]
		if matches[of[i]].Cluster == interpreter.NotFinite {
			wrong = append(wrong, int(row))
		}
	}
	if wrong != nil {
		return verdicts, &NotFiniteError{wrong, len(verdicts)}
	}
	return verdicts, nil
}

func (p *Predictor) verdict(m interpreter.Match) Verdict {
	v := Verdict{Cluster: interpreter.Noise, Confidence: float64(m.Confidence), Distance: m.Distance, Attention: m.Attention}
	switch m.Cluster {
	case interpreter.NotConfident:
		v.Status = LowConfidence
	case interpreter.UnknownEvent:
		v.Status = UnknownEvent
	case interpreter.NotFinite: // an error besides
		return Verdict{Status: UnknownEvent, Cluster: interpreter.Noise}
	case interpreter.NoCluster:
		v.Status = NoCluster
	default:
		v.Status, v.Cluster = Unscored, int(m.Cluster)
		switch {
		case m.Disputed:
			v.Status, v.disputed = Disputed, m.Score
		case m.Score != interpreter.NoScore:
			v.Status, v.Score = Scored, m.Score
		}
	}
	return v
}

// Model is the model that answers.
func (p *Predictor) Model() *Model { return p.model }

// Close frees the memory of the engine. It may be called again.
func (p *Predictor) Close() error {
	if p.closed.Swap(true) || p.network.users.Add(-1) > 0 {
		return nil
	}
	return p.network.Close()
}
