package cli

import (
	"context"
	"fmt"
	"os"
	"slices"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/engine"
	"connect-deepcase/model/original"
	"connect-deepcase/model/store"
	"connect-deepcase/sequencer"
)

// loaded is what --load-builder and --load-interpreter name.
type loaded struct {
	model    *model.Model            // nil if nothing or a file of the original was loaded
	original *contextbuilder.Weights // a network of the original, which has no vocabulary; nil if there is none
	clusters bool                    // model is an interpreter, with clusters
}

// params say what is known of the model's contexts; nil if nothing was loaded.
func (l loaded) params() *model.Params {
	switch {
	case l.model != nil:
		return &l.model.Params
	case l.original != nil:
		return &model.Params{Length: l.original.Config.Length, Timeout: sequencer.DefaultOptions().Timeout}
	}
	return nil
}

// load loads what the flags name. A builder and an interpreter must have the same network.
func (s *session) load() (loaded, error) {
	path, dir := s.flags.String("load-builder"), s.flags.String("load-interpreter")
	if dir == "" {
		return s.loadBuilder(path)
	}
	var builder loaded
	if !sameFolder(path, dir) { // the interpreter of a directory has its builder
		var err error
		if builder, err = s.loadBuilder(path); err != nil {
			return loaded{}, err
		}
	}
	m, err := s.loadModel(dir, (*store.Store).Current)
	if err != nil {
		return loaded{}, err
	}
	weights := builder.original
	if builder.model != nil {
		weights = builder.model.Weights
	}
	if weights != nil && !sameWeights(weights, m.Weights) {
		return loaded{}, fmt.Errorf("--load-builder %s and --load-interpreter %s have different weights: the interpreter was made with another "+
			"builder; leave out one of them", path, dir)
	}
	return loaded{model: m, clusters: true}, nil
}

func (s *session) loadBuilder(path string) (loaded, error) {
	if path == "" {
		return loaded{}, nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return loaded{}, fmt.Errorf("--load-builder: %w: need a model directory or a file of the original's ContextBuilder.save", err)
	}
	if info.IsDir() {
		m, err := s.loadModel(path, (*store.Store).PendingNetwork)
		return loaded{model: m}, err
	}
	weights, err := original.Load(path)
	if err != nil {
		return loaded{}, fmt.Errorf("--load-builder: %s: %w", path, err)
	}
	return loaded{original: weights}, nil
}

// loadModel loads the version of a model directory that which names.
func (s *session) loadModel(dir string, which func(*store.Store) (string, error)) (*model.Model, error) {
	st, err := openStore(dir)
	if err != nil {
		return nil, err
	}
	loaded, err := st.Read(which)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	s.note("loaded version %s of %s", loaded.Version, dir)
	return loaded.Model, nil
}

// openStore opens an existing model directory.
func openStore(dir string) (*store.Store, error) {
	if info, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("model directory: %w", err)
	} else if !info.IsDir() {
		return nil, fmt.Errorf("model directory: %s is a file", dir)
	}
	st, err := store.Open(dir, false)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	return st, nil
}

func sameWeights(a, b *contextbuilder.Weights) bool {
	if a.Config != b.Config {
		return false
	}
	tensors := b.Tensors()
	for i, t := range a.Tensors() {
		if !slices.Equal(t.Data, tensors[i].Data) {
			return false
		}
	}
	return true
}

// engine opens the engine that --device names, once.
func (s *session) engine() (contextbuilder.Engine, error) {
	if s.opened != nil {
		return s.opened, nil
	}
	e, err := engine.Open(s.flags.String("device"))
	if err != nil {
		return nil, usagef("%s", err)
	}
	s.opened = e
	s.note("computing on %s: %s", e.Name(), engine.Why(s.flags.String("device")))
	return e, nil
}

// ready is what cluster, manual and automatic work with.
type ready struct {
	engine    contextbuilder.Engine
	from      loaded
	sequences *sequences
}

// start checks the flags, loads what they name, and makes sequences from events if there are none to load.
func (s *session) start(ctx context.Context) (ready, error) {
	var r ready
	_, err := s.params()
	if err != nil {
		return r, err
	}
	if r.engine, err = s.engine(); err != nil {
		return r, err
	}
	if r.from, err = s.load(); err != nil {
		return r, err
	}
	if r.sequences, err = s.sequences(ctx, r.from.params()); err != nil {
		return r, err
	}
	if m := r.from.model; m != nil && m.Params.Timeout != r.sequences.Timeout {
		s.note("the sequences were made with a timeout of %v seconds, the model with %v: their contexts may differ from those that the model knows",
			r.sequences.Timeout.Seconds(), m.Params.Timeout.Seconds())
	}
	return r, nil
}
