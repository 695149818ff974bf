package store

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
)

// unscored is numbered without scores, as it comes from a training.
func unscored(number int) *model.Model {
	m := numbered(number)
	m.Clusters[1].Score = interpreter.NoScore
	return m
}

// copied is what m inherits if its clusters are those before.
func copied(m *model.Model) func(context.Context, *model.Model) (*model.Model, model.Inheritance, error) {
	return func(_ context.Context, before *model.Model) (*model.Model, model.Inheritance, error) {
		scores := map[int]float64{}
		for _, c := range before.Clusters {
			scores[c.ID] = c.Score
		}
		with, err := m.WithScores(scores)
		return with, model.Inheritance{Inherited: len(scores)}, err
	}
}

func TestPublishInheriting(t *testing.T) {
	s := open(t)
	m := unscored(1)
	done, err := s.PublishInheriting(t.Context(), m, func(context.Context, *model.Model) (*model.Model, model.Inheritance, error) {
		t.Error("there is nothing to inherit")
		return nil, model.Inheritance{}, nil
	})
	require.NoError(t, err)
	require.Same(t, m, done.Model)
	require.Empty(t, done.From)
	require.NoError(t, done.NotKept)

	scored := score(t, s, 7)
	m = unscored(2)
	done, err = s.PublishInheriting(t.Context(), m, copied(m))
	require.NoError(t, err)
	require.Equal(t, scored, done.From)
	require.Equal(t, 2, done.Inherited)
	loaded, err := s.Load(done.Version)
	require.NoError(t, err)
	require.Equal(t, done.Model, loaded)
	require.Equal(t, 7.0, loaded.Clusters[0].Score)
	require.Equal(t, 2, number(t, s))
	require.Equal(t, done.Version, s.Clustering(done.Version), "it is a training")

	failed := errors.New("no engine")
	_, err = s.PublishInheriting(t.Context(), m, func(context.Context, *model.Model) (*model.Model, model.Inheritance, error) {
		return nil, model.Inheritance{}, failed
	})
	require.ErrorIs(t, err, failed)
	require.ErrorContains(t, err, "scores of the model before: ")
	m = unscored(3)
	inherited := done.Version
	done, err = s.PublishInheriting(t.Context(), m, func(context.Context, *model.Model) (*model.Model, model.Inheritance, error) {
		return nil, model.Inheritance{}, model.LengthError{Before: 2, Now: 3}
	})
	require.NoError(t, err)
	require.Equal(t, model.LengthError{Before: 2, Now: 3}, done.NotKept)
	require.Equal(t, inherited, done.From)
	require.Same(t, m, done.Model)
	require.Equal(t, 3, number(t, s))

	score(t, s, 7)
	over, cancel := context.WithCancel(t.Context())
	m = unscored(4)
	done, err = s.PublishInheriting(over, m, func(ctx context.Context, before *model.Model) (*model.Model, model.Inheritance, error) {
		cancel()
		return copied(m)(ctx, before)
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Nil(t, done, "nothing was published")
	require.Equal(t, 3, number(t, s))
}

func TestAScoreThatComesWhileInheritanceIsComputedIsNotLost(t *testing.T) {
	s := open(t)
	publish(t, s, 1)
	m, asked, last := unscored(2), 0, ""
	done, err := s.PublishInheriting(t.Context(), m, func(ctx context.Context, before *model.Model) (*model.Model, model.Inheritance, error) {
		if asked++; asked == 1 {
			last = score(t, s, 7) // other writers go on meanwhile
		}
		return copied(m)(ctx, before)
	})
	require.NoError(t, err)
	require.Equal(t, 2, asked)
	require.Equal(t, last, done.From)
	require.Equal(t, 7.0, done.Model.Clusters[0].Score)
	require.Equal(t, 2, number(t, s))
}

// A version that takes no part in inheritance does not make it run again.
func TestANetworkThatComesWhileInheritanceIsComputedDoesNotMatter(t *testing.T) {
	s := open(t)
	from := publish(t, s, 1)
	m, asked := unscored(2), 0
	done, err := s.PublishInheriting(t.Context(), m, func(ctx context.Context, before *model.Model) (*model.Model, model.Inheritance, error) {
		asked++
		stage(t, s, 3)
		return copied(m)(ctx, before)
	})
	require.NoError(t, err)
	require.Equal(t, 1, asked)
	require.Equal(t, from, done.From)
}

// Somebody who publishes scores again and again does not stop a training for ever, nor loses a score.
func TestScoresThatKeepComingDoNotStopATraining(t *testing.T) {
	s := open(t)
	publish(t, s, 1)
	m, asked, given := unscored(2), 0, 0.0
	done, err := s.PublishInheriting(t.Context(), m, func(ctx context.Context, before *model.Model) (*model.Model, model.Inheritance, error) {
		asked++
		brief, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		_, err := s.Update(brief, func(_ string, m *model.Model) (*model.Model, error) {
			given++
			return m.WithScores(map[int]float64{0: given})
		})
		if asked <= tries {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, context.DeadlineExceeded, "it waits for the training")
		}
		return copied(m)(ctx, before)
	})
	require.NoError(t, err)
	require.Equal(t, tries+1, asked)
	require.EqualValues(t, tries, done.Model.Clusters[0].Score, "the last score that was published")
	require.Equal(t, 2, number(t, s))
}

func TestPublishInheritingSaysWhatIsDamaged(t *testing.T) {
	s := open(t)
	version := publish(t, s, 1)
	require.NoError(t, os.Truncate(s.path(versionsDir, version, "clusters.json"), 3))
	m := unscored(2)
	done, err := s.PublishInheriting(t.Context(), m, copied(m))
	require.NoError(t, err)
	require.Empty(t, done.From)
	require.ErrorContains(t, done.NotKept, "version "+version)
	require.Equal(t, 2, number(t, s))
}

func TestPublishAnswered(t *testing.T) {
	s := open(t)
	answered := func(m *model.Model) (*model.Model, int, error) { // the clusters without a score
		scores := map[int]float64{}
		for _, c := range m.Clusters {
			if c.Score == interpreter.NoScore {
				scores[c.ID] = 5
			}
		}
		with, err := m.WithScores(scores)
		return with, len(scores), err
	}
	m := unscored(1)
	done, err := s.PublishAnswered(t.Context(), m, copied(m), answered)
	require.NoError(t, err)
	require.Empty(t, done.From, "nothing to inherit")
	require.Equal(t, []int{0, 2, 0}, []int{done.Inherited, done.Answered, done.New})
	require.Equal(t, 5.0, done.Model.Clusters[1].Score)

	m = unscored(2)
	done, err = s.PublishAnswered(t.Context(), m, func(_ context.Context, before *model.Model) (*model.Model, model.Inheritance, error) {
		with, err := m.WithScores(map[int]float64{0: before.Clusters[0].Score})
		return with, model.Inheritance{Inherited: 1, New: 1}, err
	}, answered)
	require.NoError(t, err)
	require.Equal(t, []int{1, 1, 0}, []int{done.Inherited, done.Answered, done.New})
	loaded, err := s.Load(done.Version)
	require.NoError(t, err)
	require.Equal(t, 5.0, loaded.Clusters[1].Score)

	failed := errors.New("damaged")
	_, err = s.PublishAnswered(t.Context(), m, copied(m), func(*model.Model) (*model.Model, int, error) { return nil, 0, failed })
	require.ErrorIs(t, err, failed)
	require.Equal(t, 2, number(t, s))
}
