package model

import (
	"context"
	"errors"
	"fmt"

	"connect-deepcase/model/contextbuilder"
)

// LengthError says that two models have contexts of different lengths, so that those of one mean nothing to the other.
type LengthError struct{ Before, Now int }

func (e LengthError) Error() string {
	return fmt.Sprintf("its contexts have %d events, now %d", e.Before, e.Now)
}

// Inherit returns a copy of m in which each cluster without a score has the highest one among the clusters of the model before whose
// contexts belong to it now, and tells how many inherited one: what an analyst decided outlives a training, and never becomes less.
func (m *Model) Inherit(ctx context.Context, e contextbuilder.Engine, before *Model) (with *Model, kept int, err error) {
	if before.Params.Length != m.Params.Length {
		return nil, 0, LengthError{before.Params.Length, m.Params.Length}
	}
	var samples []Sample
	var scores []float64
	for _, c := range before.Clusters {
		if c.Score < 0 {
			continue
		}
		for _, x := range c.Contexts {
			samples = append(samples, Sample{Context: x.Context, Event: c.Event})
			scores = append(scores, c.Score)
		}
	}
	if len(samples) == 0 {
		return m, 0, nil
	}
	predictor, err := NewPredictor(m, e)
	if err != nil {
		return nil, 0, err
	}
	verdicts, err := predictor.Predict(ctx, samples)
	if err = errors.Join(err, predictor.Close()); err != nil {
		return nil, 0, err
	}
	inherited := map[int]float64{}
	for i, v := range verdicts {
		if v.Status == Unscored {
			inherited[v.Cluster] = max(inherited[v.Cluster], scores[i])
		}
	}
	with, err = m.WithScores(inherited)
	return with, len(inherited), err
}
