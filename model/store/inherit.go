package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"connect-deepcase/model"
	"connect-deepcase/model/bundle"
)

// Published is the result of PublishInheriting.
type Published struct {
	Version           string
	Model             *model.Model
	From              string // the version whose scores it could inherit, or ""
	model.Inheritance        // what became of these scores
	NotKept           error  // why scores were not inherited: damage, or contexts of another length (model.LengthError)
}

// tries is how often PublishInheriting runs inherit beside other writers, before it makes them wait.
const tries = 3

// PublishInheriting publishes m with the scores of the current model. If that is damaged or has no clusters, it takes the scores of the model
// that was current before it. inherit computes the model to publish, as m.Inherit does. It does not run if there are no scores; m is then
// published as it is.
//
// Other writers go on while inherit runs. If one of them publishes other scores meanwhile, inherit runs again, so that no score is lost. After a
// few tries the others have to wait. An error of inherit publishes nothing, except a model.LengthError: m is then published as it is
// (Published.NotKept). ctx ends inherit and the wait for other writers.
func (s *Store) PublishInheriting(ctx context.Context, m *model.Model,
	inherit func(ctx context.Context, before *model.Model) (*model.Model, model.Inheritance, error)) (*Published, error) {
	for range tries {
		done, err := s.inherit(ctx, m, inherit)
		if err != nil {
			return nil, err
		}
		current := false
		err = s.locked(ctx, func() (err error) {
			if current, err = s.stillScored(done.From); err != nil || !current {
				return err
			}
			return s.publishInherited(ctx, done)
		})
		if err != nil {
			return nil, err
		} else if current {
			return done, nil
		}
	}
	var done *Published
	err := s.locked(ctx, func() (err error) {
		if done, err = s.inherit(ctx, m, inherit); err != nil {
			return err
		}
		return s.publishInherited(ctx, done)
	})
	if err != nil {
		return nil, err
	}
	return done, nil
}

// PublishAnswered is PublishInheriting, and clusters that have no score after that get those that answer gives them: by the decisions of people
// about their samples (decisions.Look.Label). answer also says how many clusters it gave a score.
func (s *Store) PublishAnswered(ctx context.Context, m *model.Model,
	inherit func(ctx context.Context, before *model.Model) (*model.Model, model.Inheritance, error),
	answer func(*model.Model) (*model.Model, int, error)) (*Published, error) {
	fresh, answered, err := answer(m) // for the case that there is nothing to inherit
	if err != nil {
		return nil, err
	}
	done, err := s.PublishInheriting(ctx, fresh, func(ctx context.Context, before *model.Model) (*model.Model, model.Inheritance, error) {
		with, report, err := inherit(ctx, before)
		if err != nil {
			return nil, report, err
		}
		with, report.Answered, err = answer(with)
		report.New -= report.Answered
		return with, report, err
	})
	if err != nil {
		return nil, err
	}
	if done.Model == fresh {
		done.Answered, done.New = answered, len(fresh.Clusters)-fresh.ScoredClusters()
	}
	return done, nil
}

// inherit computes the model to publish.
func (s *Store) inherit(ctx context.Context, m *model.Model,
	inherit func(ctx context.Context, before *model.Model) (*model.Model, model.Inheritance, error)) (*Published, error) {
	from, before, err := s.inheritable()
	switch {
	case mayRecover(err):
		return nil, fmt.Errorf("scores of the model before: %w", err)
	case from == "": // a damaged or missing version must not stop its successor
		return &Published{Model: m, NotKept: err}, nil
	}
	with, report, err := inherit(ctx, before)
	if other := (model.LengthError{}); errors.As(err, &other) {
		return &Published{Model: m, From: from, NotKept: other}, nil
	} else if err != nil {
		return nil, fmt.Errorf("scores of the model before: %w", err)
	}
	return &Published{Model: with, From: from, Inheritance: report}, nil
}

// publishInherited publishes. The lock must be held.
func (s *Store) publishInherited(ctx context.Context, done *Published) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	done.Version, err = s.publish(done.Model, bundle.Lineage{})
	return err
}

// mayRecover tells whether reading may succeed when it is tried again. It cannot if a version is damaged, missing or of a newer format.
func mayRecover(err error) bool {
	return err != nil && !isDamage(err) && !errors.Is(err, bundle.ErrNewerFormat) && !errors.Is(err, fs.ErrNotExist)
}

// inheritable reads the model whose scores a new model may inherit. That is the current one or, if it is damaged or has no clusters, the last one
// before it that was current and is neither. Versions that were rolled back do not count. If there are no scores, version is "", and err says
// which versions are damaged, if any.
func (s *Store) inheritable() (version string, m *model.Model, err error) {
	version, err = s.scored(func(name string) (err error) {
		m, err = s.Load(name)
		return err
	})
	if version == "" {
		m = nil
	}
	return version, m, err
}

// stillScored tells whether inheritable would still read from, which it read before.
func (s *Store) stillScored(from string) (bool, error) {
	version, err := s.scored(func(name string) error {
		if name == from {
			return nil
		}
		_, err := s.Load(name)
		return err
	})
	if mayRecover(err) {
		return false, fmt.Errorf("scores of the model before: %w", err)
	}
	return version == from, nil
}

// scored finds the version that inheritable reads, with a function that reads a version.
func (s *Store) scored(read func(name string) error) (version string, err error) {
	name, err := s.Current()
	switch {
	case errors.Is(err, ErrEmpty):
		return "", nil
	case isDamage(err):
		names, err := s.names()
		if err != nil || len(names) == 0 {
			return "", err
		}
		name = names[len(names)-1]
	case err != nil:
		return "", err
	}
	var damaged []error
	for name != "" {
		manifest, err := s.manifest(name)
		if err == nil && manifest.Counts.Clusters > 0 {
			if manifest.Counts.Scored == 0 { // nobody has scored these clusters, or somebody dropped the scores
				break
			}
			if err = read(name); err == nil {
				return name, nil
			}
		}
		if mayRecover(err) {
			return "", err
		} else if err != nil {
			damaged = append(damaged, fmt.Errorf("version %s: %w", name, err))
		}
		if name, err = s.before(name); err != nil {
			return "", err
		}
	}
	return "", errors.Join(damaged...)
}
