package interpreter

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

// labelledSamples are clustered samples, of which some have labels: the vector of each, its cluster, and its label.
type labelledSamples struct {
	samples  contextbuilder.Samples
	vectors  *Vectors
	clusters []int32
	labels   []float64
}

// judge is the rule of weigh, over all pairs of samples.
func (l labelledSamples) judge(o Options, event, cluster int32, q *Vectors, at int) (score float64, disputed bool) {
	benign, attacks := 0, 0
	score = NoScore
	var near []float64
	nearest := int64(-1)
	for row, label := range l.labels {
		if label == NoScore || l.clusters[row] < 0 {
			continue
		}
		if l.clusters[row] == cluster {
			score = max(score, label)
			if label == 0 {
				benign++
			} else {
				attacks++
			}
		}
		if l.samples.Events[row] != event {
			continue
		}
		switch d := distanceOf(q, at, l.vectors, row); {
		case d <= units(o.Guard):
			if nearest != 0 {
				near = nil
			}
			near, nearest = append(near, label), 0
		case nearest == 0 || d > units(o.Eps) || nearest > 0 && d > nearest:
		case d == nearest:
			near = append(near, label)
		default:
			near, nearest = []float64{label}, d
		}
	}
	if benign == 0 || attacks == 0 {
		return score, false
	}
	highest := float64(NoScore)
	for _, label := range near {
		highest = max(highest, label)
	}
	disputed = 2*attacks < benign+attacks || highest == 0
	if disputed && o.Nearest && highest != NoScore {
		return highest, false
	}
	return score, disputed
}

func TestMatchDisputesWhatTheRuleSaysOverAllPairs(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 6))
	s := samples(r, 4_000)
	all := Options{Eps: 0.3, MinSamples: 5, Threshold: 0}
	it := interpreterFor(t, fake{}, all)
	c, err := it.Cluster(t.Context(), s, nil)
	require.NoError(t, err)
	l := labelledSamples{samples: s, clusters: c.Rows(), labels: make([]float64, s.Rows())}
	l.vectors, _, err = it.AttendedContext(t.Context(), s, nil)
	require.NoError(t, err)
	vectors := make([]int32, s.Rows())
	for row, at := range c.Of {
		vectors[row] = c.Vector[at]
		if vectors[row] >= 0 {
			require.Zero(t, distanceOf(l.vectors, row, c.Vectors, int(vectors[row])))
			require.Equal(t, l.clusters[row], c.VectorCluster[vectors[row]])
		} else {
			require.EqualValues(t, Noise, l.clusters[row])
		}
		// Attacks come in certain places, more often in clusters with a high number; a third has no label.
		switch ids, _ := l.vectors.Row(row); {
		case r.IntN(3) == 0 || l.clusters[row]%7 == 3:
			l.labels[row] = NoScore
		case (ids[0]+ids[len(ids)-1])%3 <= l.clusters[row]%3 && r.IntN(20) > 0:
			l.labels[row] = float64(1 + r.IntN(2))
		}
	}
	known := c.Clusters
	known.Labels = CountLabels(len(c.Events), l.clusters, vectors, l.labels, NoScore)
	equal, err := ScoreClusters(l.clusters, l.labels, Max, NoScore)
	require.NoError(t, err)
	known.Scores, err = ClusterScores(l.clusters, len(c.Events), equal)
	require.NoError(t, err)

	fresh := samples(r, 1_500)
	queries, _, err := it.AttendedContext(t.Context(), fresh, nil)
	require.NoError(t, err)
	outcomes := map[string]int{}
	for _, guard := range []float64{0, 0.02, 0.15, 0.5} {
		for _, nearest := range []bool{false, true} {
			o := all
			o.Guard, o.Nearest = guard, nearest
			it := interpreterFor(t, fake{}, o)
			require.NoError(t, it.Use(&known, nil))
			matches, err := it.matchAll(t.Context(), fresh, nil)
			require.NoError(t, err)
			for row, m := range matches {
				if m.Cluster < 0 {
					require.EqualValues(t, NoScore, m.Score)
					require.False(t, m.Disputed)
					continue
				}
				score, disputed := l.judge(o, fresh.Events[row], m.Cluster, queries, row)
				require.Equal(t, score, m.Score, "row %d guard %v nearest %v", row, guard, nearest)
				require.Equal(t, disputed, m.Disputed, "row %d guard %v nearest %v", row, guard, nearest)
				outcomes[fmt.Sprint(it.standing[m.Cluster], m.Disputed, nearest, m.Score == known.Scores[m.Cluster])]++
			}
		}
	}
	t.Log(outcomes)
	// Standing, disputed, nearest, with the cluster's score: the test is worth something only if all kinds are there.
	for _, kind := range []string{"0 false false true", "1 false false true", "1 true false true", "2 true false true",
		"0 false true true", "1 false true true", "1 false true false", "2 false true true", "2 false true false"} {
		require.Contains(t, outcomes, kind)
	}
}

// Evidence on one line: event 5, contexts of two events, so that a vector is its share of event 3.
func line(labels map[int32][]Label, scores []float64, clusters []int32, shares ...int32) *Clusters {
	c := &Clusters{Vectors: &Vectors{}, VectorCluster: clusters, Scores: scores, Labels: make([][]Label, len(scores))}
	for _, share := range shares {
		c.Vectors.add([]int32{3, 4}, []int32{share, scale - share})
	}
	for range scores {
		c.Events = append(c.Events, 5)
	}
	for cluster, l := range labels {
		c.Labels[cluster] = l
	}
	return c
}

func TestWeigh(t *testing.T) {
	mixed := []float64{2}
	one := func(n int) []int32 { return make([]int32, n) }
	for name, c := range map[string]struct {
		known    *Clusters
		at       int32 // the share of the query
		guard    float64
		nearest  bool
		disputed bool
		score    float64
	}{
		"no labels":                              {line(nil, mixed, one(1), 5000), 5000, 0.02, false, false, 2},
		"attacks alone":                          {line(map[int32][]Label{0: {{0, 1, 3}, {1, 2, 3}}}, mixed, one(2), 5000, 5100), 5000, 0.02, false, false, 2},
		"benign alone, though the score is not":  {line(map[int32][]Label{0: {{0, 0, 3}}}, mixed, one(1), 5000), 5000, 0.02, false, false, 2},
		"scored 0":                               {line(map[int32][]Label{0: {{0, 0, 3}, {0, 1, 1}}}, []float64{0}, one(1), 5000), 5000, 0.02, false, false, 0},
		"half are attacks, at one place":         {line(map[int32][]Label{0: {{0, 0, 2}, {0, 2, 2}}}, mixed, one(1), 5000), 5000, 0.02, false, false, 2},
		"less than half":                         {line(map[int32][]Label{0: {{0, 0, 3}, {0, 2, 2}}}, mixed, one(1), 5000), 5000, 0.02, false, true, 2},
		"less than half, but nearest":            {line(map[int32][]Label{0: {{0, 0, 3}, {0, 1, 2}}}, mixed, one(1), 5000), 5000, 0.02, true, false, 1},
		"benign nearby":                          {line(map[int32][]Label{0: {{0, 0, 2}, {1, 2, 3}}}, mixed, one(2), 5000, 5200), 5000, 0.02, false, true, 2},
		"benign nearby, and nearest":             {line(map[int32][]Label{0: {{0, 0, 2}, {1, 2, 3}}}, mixed, one(2), 5000, 5200), 5000, 0.02, true, false, 0},
		"an attack at the edge of the guard":     {line(map[int32][]Label{0: {{0, 0, 2}, {1, 2, 3}}}, mixed, one(2), 5000, 5100), 5000, 0.02, false, false, 2},
		"guard 0: benign nearest":                {line(map[int32][]Label{0: {{0, 0, 2}, {1, 2, 3}}}, mixed, one(2), 5000, 5100), 5020, 0, false, true, 2},
		"guard 0: attack nearest":                {line(map[int32][]Label{0: {{0, 0, 2}, {1, 2, 3}}}, mixed, one(2), 5000, 5100), 5080, 0, false, false, 2},
		"guard 0: both at one distance":          {line(map[int32][]Label{0: {{0, 0, 2}, {1, 2, 3}}}, mixed, one(2), 5000, 5100), 5050, 0, false, false, 2},
		"the nearest has no label, the next has": {line(map[int32][]Label{0: {{1, 0, 2}, {2, 2, 3}}}, mixed, one(3), 5000, 5200, 5900), 5000, 0.02, false, true, 2},
		"no label within eps":                    {line(map[int32][]Label{0: {{1, 0, 2}, {2, 2, 3}}}, mixed, one(3), 5000, 5600, 5900), 5000, 0.02, false, false, 2},
		"no label within eps, guard beyond it":   {line(map[int32][]Label{0: {{1, 0, 2}, {2, 2, 3}}}, mixed, one(3), 5000, 5600, 5900), 5000, 0.13, false, true, 2},
		"most are benign, no label within eps":   {line(map[int32][]Label{0: {{1, 0, 4}, {2, 2, 3}}}, mixed, one(3), 5000, 5600, 5900), 5000, 0.02, true, true, 2},
		"vectors not known, most are benign":     {line(map[int32][]Label{0: {{-1, 0, 4}, {-1, 2, 3}}}, mixed, one(1), 5000), 5000, 0.02, true, true, 2},
		"vectors not known, most are attacks":    {line(map[int32][]Label{0: {{-1, 0, 2}, {-1, 2, 3}}}, mixed, one(1), 5000), 5000, 0.02, false, false, 2},
		"an attack in the cluster beside it": {line(map[int32][]Label{0: {{0, 0, 2}, {2, 2, 3}}, 1: {{1, 1, 1}}}, []float64{2, 1}, []int32{0, 1, 0}, 5000, 5050, 5900),
			5000, 0.02, false, false, 2},
	} {
		t.Run(name, func(t *testing.T) {
			o := DefaultOptions()
			o.Guard, o.Nearest = c.guard, c.nearest
			it := interpreterFor(t, fake{}, o)
			require.NoError(t, it.Use(c.known, nil))
			m := Match{Cluster: 0, Score: c.known.Scores[0]}
			if it.standing != nil && it.standing[0] != undisputed {
				search, ids, values := newSearch(it.index().ids), []int32{3, 4}, []int32{c.at, scale - c.at}
				nearest, distance := search.nearest(it.index().trees[5], ids, values)
				m.Distance = float64(distance) / scale
				it.weigh(&m, search, it.index().trees[5], ids, values, nearest)
				m.Distance = 0
			}
			require.Equal(t, Match{Cluster: 0, Score: c.score, Disputed: c.disputed}, m)
		})
	}
}

func TestUseRefusesLabels(t *testing.T) {
	for want, labels := range map[string][][]Label{
		"clusters: labels of 2, but there are 1":                              {nil, nil},
		"cluster 0: label 0 is of vector 2, which is not one of the cluster":  {{{2, 1, 1}}},
		"cluster 0: label 0 is of vector -2, which is not one of the cluster": {{{-2, 1, 1}}},
		"cluster 0: label 1: score -1 is not a finite number of at least 0":   {{{-1, 1, 1}, {0, -1, 1}}},
		"cluster 0: label 0: count 0 is not at least 1":                       {{{0, 1, 0}}},
		"cluster 0: label 1 is not ordered by vector and score":               {{{0, 1, 1}, {0, 1, 1}}},
	} {
		c := line(nil, []float64{2}, []int32{0, 0}, 5000, 5100)
		c.Labels = labels
		require.EqualError(t, interpreterFor(t, fake{}, DefaultOptions()).Use(c, nil), want)
	}
	c := line(map[int32][]Label{1: {{0, 1, 1}}}, []float64{2, 2}, []int32{0, 1}, 5000, 5100)
	require.EqualError(t, interpreterFor(t, fake{}, DefaultOptions()).Use(c, nil), "cluster 1: label 0 is of vector 0, which is not one of the cluster")
	c = line(map[int32][]Label{0: {{0, 1, 1}}}, []float64{NoScore}, []int32{0}, 5000)
	require.EqualError(t, interpreterFor(t, fake{}, DefaultOptions()).Use(c, nil), "cluster 0: has labels, but no score")
}

func TestNearestOfFitAndPredict(t *testing.T) {
	s := contextbuilder.Samples{Length: 1}
	var scores []float64
	for i := range 11 {
		s.Contexts, s.Events, scores = append(s.Contexts, 3), append(s.Events, 5), append(scores, float64(min(i, 1)*(i%3)))
	}
	it := interpreterFor(t, fake{}, DefaultOptions())
	predicted, err := it.FitPredict(t.Context(), s, scores, Max, NoScore, nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, predicted[0])
	scores[1], scores[2], scores[4], scores[5], scores[7], scores[8], scores[10] = 0, 0, 0, 0, 0, 2, NoScore
	predicted, err = it.FitPredict(t.Context(), s, scores, Nearest, NoScore, nil)
	require.NoError(t, err)
	require.EqualValues(t, 2, predicted[0], "the labels nearby are not all benign")
}

// BenchmarkMatch is what a verdict costs beside the network: in a cluster whose labels agree, and in one where they do not.
func BenchmarkMatch(b *testing.B) {
	r := rand.New(rand.NewPCG(9, 9))
	v := large[0].draw(r)
	for name, attacks := range map[string]int{"agreed": 0, "contested": 4} {
		c := &Clusters{Vectors: v, VectorCluster: make([]int32, v.Len()), Events: []int32{5}, Scores: []float64{1}, Labels: make([][]Label, 1)}
		for i := range int32(v.Len()) {
			c.Labels[0] = append(c.Labels[0], Label{i, float64(min(1, (int(i)%5)*attacks)), 1})
		}
		it, err := New(fake{}, contextbuilder.DefaultQuery(), DefaultOptions())
		require.NoError(b, err)
		require.NoError(b, it.Use(c, nil))
		b.Run(name, func(b *testing.B) {
			search, t := newSearch(it.index().ids), it.index().trees[5]
			for i := 0; b.Loop(); i++ {
				ids, values := v.Row(i % v.Len())
				at, distance := search.nearest(t, ids, values)
				m := Match{Cluster: t.tags[at], Distance: float64(distance) / scale}
				if it.standing != nil && it.standing[m.Cluster] != undisputed {
					it.weigh(&m, search, t, ids, values, at)
				}
			}
		})
	}
}
