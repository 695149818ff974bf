package interpreter

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

// fake is a network whose answers a test can foretell: events of a context get attention in proportion to 1 + their position's share,
// and the confidence in event y is 0.1·y.
type fake struct {
	contextbuilder.Network
	asked *int // samples, where not nil
	most  *int // samples in one call
	err   error
}

func (f fake) Query(_ context.Context, s contextbuilder.Samples, _ contextbuilder.Query) (contextbuilder.QueryResult, error) {
	if f.asked != nil {
		*f.asked += s.Rows()
	}
	if f.most != nil {
		*f.most = max(*f.most, s.Rows())
	}
	var a contextbuilder.QueryResult
	for row := range s.Rows() {
		a.Confidence = append(a.Confidence, float32(s.Events[row])/10)
		total := float32(s.Length * (s.Length + 1) / 2)
		for i := range s.Length {
			a.Attention = append(a.Attention, float32(i+1)/total)
		}
	}
	return a, f.err
}

func interpreterFor(t *testing.T, f fake, o Options) *Interpreter {
	t.Helper()
	it, err := New(f, contextbuilder.DefaultQuery(), o)
	require.NoError(t, err)
	return it
}

// samples draws contexts around a few patterns, of events 0…8.
func samples(r *rand.Rand, n int) contextbuilder.Samples {
	s := contextbuilder.Samples{Length: 10}
	for range n {
		pattern := r.IntN(6)
		for i := range s.Length {
			id := int32((pattern*7 + i/3) % 12)
			if r.IntN(12) == 0 {
				id = int32(r.IntN(12))
			}
			s.Contexts = append(s.Contexts, id)
		}
		s.Events = append(s.Events, int32(r.IntN(9)))
	}
	return s
}

func TestDistinct(t *testing.T) {
	s := samples(rand.New(rand.NewPCG(1, 1)), 5_000)
	g := Distinct(s)
	place, count := map[string]int32{}, []int32(nil)
	for row := range s.Rows() {
		key := fmt.Sprint(s.Context(row), s.Events[row])
		at, seen := place[key]
		if !seen {
			at = int32(len(count))
			place[key] = at
			count = append(count, 0)
			require.EqualValues(t, row, g.First[at])
		}
		count[at]++
		require.Equal(t, at, g.Of[row])
	}
	require.Equal(t, count, g.Count)
	require.Less(t, len(count), 4_500, "nothing repeats: the test is worth nothing")
	several := contextbuilder.Samples{Length: 1, Contexts: []int32{1, 1, 1}, Events: []int32{3, 4, 3, 5, 4, 4}}
	require.Equal(t, []int32{0, 0, 1}, Distinct(several).Of)
	require.Equal(t, []int32{3, 4}, Pick(several, []int32{0, 2}).Events)
	require.Empty(t, Distinct(contextbuilder.Samples{Length: 4}).Of)
}

// Whatever was clustered comes back with its own cluster, and the rest is answered as all pairs say.
func TestPredictAnswersWhatWasClustered(t *testing.T) {
	ctx, r := t.Context(), rand.New(rand.NewPCG(2, 2))
	s := samples(r, 4_000)
	asked := 0
	it := interpreterFor(t, fake{asked: &asked}, Options{Eps: 0.2, MinSamples: 5, Threshold: 0.2})
	done := 0
	c, err := it.Cluster(ctx, s, func(d, total int) { done = d; require.Equal(t, len(Distinct(s).First), total) })
	require.NoError(t, err)
	require.Equal(t, len(c.First), asked, "equal samples are asked once")
	require.Equal(t, asked, done)
	rows := c.Rows()
	require.NoError(t, c.Vectors.Validate(12))
	require.Greater(t, len(c.Events), 20)
	require.True(t, slices.IsSorted(c.Events))
	for row, cluster := range rows {
		if s.Events[row] < 2 {
			require.EqualValues(t, NotConfident, cluster)
		}
		if cluster >= 0 {
			require.Equal(t, s.Events[row], c.Events[cluster])
		}
	}
	matches, err := it.matchAll(ctx, s, nil)
	require.NoError(t, err)
	for row, cluster := range rows {
		if cluster >= 0 {
			require.Equal(t, cluster, matches[row].Cluster)
			require.Zero(t, matches[row].Distance)
		}
	}

	fresh := samples(r, 500)
	matches, err = it.matchAll(ctx, fresh, nil)
	require.NoError(t, err)
	vectors, confident, err := it.AttendedContext(ctx, fresh, nil)
	require.NoError(t, err)
	codes, at := map[int32]int{}, 0
	for row, m := range matches {
		require.Equal(t, fresh.Events[row] >= 2, confident[row])
		want, least := int32(NotConfident), int64(math.MaxInt64)
		if confident[row] {
			want = NoCluster
			for i, cluster := range c.VectorCluster {
				if d := distanceOf(vectors, at, c.Vectors, i); c.Events[cluster] == fresh.Events[row] && d < least {
					least, want = d, cluster
				}
			}
			require.Equal(t, float64(least)/scale, m.Distance)
			if least > 2000 {
				want = NoCluster
			}
			at++
		}
		codes[min(want, 0)]++
		require.Equal(t, want, m.Cluster)
	}
	require.Equal(t, vectors.Len(), at)
	require.Len(t, codes, 3, "not every kind of answer was there: %v", codes)
}

func TestClusterNumbersDoNotDependOnTheOrderOfSamples(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	s := samples(r, 3_000)
	order := r.Perm(s.Rows())
	shuffled := contextbuilder.Samples{Length: s.Length}
	for _, row := range order {
		shuffled.Contexts = append(shuffled.Contexts, s.Context(row)...)
		shuffled.Events = append(shuffled.Events, s.Events[row])
	}
	it := interpreterFor(t, fake{}, DefaultOptions())
	c, err := it.Cluster(t.Context(), s, nil)
	require.NoError(t, err)
	d, err := it.Cluster(t.Context(), shuffled, nil)
	require.NoError(t, err)
	require.Equal(t, c.Clusters, d.Clusters)
	rows, other := c.Rows(), d.Rows()
	for i, row := range order {
		require.Equal(t, rows[row], other[i])
	}
}

func TestFitPredict(t *testing.T) {
	ctx := t.Context()
	s := samples(rand.New(rand.NewPCG(4, 4)), 2_000)
	scores := make([]float64, s.Rows())
	for i := range scores {
		scores[i] = float64(i % 7)
	}
	it := interpreterFor(t, fake{}, DefaultOptions())
	predicted, err := it.FitPredict(ctx, s, scores, Max, NoScore, nil)
	require.NoError(t, err)
	c, err := it.Fit(ctx, s, scores, Max, NoScore, nil)
	require.NoError(t, err)
	want, err := ScoreClusters(c.Rows(), scores, Max, NoScore)
	require.NoError(t, err)
	for row, cluster := range c.Rows() {
		if cluster >= 0 {
			require.Equal(t, want[row], predicted[row])
		} else {
			require.Less(t, predicted[row], 7.0)
		}
	}
	require.ErrorContains(t, it.Score(c, scores), "ScoreClusters makes them equal")
	_, err = it.Fit(ctx, s, scores[1:], Max, NoScore, nil)
	require.EqualError(t, err, "1999 scores for 2000 samples")
	_, err = it.Fit(ctx, s, scores, "most", NoScore, nil)
	require.Error(t, err)
}

func TestAttentionQuery(t *testing.T) {
	s := contextbuilder.Samples{Length: 2, Contexts: []int32{1, 2, 3, 4, 1, 2}, Events: []int32{5, 1, 5}}
	confidence, attention, err := interpreterFor(t, fake{}, DefaultOptions()).AttentionQuery(t.Context(), s, nil)
	require.NoError(t, err)
	require.Equal(t, []float32{0.5, 0.1, 0.5}, confidence)
	require.Equal(t, []float32{1. / 3, 2. / 3, 1. / 3, 2. / 3, 1. / 3, 2. / 3}, attention)
}

func TestOrderOfCodes(t *testing.T) {
	it := interpreterFor(t, fake{}, DefaultOptions())
	// one event a context, so vectors are unit vectors; event 5 has two clusters at the same place, event 6 none
	require.NoError(t, it.Use(&Clusters{
		Vectors:       &Vectors{Offsets: []int32{0, 1, 3, 5}, IDs: []int32{3, 3, 4, 3, 4}, Values: []int32{scale, 9_600, 400, 9_600, 400}},
		VectorCluster: []int32{2, 1, 0}, Events: []int32{5, 5, 5}, Scores: []float64{7, NoScore, 9}}, nil))
	s := contextbuilder.Samples{Length: 1, Contexts: []int32{3, 4, 3, 3}, Events: []int32{5, 5, 1, 6}}
	predicted, err := it.Predict(t.Context(), s, nil)
	require.NoError(t, err)
	require.Equal(t, []float64{9, NoCluster, NotConfident, UnknownEvent}, predicted, "event 1 is neither known nor confident: the latter says it")
	// 1,000 units from the nearest of event 5 are within eps of 0.1, 1,002 are not; all attention of a context of 1 is on its event
	for mass, want := range map[int32]float64{scale - 500: 9, scale - 501: NoCluster} {
		require.NoError(t, it.Use(&Clusters{Vectors: &Vectors{Offsets: []int32{0, 2}, IDs: []int32{3, 4}, Values: []int32{mass, scale - mass}},
			VectorCluster: []int32{0}, Events: []int32{5}, Scores: []float64{9}}, nil))
		predicted, err := it.Predict(t.Context(), contextbuilder.Samples{Length: 1, Contexts: []int32{3}, Events: []int32{5}}, nil)
		require.NoError(t, err)
		require.Equal(t, []float64{want}, predicted)
	}
}

func TestLowestClusterNumberOfEquallyNearOnes(t *testing.T) {
	it := interpreterFor(t, fake{}, DefaultOptions())
	require.NoError(t, it.Use(&Clusters{
		Vectors:       &Vectors{Offsets: []int32{0, 2, 4}, IDs: []int32{3, 4, 3, 4}, Values: []int32{9_600, 400, 9_600, 400}},
		VectorCluster: []int32{1, 0}, Events: []int32{5, 5}, Scores: []float64{7, 9}}, nil))
	tree := it.index().trees[5]
	at, distance := newSearch(it.index().ids).nearest(tree, []int32{3, 4}, []int32{9_600, 400})
	require.Zero(t, distance)
	require.EqualValues(t, 0, tree.tags[at])
}

// Memory for a network's work does not grow with the samples.
func TestAsksInChunks(t *testing.T) {
	s := contextbuilder.Samples{Length: 3}
	for i := range int32(40_000) {
		s.Contexts, s.Events = append(s.Contexts, i%40, i/40%40, i/1600), append(s.Events, 5)
	}
	asked, most, steps := 0, 0, []int(nil)
	it := interpreterFor(t, fake{asked: &asked, most: &most}, DefaultOptions())
	matches, err := it.matchAll(t.Context(), s, func(done, _ int) { steps = append(steps, done) })
	require.NoError(t, err)
	require.Len(t, matches, 40_000)
	require.Equal(t, 40_000, asked)
	require.Equal(t, chunk, most)
	require.Equal(t, []int{chunk, 2 * chunk, 40_000}, steps)
	vectors, _, err := it.AttendedContext(t.Context(), s, nil)
	require.NoError(t, err)
	ids, _ := vectors.Row(39_999)
	require.Equal(t, []int32{24, 39}, ids)
}

func TestEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	it := interpreterFor(t, fake{}, DefaultOptions())
	s := samples(rand.New(rand.NewPCG(5, 5)), 10)
	_, err := it.Cluster(ctx, s, nil)
	require.ErrorIs(t, err, context.Canceled)
	_, err = it.matchAll(ctx, s, nil)
	require.ErrorIs(t, err, context.Canceled)
	broken := errors.New("broken")
	_, err = interpreterFor(t, fake{err: broken}, DefaultOptions()).Cluster(t.Context(), s, nil)
	require.ErrorIs(t, err, broken)
}

func TestNothingToCluster(t *testing.T) {
	it := interpreterFor(t, fake{}, DefaultOptions())
	c, err := it.Cluster(t.Context(), contextbuilder.Samples{Length: 10}, nil)
	require.NoError(t, err)
	require.Empty(t, c.Rows())
	_, err = it.Cluster(t.Context(), contextbuilder.Samples{Length: 10, Contexts: make([]int32, 20), Events: []int32{1}}, nil)
	require.EqualError(t, err, "samples: 1 events for 2 contexts")
	_, err = it.matchAll(t.Context(), contextbuilder.Samples{Length: 3, Contexts: make([]int32, 20)}, nil)
	require.EqualError(t, err, "samples: 20 ids do not make contexts of length 3")
}

func TestOptions(t *testing.T) {
	require.NoError(t, DefaultOptions().Validate())
	err := Options{Eps: math.NaN(), MinSamples: 0, Threshold: 1.5, Guard: -1}.Validate()
	require.EqualError(t, err, "eps: NaN is not a finite number of at least 0\nguard: -1 is not a finite number of at least 0\nmin samples: 0 is not at least 1\nthreshold: 1.5 is not in [0, 1]")
	_, err = New(fake{}, contextbuilder.DefaultQuery(), Options{})
	require.Error(t, err)
	for eps, want := range map[float64]int64{0: 0, 0.1: 1000, 0.3: 3000, 0.7: 7000, 1.1: 11000, 0.00019: 1, 0.29: 2900, 0.0113: 113, 0.0003: 3, 2: 20000, 1e300: math.MaxInt32} {
		require.Equal(t, want, units(eps), "%v", eps)
	}
}

func TestUseRefusesWhatDoesNotFit(t *testing.T) {
	it := interpreterFor(t, fake{}, DefaultOptions())
	one := &Vectors{Offsets: []int32{0, 1}, IDs: []int32{1}, Values: []int32{5}}
	require.EqualError(t, it.Use(&Clusters{Vectors: one}, nil), "clusters: 1 vectors, but 0 cluster numbers")
	require.EqualError(t, it.Use(&Clusters{Vectors: one, VectorCluster: []int32{0}, Events: []int32{3}}, nil), "clusters: 0 scores for 1 clusters")
	require.EqualError(t, it.Use(&Clusters{Vectors: one, VectorCluster: []int32{1}, Events: []int32{3}, Scores: []float64{1}}, nil),
		"vector 0: cluster 1 is not one of 1")
}
