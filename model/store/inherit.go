package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"connect-deepcase/model"
	"connect-deepcase/model/bundle"
)

// Published is what came of PublishInheriting.
type Published struct {
	Version           string
	Model             *model.Model
	From              string // the version whose scores it could inherit; "" if there is none
	model.Inheritance        // what became of these scores; empty if there are none
	NotKept           error  // why scores that were there could not be inherited: damage, or contexts of another length; nil if none is known
}

// tries is how often PublishInheriting computes in vain what m inherits, before it keeps other writers waiting meanwhile.
const tries = 3

// PublishInheriting publishes what inherit makes of m and the model whose scores m may inherit (Scored), as Model.Inherit does. It publishes m
// itself if there is no such model. Other writers go on while inherit runs. If one of them has published other scores by then, inherit runs
// again, so that no score is lost; after a few times others have to wait for it. An error of inherit publishes nothing, except that a
// model.LengthError publishes m itself (Published.NotKept). ctx ends the wait for other writers, too.
func (s *Store) PublishInheriting(ctx context.Context, m *model.Model,
	inherit func(ctx context.Context, before *model.Model) (*model.Model, model.Inheritance, error)) (*Published, error) {
	attempt := func() (*Published, error) {
		done, err := s.inherit(ctx, m, inherit)
		if err != nil {
			return nil, fmt.Errorf("scores of the model before: %w", err)
		}
		return done, nil
	}
	for range tries {
		done, err := attempt()
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
		if err != nil || current {
			return done, err
		}
	}
	var done *Published
	err := s.locked(ctx, func() (err error) {
		if done, err = attempt(); err != nil {
			return err
		}
		return s.publishInherited(ctx, done)
	})
	return done, err
}

// inherit computes what m inherits.
func (s *Store) inherit(ctx context.Context, m *model.Model,
	inherit func(ctx context.Context, before *model.Model) (*model.Model, model.Inheritance, error)) (*Published, error) {
	from, before, err := s.Scored()
	switch {
	case mayRecover(err):
		return nil, err
	case from == "": // what is damaged or gone must not stop its successor
		return &Published{Model: m, NotKept: err}, nil
	}
	with, report, err := inherit(ctx, before)
	if other := (model.LengthError{}); errors.As(err, &other) {
		return &Published{Model: m, From: from, NotKept: other}, nil
	} else if err != nil {
		return nil, err
	}
	return &Published{Model: with, From: from, Inheritance: report}, nil
}

// publishInherited publishes; the lock is held.
func (s *Store) publishInherited(ctx context.Context, done *Published) (err error) {
	if err := ctx.Err(); err != nil {
		return err
	}
	done.Version, err = s.publish(done.Model, bundle.Lineage{})
	return err
}

// mayRecover tells whether a failure to read may be over when it is tried again, which damage and absence are not.
func mayRecover(err error) bool {
	return err != nil && !isDamage(err) && !errors.Is(err, bundle.ErrNewerFormat) && !errors.Is(err, fs.ErrNotExist)
}

// Scored reads the model whose scores a successor of the current one may inherit: the current one or, if that has no clusters or is
// damaged, the nearest of those that led to it. What was rolled back is not among them. version is "" if there is none with scores; err
// says, then, what is damaged.
func (s *Store) Scored() (version string, m *model.Model, err error) {
	version, err = s.scored(func(name string) (err error) {
		m, err = s.Load(name)
		return err
	})
	if version == "" {
		m = nil
	}
	return version, m, err
}

// stillScored tells whether from, which was read before, is still what Scored names.
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

// scored is Scored, with a function that reads a version.
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
			if manifest.Counts.Scored == 0 { // nobody scored these, or somebody dropped the scores
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
