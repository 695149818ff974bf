package model

import (
	"context"
	"errors"
	"fmt"

	"connect-deepcase/model/contextbuilder"
)

// LengthError says that two models have contexts of different lengths, so that one cannot inherit from the other.
type LengthError struct{ Before, Now int }

func (e LengthError) Error() string {
	return fmt.Sprintf("its contexts have %d events, now %d", e.Before, e.Now)
}

// Inheritance says what became of the scores of the previous model.
type Inheritance struct {
	Inherited int       // clusters that inherited a score
	Answered  int       // clusters that have a score by answers to patterns of theirs (package decisions); Inherit does not look at answers
	New       int       // clusters that still have no score
	Lost      []Cluster // scored clusters of the previous model none of whose contexts is in a cluster now, so that their scores are lost
}

// String is one line of text, which names the first few clusters that were lost.
func (i Inheritance) String() string {
	const shown = 5
	answered := ""
	if i.Answered > 0 {
		answered = fmt.Sprintf("%d have one by answers, ", i.Answered)
	}
	text := fmt.Sprintf("%d clusters inherited a score, %s%d have none yet, %d scored clusters were lost", i.Inherited, answered, i.New, len(i.Lost))
	for k, c := range i.Lost {
		switch {
		case k == 0:
			text += ": "
		case k < shown:
			text += ", "
		default:
			return text + fmt.Sprintf(" and %d more", len(i.Lost)-shown)
		}
		text += fmt.Sprintf("cluster %d, score %v, %q (%d events)", c.ID, c.Score, c.Event, c.Size)
	}
	return text
}

// Inherit returns a copy of m that takes over the scores of the previous model, so that what analysts decided outlives a training. A cluster
// without a score gets the highest score of the previous clusters that have a context in it now. The models must have contexts of the same
// length (LengthError).
func (m *Model) Inherit(ctx context.Context, e contextbuilder.Engine, before *Model) (*Model, Inheritance, error) {
	if before.Params.Length != m.Params.Length {
		return nil, Inheritance{}, LengthError{before.Params.Length, m.Params.Length}
	}
	var samples []Sample
	var from []int // the cluster before of each sample
	for i, c := range before.Clusters {
		if c.Score < 0 {
			continue
		}
		for _, x := range c.Contexts {
			samples = append(samples, Sample{Context: x.Context, Event: c.Event})
			from = append(from, i)
		}
	}
	inherited, found := map[int]float64{}, map[int]bool{}
	if len(samples) > 0 {
		predictor, err := NewPredictor(m, e)
		if err != nil {
			return nil, Inheritance{}, err
		}
		verdicts, err := predictor.Predict(ctx, samples)
		if err = errors.Join(err, predictor.Close()); err != nil {
			return nil, Inheritance{}, err
		}
		for i, v := range verdicts {
			if v.Cluster >= 0 {
				found[from[i]] = true
			}
			if v.Status == Unscored {
				inherited[v.Cluster] = max(inherited[v.Cluster], before.Clusters[from[i]].Score)
			}
		}
	}
	with, err := m.WithScores(inherited)
	if err != nil {
		return nil, Inheritance{}, err
	}
	report := Inheritance{Inherited: len(inherited), New: len(with.Clusters) - with.ScoredClusters()}
	for i, c := range before.Clusters {
		if c.Score >= 0 && !found[i] {
			report.Lost = append(report.Lost, c)
		}
	}
	return with, report, nil
}
