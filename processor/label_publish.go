package processor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"

	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/model/store"
)

// scoring is a score for a cluster.
type scoring struct {
	decisions.Decision              // its cluster is −1 until it is known: that of sample
	sample             model.Sample // if it is a document that is decided about
	seen               string       // the version that the analyst saw; "" for the current one
	err                error
}

// score publishes a version that has the scores of requests, and gives its name: "" if none asks for a score.
func (l *label) score(ctx context.Context, requests []*request) string {
	var asked []*request
	var scorings []*scoring
	for _, r := range requests {
		if r.err == nil && r.scoring != nil {
			asked, scorings = append(asked, r), append(scorings, r.scoring)
		}
	}
	if len(asked) == 0 {
		return ""
	}
	version, m, err := l.publish(ctx, scorings)
	if err != nil {
		l.log.With("model", l.dir).Errorf("%d labels not published: %v", len(asked), err)
	}
	for _, r := range asked {
		s := r.scoring
		switch r.err = s.err; {
		case r.err != nil:
		case err != nil:
			r.err = fmt.Errorf("labels not published: %w", err)
		default:
			c := m.Clusters[s.Cluster]
			r.changed = c.Score != s.Score
			r.reply = map[string]any{"cluster": int64(c.ID), "event": c.Event, "size": int64(c.Size), "old": scoreOrNil(c.Score), "new": scoreOrNil(s.Score), "model": version}
		}
	}
	return version
}

// scoreOrNil is nil if there is no score.
func scoreOrNil(score float64) any {
	if score == interpreter.NoScore {
		return nil
	}
	return score
}

// publish applies scores to the current model, with no other writer in between. Each gets its cluster, or an error. publish returns the version
// that has the new scores, and the model before them.
func (l *label) publish(ctx context.Context, scorings []*scoring) (version string, m *model.Model, err error) {
	models, _, err := l.open()
	if err != nil {
		return "", nil, err
	}
	version, err = models.Update(ctx, func(name string, current *model.Model) (*model.Model, error) {
		m = current
		if err := l.resolve(ctx, models, name, current, scorings); err != nil {
			return nil, err
		}
		changes := map[int]float64{}
		var record []decisions.Decision
		for _, s := range scorings {
			c := s.Cluster
			if s.err != nil || s.Score == current.Clusters[c].Score {
				continue
			}
			if _, twice := changes[c]; !twice {
				record = append(record, s.OfCluster(name, current.Clusters[c]))
			}
			changes[c] = s.Score
		}
		if len(changes) == 0 {
			return current, nil
		}
		if err := l.record(record); err != nil {
			return nil, err
		}
		return current.WithScores(changes)
	})
	return version, m, err
}

// record writes scores of clusters into the journal before the version that has them is published: if the process ends in between, the messages
// come again, and so do the scores. The lock of the model directory is held.
func (l *label) record(scores []decisions.Decision) error {
	_, journal, err := l.open()
	if err == nil {
		_, err = journal.AppendLocked(func(decisions.Look) ([]decisions.Decision, error) { return scores, nil })
	}
	return err
}

// resolve finds the cluster of each score, and refuses scores that cannot be given.
func (l *label) resolve(ctx context.Context, models *store.Store, version string, current *model.Model, scorings []*scoring) error {
	same := map[string]error{"": nil, version: nil} // version that was seen → why its clusters are not the current ones
	var samples []*scoring
	for _, d := range scorings {
		err, known := same[d.seen]
		if !known {
			err = sameClusters(models, d.seen, version, current)
			same[d.seen] = err
		}
		switch {
		case err != nil && d.Cluster >= 0: // a sample finds its cluster in any version
			d.err = err
		case d.Cluster >= len(current.Clusters):
			d.err = fmt.Errorf("%s: %d, model %s has clusters 0 to %d", fieldCluster, d.Cluster, version, len(current.Clusters)-1)
		case d.Cluster < 0:
			samples = append(samples, d)
		}
	}
	if err := l.lookUp(ctx, version, current, samples); err != nil {
		return err
	}
	scores := map[int]float64{}
	conflicts := map[int]bool{}
	for _, d := range scorings {
		if d.err != nil {
			continue
		}
		if other, scored := scores[d.Cluster]; scored && other != d.Score {
			conflicts[d.Cluster] = true
		}
		scores[d.Cluster] = d.Score
	}
	for _, d := range scorings {
		if d.err == nil && conflicts[d.Cluster] {
			d.err = fmt.Errorf("%s: cluster %d is given different scores in one batch, %s here: need one score", fieldScore, d.Cluster, d.scoreText())
		}
	}
	return nil
}

func (s *scoring) scoreText() string {
	if s.Score == interpreter.NoScore {
		return withdrawal
	}
	return strconv.FormatFloat(s.Score, 'g', -1, 64)
}

// lookUp finds the clusters that samples belong to.
func (l *label) lookUp(ctx context.Context, version string, current *model.Model, scorings []*scoring) error {
	var asked []*scoring
	var samples []model.Sample
	for _, d := range scorings {
		if want := current.Params.Length; len(d.sample.Context) != want {
			d.err = fmt.Errorf("document: %s.context has %d events, model %s needs %d",
				l.target, len(d.sample.Context), version, want)
			continue
		}
		asked, samples = append(asked, d), append(samples, d.sample)
	}
	if len(asked) == 0 {
		return nil
	}
	predictor, err := model.NewPredictor(current, l.engine)
	if err != nil {
		return err
	}
	verdicts, err := predictor.Predict(ctx, samples)
	if partly := (*model.NotFiniteError)(nil); errors.As(err, &partly) {
		for _, row := range partly.Rows {
			asked[row].err = fmt.Errorf("query of model %s: %w", version, interpreter.ErrNotFinite)
		}
		err = nil
	}
	if err = errors.Join(err, predictor.Close()); err != nil {
		return err
	}
	for i, d := range asked {
		if d.err != nil {
			continue
		}
		if d.Cluster = verdicts[i].Cluster; d.Cluster < 0 {
			d.err = fmt.Errorf("document: %s belongs to no cluster of model %s (%s), so there is nothing to score: answer its pattern (scope pattern_on_machine)",
				l.target, version, verdicts[i].Status)
		}
	}
	return nil
}

// sameClusters says why the clusters of a version are not those of the current model. Scores may differ.
func sameClusters(models *store.Store, name, currentName string, current *model.Model) error {
	if models.SameClusters(currentName, name) {
		return nil
	}
	seen, err := models.Load(name)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: %q was removed, and it is not known whether its clusters are those of the current version %s: look at the new clusters and label those",
			fieldVersion, name, currentName)
	} else if err != nil {
		return fmt.Errorf("%s: %q cannot be compared with the current version: %w", fieldVersion, name, err)
	}
	if seen.SameClusters(current) != nil {
		return fmt.Errorf("%s: %q has other clusters than the current version %s: look at the new clusters and label those",
			fieldVersion, name, currentName)
	}
	return nil
}
