package interpreter

import (
	"context"
	"fmt"
	"runtime"

	"connect-deepcase/internal/parallel"
	"connect-deepcase/model/contextbuilder"
)

// Match is what the Interpreter says about a sample.
type Match struct {
	Cluster    int32     // the cluster of the nearest vector, or NotConfident, UnknownEvent, NoCluster, NotFinite
	Score      float64   // of the cluster, NoScore if it has none; with Options.Nearest that of the labels nearby, if the cluster's is disputed
	Disputed   bool      // whether the labels of the cluster speak against its score (evidence.go)
	Distance   float64   // to that vector, L1; 0 if there was none to compare with
	Confidence float32   // in the event under Attention
	Attention  []float32 // one share per event of the context; equal samples share the slice
}

// Fit clusters samples and gives each cluster a score, which the strategy makes of the scores of its samples. Scores equal to noScore do not
// count. Only with the strategy Nearest does it keep the scores of the samples, to decide by them in Predict.
func (it *Interpreter) Fit(ctx context.Context, s contextbuilder.Samples, scores []float64, strategy Strategy, noScore float64,
	progress func(done, total int)) (*Clustering, error) {
	if err := strategy.Validate(); err != nil { // before the long part
		return nil, err
	}
	if len(scores) != s.Rows() {
		return nil, fmt.Errorf("%d scores for %d samples", len(scores), s.Rows())
	}
	c, err := it.Cluster(ctx, s, progress)
	if err != nil {
		return nil, err
	}
	equal, err := ScoreClusters(c.Rows(), scores, strategy, noScore)
	if err != nil {
		return nil, err
	}
	if err := it.Score(c, equal); err != nil || strategy != Nearest {
		return c, err
	}
	vectors := make([]int32, len(c.Of))
	for row, at := range c.Of {
		vectors[row] = c.Vector[at]
	}
	known := *it.known
	known.Labels = CountLabels(len(c.Events), c.Rows(), vectors, scores, noScore)
	it.options.Nearest = true
	return c, it.Use(&known, it)
}

// Predict returns for each sample the score of the nearest cluster of its event (paper, section III-D2), or NotConfident, UnknownEvent or
// NoCluster. The original mixes up rows here, so that samples get scores of other clusters.
func (it *Interpreter) Predict(ctx context.Context, s contextbuilder.Samples, progress func(done, total int)) ([]float64, error) {
	matches, err := it.matchAll(ctx, s, progress)
	if err != nil {
		return nil, err
	}
	scores := make([]float64, len(matches))
	for row, m := range matches {
		if m.Cluster == NotFinite {
			return nil, fmt.Errorf("sample %d: %w", row, ErrNotFinite)
		}
		scores[row] = float64(m.Cluster)
		if m.Cluster >= 0 {
			scores[row] = m.Score
		}
	}
	return scores, nil
}

// FitPredict is Fit, then Predict for the same samples.
func (it *Interpreter) FitPredict(ctx context.Context, s contextbuilder.Samples, scores []float64, strategy Strategy, noScore float64,
	progress func(done, total int)) ([]float64, error) {
	if _, err := it.Fit(ctx, s, scores, strategy, noScore, progress); err != nil {
		return nil, err
	}
	return it.Predict(ctx, s, progress)
}

// matchAll is Match for each sample.
func (it *Interpreter) matchAll(ctx context.Context, s contextbuilder.Samples, progress func(done, total int)) ([]Match, error) {
	found, of, err := it.Match(ctx, s, progress)
	if err != nil {
		return nil, err
	}
	matches := make([]Match, len(of))
	for row, at := range of {
		matches[row] = found[at]
	}
	return matches, nil
}

// Match finds the cluster of each distinct sample, in order of first occurrence; of is, for each sample, its index among them. It checks the confidence
// first, then whether the event has clusters, then the nearest vector; of equally near vectors, the one with the lowest cluster number counts. progress
// may be nil.
func (it *Interpreter) Match(ctx context.Context, s contextbuilder.Samples, progress func(done, total int)) (found []Match, of []int32, err error) {
	if err := check(s); err != nil {
		return nil, nil, err
	}
	g := Distinct(s)
	a, err := it.attend(ctx, s, g.First, progress)
	if err != nil {
		return nil, nil, err
	}
	steps, index := Steps(s), it.index()
	found = make([]Match, len(g.First))
	const rows = 64
	parallel.Ranges(ctx, runtime.GOMAXPROCS(0), len(found), rows, func(next func() (int, int, bool)) {
		search := newSearch(index.ids)
		for from, to, more := next(); more; from, to, more = next() {
			for at := from; at < to; at++ {
				m := &found[at]
				m.Confidence, m.Attention = a.confidence[at], a.attention[at*s.Length:(at+1)*s.Length:(at+1)*s.Length]
				ids, values := a.vectors.Row(at)
				it.match(m, index, search, s.Events[int(g.First[at])*steps], ids, values)
			}
		}
	})
	return found, g.Of, ctx.Err()
}

// match finds what becomes of a sample of which the network has been asked.
func (it *Interpreter) match(m *Match, x *index, s *search, event int32, ids, values []int32) {
	m.Score = NoScore
	if !Finite(m.Confidence, m.Attention) {
		m.Cluster = NotFinite
		return
	}
	if !it.confident(m.Confidence) {
		m.Cluster = NotConfident
		return
	}
	t, there := x.trees[event]
	if !there {
		m.Cluster = UnknownEvent
		return
	}
	nearest, distance := s.nearest(t, ids, values)
	m.Cluster, m.Distance = NoCluster, float64(distance)/scale
	if distance > units(it.options.Eps) {
		return
	}
	m.Cluster = t.tags[nearest]
	m.Score = it.known.Scores[m.Cluster]
	if it.standing != nil && it.standing[m.Cluster] != undisputed {
		it.weigh(m, s, t, ids, values, nearest)
	}
}
