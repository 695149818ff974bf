package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/dustin/go-humanize"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
)

// build returns a model for sequences: the loaded one with the given settings of the Interpreter, or a newly trained one. It saves the
// builder if asked to.
func (s *session) build(ctx context.Context, r ready) (*model.Model, error) {
	from, q := r.from, r.sequences
	p, err := s.params()
	if err != nil {
		return nil, err
	}
	p.Length, p.Timeout = q.Length, q.Timeout
	var m *model.Model
	switch {
	case from.model != nil:
		if err := s.settled("builder", from.model.Params, builderSettings); err != nil {
			return nil, err
		}
		if err := s.refuse("the builder has a vocabulary", originalSettings...); err != nil {
			return nil, err
		}
		copied := *from.model
		copied.Params.Timeout = q.Timeout
		s.interpretation(&copied.Params, s.flags.IsSet)
		m = &copied
	case from.original != nil:
		if err := s.refuse("the builder is loaded", builderSettings...); err != nil {
			return nil, err
		}
		if m, err = s.adopt(from.original, q, p); err != nil {
			return nil, err
		}
	default:
		if err := s.refuse("no builder of the original is loaded", originalSettings...); err != nil {
			return nil, err
		}
		return s.train(ctx, r.engine, q, p, nil)
	}
	return m, s.saveBuilder(ctx, m)
}

// train learns a model from sequences, or continues from start if that is not nil, and saves it if asked to. If an interrupt ends the
// training, it saves what was learnt and returns the error of the interrupt.
func (s *session) train(ctx context.Context, e contextbuilder.Engine, q *sequences, p model.Params, start *model.Model) (*model.Model, error) {
	data, err := s.budgeted(q, p, start)
	if err != nil {
		return nil, err
	}
	shown := s.progress.start("training")
	loss := 0.0
	p.Training.Progress = func(at contextbuilder.Progress) {
		loss = at.Loss
		shown.training(at)
	}
	began := time.Now()
	var m *model.Model
	if start == nil {
		m, err = model.Train(ctx, e, data, p)
	} else {
		m, err = start.TrainFurther(ctx, e, data, p)
		if unknown := (model.UnknownEventError{}); errors.As(err, &unknown) {
			err = fmt.Errorf("event %q is not in the vocabulary of the loaded builder: train a new one, without --load-builder", unknown.Name)
		}
	}
	shown.end()
	if err != nil && (m == nil || !errors.Is(err, context.Canceled)) {
		return nil, err
	}
	if interrupt := err; interrupt != nil {
		if s.flags.String("save-builder") == "" {
			return nil, fmt.Errorf("training was interrupted: %w", interrupt)
		}
		if err := s.usable(context.WithoutCancel(ctx), e, m, data); err != nil {
			return nil, fmt.Errorf("training was interrupted: %w", err)
		}
		if err := s.saveBuilder(ctx, m); err != nil {
			return nil, err
		}
		return nil, fmt.Errorf("training was interrupted: what was learnt until then is saved in %s: %w", s.flags.String("save-builder"), interrupt)
	}
	s.note("trained %d epochs on %d sequences of %d distinct events in %s with %s, loss %.4f",
		p.Training.Epochs, len(q.Events), len(q.Names), time.Since(began).Round(time.Millisecond), e.Name(), loss)
	if err := s.usable(ctx, e, m, data); err != nil {
		return nil, err
	}
	return m, s.saveBuilder(ctx, m)
}

// usable is an error if the training of m has diverged: nothing is saved then. It warns of a network that explains nothing.
func (s *session) usable(ctx context.Context, e contextbuilder.Engine, m *model.Model, d model.Data) error {
	fit, err := m.Fit(ctx, e, d)
	if err == nil {
		err = fit.Err()
	}
	if err != nil {
		return fmt.Errorf("nothing is saved: %w", err)
	}
	if fit.Poor() {
		s.note("warning: the network explains nothing; more epochs or another learning rate may help: %v", fit)
	}
	return nil
}

// budgeted returns the sequences to learn from, without rare names if there are too many names. It is an error if the training would take
// too much memory. A training that continues from start keeps its names.
func (s *session) budgeted(q *sequences, p model.Params, start *model.Model) (model.Data, error) {
	data := q.unlabelled()
	if most := s.flags.Int("max-names"); start == nil {
		if most < 2 {
			return data, usagef("--max-names: %d, need at least 2", most)
		}
		var folded model.Folded
		if data, folded = data.Fold(most); len(folded.Names) > 0 {
			s.note("warning: %d distinct events are more than --max-names %d: the rarest %d are left out, %q for example, and with them %d sequences",
				len(q.Names), most, len(folded.Names), folded.Names[0], folded.Samples)
		}
	}
	text := s.flags.String("max-memory")
	most, err := humanize.ParseBytes(text)
	if err != nil {
		return data, usagef("--max-memory: %q, need a number of bytes such as 500MiB", text)
	}
	if need := p.TrainingMemory(len(data.Names), data.Samples.Rows()); uint64(need) > most {
		return data, fmt.Errorf("learning from %d sequences of %d distinct events (length %d, hidden %d) would take about %s of memory, more than --max-memory %s: raise that, or lower --max-names",
			data.Samples.Rows(), len(data.Names), p.Length, p.Hidden, humanize.IBytes(uint64(need)), text)
	}
	return data, nil
}

// saveBuilder saves m in the directory of --save-builder, unless an interpreter will be saved there, whose version has the builder. It
// saves after an interrupt, too.
func (s *session) saveBuilder(ctx context.Context, m *model.Model) error {
	dir, interpreter := s.flags.String("save-builder"), s.flags.String("save-interpreter")
	comes := interpreter != "" && s.flags.Command.Name != "train" && ctx.Err() == nil
	if dir == "" || comes && filepath.Clean(dir) == filepath.Clean(interpreter) {
		return nil
	}
	_, err := s.publish(context.WithoutCancel(ctx), dir, m, nil)
	return err
}
