package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"connect-deepcase/model"
	"connect-deepcase/model/bundle"
	"connect-deepcase/model/contextbuilder"
)

// Published is what came of publishing a model that succeeds another.
type Published struct {
	Version           string
	Model             *model.Model
	From              string // the version whose scores it could inherit; "" where there is none
	model.Inheritance        // what became of these scores; empty where there is none
	NotKept           error  // why scores that there were could not be inherited: damage, or contexts of another length; nil where none is known
}

// PublishInheriting publishes m with the scores of the model before (Scored, Inherit), with no other writer in between. The engine is asked for only
// where there are scores.
func (s *Store) PublishInheriting(ctx context.Context, m *model.Model, engine func() (contextbuilder.Engine, error)) (*Published, error) {
	done := &Published{Model: m}
	err := s.locked(ctx, func() (err error) {
		if err := s.inherit(ctx, done, engine); err != nil {
			return fmt.Errorf("scores of the model before: %w", err)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		done.Version, err = s.publish(done.Model, bundle.Lineage{})
		return err
	})
	if err != nil {
		return nil, err
	}
	return done, nil
}

func (s *Store) inherit(ctx context.Context, done *Published, engine func() (contextbuilder.Engine, error)) error {
	from, before, err := s.Scored()
	switch {
	case mayRecover(err):
		return err
	case from == "": // what is damaged or gone must not stop its successor
		done.NotKept = err
		return nil
	}
	done.From = from
	e, err := engine()
	if err != nil {
		return err
	}
	with, report, err := done.Model.Inherit(ctx, e, before)
	if other := (model.LengthError{}); errors.As(err, &other) {
		done.NotKept = other
		return nil
	} else if err != nil {
		return err
	}
	done.Model, done.Inheritance = with, report
	return nil
}

// mayRecover tells whether a failure to read may be over when it is tried again, which damage and absence are not.
func mayRecover(err error) bool {
	var damaged *bundle.DamagedError
	return err != nil && !errors.As(err, &damaged) && !errors.Is(err, bundle.ErrNewerFormat) && !errors.Is(err, fs.ErrNotExist)
}

// Scored reads the model whose scores a successor of the current one may inherit: the current one or, where that has no clusters or is
// damaged, the nearest of those that led to it. What was rolled back is not among them. version is "" where there is none with scores; err
// is, then, what is damaged.
func (s *Store) Scored() (version string, m *model.Model, err error) {
	name, err := s.Current()
	switch {
	case errors.Is(err, ErrEmpty):
		return "", nil, nil
	case errors.Is(err, errDamaged):
		names, err := s.names()
		if err != nil || len(names) == 0 {
			return "", nil, err
		}
		name = names[len(names)-1]
	case err != nil:
		return "", nil, err
	}
	var damaged []error
	for name != "" {
		manifest, err := s.manifest(name)
		if err == nil && manifest.Counts.Clusters > 0 {
			if manifest.Counts.Scored == 0 { // nobody scored these, or somebody dropped the scores
				break
			}
			if m, err = s.Load(name); err == nil {
				return name, m, nil
			}
		}
		if mayRecover(err) {
			return "", nil, err
		} else if err != nil {
			damaged = append(damaged, fmt.Errorf("version %s: %w", name, err))
		}
		if name, err = s.before(name); err != nil {
			return "", nil, err
		}
	}
	return "", nil, errors.Join(damaged...)
}
