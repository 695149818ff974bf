package model

import (
	"context"
	"fmt"
	"slices"

	"connect-deepcase/model/contextbuilder"
)

// Train learns a vocabulary and a network (paper, section III-B) from data. The model has no clusters yet. When ctx ends, Train returns both
// what was learnt until then and ctx's error.
func Train(ctx context.Context, e contextbuilder.Engine, d Data, p Params) (*Model, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	if err := d.validate(p.Length); err != nil {
		return nil, err
	}
	names := slices.Compact(slices.Sorted(slices.Values(d.Names)))
	if err := validateNames(names); err != nil {
		return nil, err
	}
	if len(names) < 2 {
		return nil, fmt.Errorf("training needs at least 2 distinct events, there is %d: %q", len(names), names)
	}
	samples, err := d.learnable(names)
	if err != nil {
		return nil, err
	}
	weights, err := contextbuilder.Init(p.Network(len(names)+1), p.Training.Seed)
	if err != nil {
		return nil, err
	}
	err = e.Train(ctx, weights, samples, p.Training)
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	p.Training.Progress = nil
	return &Model{Params: p, Names: names, Weights: weights, Samples: samples.Rows()}, err
}

// learnable gives d's samples by ids over names, which has all names of d.
func (d Data) learnable(names []string) (contextbuilder.Samples, error) {
	samples := d.translate(names)
	if i := slices.Index(samples.Events, unknown); i >= 0 {
		return samples, fmt.Errorf("sample %d: NO_EVENT is not an event to learn", i/(len(samples.Events)/samples.Rows()))
	}
	return samples, nil
}

// UnknownEventError says that an event is not in a model's vocabulary.
type UnknownEventError struct{ Name string }

func (e UnknownEventError) Error() string {
	return fmt.Sprintf("event %q is not in the vocabulary of the model", e.Name)
}

// TrainFurther trains a copy of m's network on further data. m must know all names of the data (UnknownEventError). The result has the
// settings p, except that the shape is that of m's network, and no clusters. When ctx ends, it does as Train does.
func (m *Model) TrainFurther(ctx context.Context, e contextbuilder.Engine, d Data, p Params) (*Model, error) {
	if err := d.validate(m.Params.Length); err != nil {
		return nil, err
	}
	to := renumber(d.Names, m.Names)
	if i := slices.Index(to[:len(d.Names)], unknown); i >= 0 {
		return nil, UnknownEventError{d.Names[i]}
	}
	samples, err := d.learnable(m.Names)
	if err != nil {
		return nil, err
	}
	weights, err := contextbuilder.FromTensors(m.Weights.Tensors())
	if err != nil {
		return nil, err
	}
	err = e.Train(ctx, weights, samples, p.Training)
	if err != nil && ctx.Err() == nil {
		return nil, fmt.Errorf("training: %w", err)
	}
	further, wrong := FromNetwork(m.Names, weights, p)
	if wrong != nil {
		return nil, wrong
	}
	further.Samples, further.Templates = samples.Rows(), m.Templates
	return further, err
}

// FromNetwork makes a model of imported weights and the names of their events, by id. The network may have room for more events, as those of
// the original often do. The shape in p is replaced by that of the network.
func FromNetwork(names []string, w *contextbuilder.Weights, p Params) (*Model, error) {
	if w != nil {
		c := w.Config
		p.Length, p.Hidden, p.LSTM, p.Layers, p.Bidirectional = c.Length, c.Hidden, c.LSTM, c.Layers, c.Bidirectional
	}
	p.Training.Progress = nil
	m := &Model{Params: p, Names: slices.Clone(names), Weights: w}
	if err := m.Validate(); err != nil {
		return nil, err
	}
	return m, nil
}
