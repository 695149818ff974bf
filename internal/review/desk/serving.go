package desk

import (
	"context"
	"errors"
	"sync"
	"time"

	"connect-deepcase/internal/attack"
	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/model/store"
)

// serving is the version of the model that serves.
type serving struct {
	version    string
	generation string
	model      *model.Model
	after      [][]review.Share // of clusters
	techniques [][]string       // of clusters: those that their examples name
	byEvent    map[string][]int
	learnt     map[string]bool
	decided    map[int]decided // the last decision about a cluster
}

// decided is the last decision about a cluster.
type decided struct {
	number uint64
	by     string
	at     time.Time
	score  float64
	why    string
}

// take puts a version of the model into use.
func (d *Desk) take(loaded *store.Loaded) error {
	s := &serving{version: loaded.Version, model: loaded.Model, byEvent: map[string][]int{}, learnt: map[string]bool{}}
	models, err := store.Open(d.o.Model, false)
	if err != nil {
		return err
	}
	s.generation = models.Clustering(loaded.Version)
	for _, name := range loaded.Model.Names {
		s.learnt[name] = true
	}
	s.after, s.techniques = make([][]review.Share, len(loaded.Model.Clusters)), make([][]string, len(loaded.Model.Clusters))
	for i, c := range loaded.Model.Clusters {
		s.byEvent[c.Event] = append(s.byEvent[c.Event], i)
		s.after[i] = after(c.Contexts)
		for _, x := range attack.Counts(c.Examples) {
			s.techniques[i] = append(s.techniques[i], x.Technique)
		}
	}
	if s.decided, err = d.lastScores(s.generation); err != nil {
		return err
	}
	d.mu.Lock()
	trained := d.serving == nil || d.serving.generation != s.generation
	d.mu.Unlock()
	var explains map[decisions.Key]model.Verdict
	if trained {
		if explains, err = d.explain(s); err != nil {
			return err
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if trained {
		d.explains, d.previous = explains, d.serving
	}
	d.serving = s
	d.rev++
	d.global = d.rev
	return nil
}

// explain asks a model about the patterns of open questions, whose verdicts are of other models.
func (d *Desk) explain(s *serving) (map[decisions.Key]model.Verdict, error) {
	var keys []decisions.Key
	var samples []model.Sample
	d.o.Board.View(func(v board.View) {
		for _, q := range v.Questions() {
			for k, p := range q.Patterns {
				if len(p.Context) == s.model.Params.Length && p.Version != s.version {
					keys, samples = append(keys, k), append(samples, model.Sample{Context: p.Context, Event: q.Event})
				}
			}
		}
	})
	explains := map[decisions.Key]model.Verdict{}
	if len(samples) == 0 || len(s.model.Clusters) == 0 {
		return explains, nil
	}
	verdicts, err := d.predict(context.Background(), s.model, samples)
	if err != nil {
		return nil, err
	}
	for i, v := range verdicts {
		v.Attention = nil
		explains[keys[i]] = v
	}
	return explains, nil
}

// predict asks a model. Samples without a finite answer get the status NoCluster.
func (d *Desk) predict(ctx context.Context, m *model.Model, samples []model.Sample) ([]model.Verdict, error) {
	predictor, err := model.NewPredictor(m, d.o.Engine)
	if err != nil {
		return nil, err
	}
	verdicts, err := predictor.Predict(ctx, samples)
	if partly := (*model.NotFiniteError)(nil); errors.As(err, &partly) {
		for _, row := range partly.Rows {
			verdicts[row] = model.Verdict{Status: model.NoCluster, Cluster: -1}
		}
		err = nil
	}
	return verdicts, errors.Join(err, predictor.Close())
}

// Generation names the clusters of a version of a model directory, for a board.
func Generation(dir string) func(version string) string {
	var mu sync.Mutex
	known := map[string]string{}
	return func(version string) string {
		mu.Lock()
		defer mu.Unlock()
		if g, ok := known[version]; ok {
			return g
		}
		s, err := store.Open(dir, false)
		if err != nil {
			return version
		}
		if len(known) > 1000 {
			clear(known)
		}
		known[version] = s.Clustering(version)
		if current, err := s.Current(); err == nil && s.SameClusters(current, version) { // the version may have been removed
			known[version] = s.Clustering(current)
		}
		return known[version]
	}
}

// scoreOf is the score of a cluster, with one that waits to be published; nil if there is none. mu is held.
func (d *Desk) scoreOf(cluster int) *float64 {
	score := d.serving.model.Clusters[cluster].Score
	if p, there := d.pending[place{d.serving.generation, cluster}]; there && p.number >= d.serving.decided[cluster].number {
		score = p.score
	}
	if score == interpreter.NoScore {
		return nil
	}
	return &score
}
