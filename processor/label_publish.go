package processor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"

	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/model/store"
)

// publish applies decisions to the current model, with no other writer in between. Each decision gets its cluster and the old score, or an
// error. publish returns the version that has the new scores, and the model before them.
func (l *label) publish(ctx context.Context, decisions []*decision) (version string, m *model.Model, err error) {
	if !slices.ContainsFunc(decisions, func(d *decision) bool { return d.err == nil }) {
		return "", nil, nil
	}
	models, err := store.Open(l.dir, false, store.Retain(l.retain))
	if err != nil {
		return "", nil, err
	}
	version, err = models.Update(ctx, func(name string, current *model.Model) (*model.Model, error) {
		m = current
		if err := l.resolve(ctx, models, name, current, decisions); err != nil {
			return nil, err
		}
		changes := map[int]float64{}
		for _, d := range decisions {
			if d.err == nil && d.score != d.old {
				changes[d.cluster] = d.score
			}
		}
		if len(changes) == 0 {
			return current, nil
		}
		return current.WithScores(changes)
	})
	return version, m, err
}

// resolve finds the cluster of each decision, and refuses decisions that cannot be carried out.
func (l *label) resolve(ctx context.Context, models *store.Store, version string, current *model.Model, decisions []*decision) error {
	same := map[string]error{"": nil, version: nil} // version named by a decision → why its clusters are not the current ones
	var samples []*decision
	for _, d := range decisions {
		if d.err != nil {
			continue
		}
		err, known := same[d.version]
		if !known {
			err = sameClusters(models, d.version, version, current)
			same[d.version] = err
		}
		switch {
		case err != nil && d.cluster >= 0: // a sample finds its cluster in any version
			d.err = err
		case d.cluster >= len(current.Clusters):
			d.err = fmt.Errorf("%s: %d, model %s has clusters 0 to %d", fieldCluster, d.cluster, version, len(current.Clusters)-1)
		case d.cluster < 0:
			samples = append(samples, d)
		}
	}
	if err := l.lookUp(ctx, version, current, samples); err != nil {
		return err
	}
	scores := map[int]float64{}
	conflicts := map[int]bool{}
	for _, d := range decisions {
		if d.err != nil {
			continue
		}
		d.old = current.Clusters[d.cluster].Score
		if other, scored := scores[d.cluster]; scored && other != d.score {
			conflicts[d.cluster] = true
		}
		scores[d.cluster] = d.score
	}
	for _, d := range decisions {
		if d.err == nil && conflicts[d.cluster] {
			d.err = fmt.Errorf("%s: cluster %d is given different scores in one batch, %s here: need one score", fieldScore, d.cluster, d.scoreText())
		}
	}
	return nil
}

func (d *decision) scoreText() string {
	if d.score == interpreter.NoScore {
		return withdrawal
	}
	return strconv.FormatFloat(d.score, 'g', -1, 64)
}

// lookUp finds the clusters that samples belong to.
func (l *label) lookUp(ctx context.Context, version string, current *model.Model, decisions []*decision) error {
	var asked []*decision
	var samples []model.Sample
	for _, d := range decisions {
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
		if d.cluster = verdicts[i].Cluster; d.cluster < 0 {
			d.err = fmt.Errorf("document: %s belongs to no cluster of model %s (%s), so there is nothing to score",
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
