package model

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

// scripted is an engine whose answers a test can foretell: all positions of a context get the same attention, and the confidence in an
// event is what confidence says, or 1. It keeps what it was asked.
type scripted struct {
	confidence map[int32]float32
	trained    contextbuilder.Samples
	asked      []contextbuilder.Samples
	trainErr   error
	queryErr   error
	opened     int
	lock       sync.Mutex
}

func (e *scripted) Name() string { return "scripted" }

func (e *scripted) Open(*contextbuilder.Weights) (contextbuilder.Network, error) {
	e.opened++
	return scriptedNetwork{engine: e}, nil
}

func (e *scripted) Train(_ context.Context, w *contextbuilder.Weights, s contextbuilder.Samples, _ contextbuilder.Training) error {
	e.trained = s
	w.Attention.Bias[0] = 42
	return e.trainErr
}

type scriptedNetwork struct {
	contextbuilder.Network
	engine *scripted
}

func (n scriptedNetwork) Query(_ context.Context, s contextbuilder.Samples, _ contextbuilder.Query) (contextbuilder.QueryResult, error) {
	n.engine.lock.Lock()
	defer n.engine.lock.Unlock()
	n.engine.asked = append(n.engine.asked, s)
	var a contextbuilder.QueryResult
	for row := range s.Rows() {
		confidence, there := n.engine.confidence[s.Events[row]]
		if !there {
			confidence = 1
		}
		a.Confidence = append(a.Confidence, confidence)
		a.Attention = append(a.Attention, slices.Repeat([]float32{1 / float32(s.Length)}, s.Length)...)
	}
	return a, n.engine.queryErr
}

func (n scriptedNetwork) Close() error {
	n.engine.opened--
	return nil
}

// data makes Data out of lines "context names > event", "-" for NO_EVENT, each so many times.
func data(names []string, lines ...string) Data {
	d := Data{Names: names}
	id := func(name string) int32 {
		if name == "-" {
			return int32(len(names))
		}
		return int32(slices.Index(names, name))
	}
	for _, line := range lines {
		words := strings.Fields(line)
		d.Samples.Length = len(words) - 2
		for _, word := range words[:len(words)-2] {
			d.Samples.Contexts = append(d.Samples.Contexts, id(word))
		}
		d.Samples.Events = append(d.Samples.Events, id(words[len(words)-1]))
	}
	return d
}

func params(length int) Params {
	p := DefaultParams()
	p.Length, p.Hidden = length, 4
	return p
}

var abc = []string{"a", "b", "c"}

// learnt is a model over a, b and c with two clusters: b after a a and c after b b.
func learnt(t *testing.T, e contextbuilder.Engine) *Model {
	t.Helper()
	lines := slices.Concat(slices.Repeat([]string{"a a > b"}, 6), slices.Repeat([]string{"b b > c"}, 5), []string{"- - > a"})
	d := data(abc, lines...)
	m, err := Train(t.Context(), e, d, params(2))
	require.NoError(t, err)
	m, rows, err := m.Cluster(t.Context(), e, d, "")
	require.NoError(t, err)
	require.Equal(t, []int32{0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, -1}, rows.Clusters)
	return m
}

func TestParams(t *testing.T) {
	require.NoError(t, DefaultParams().Validate())
	err := Params{}.Validate()
	for _, name := range []string{"length: 0", "hidden: 0", "epochs: 0", "batch size: 0", "query batch size: 0", "min samples: 0"} {
		require.ErrorContains(t, err, name)
	}
	p := DefaultParams()
	p.Timeout = -1
	require.EqualError(t, p.Validate(), "timeout: -1ns is below 0")
}

func TestTrainSortsTheVocabulary(t *testing.T) {
	e := &scripted{}
	p := params(3)
	p.Training.Progress = func(contextbuilder.Progress) {}
	m, err := Train(t.Context(), e, data([]string{"ssh", "apt", "cron", "ssh"}, "- ssh apt > cron", "ssh apt cron > ssh"), p)
	require.NoError(t, err)
	require.Equal(t, []string{"apt", "cron", "ssh"}, m.Names)
	require.Equal(t, contextbuilder.Samples{Length: 3, Contexts: []int32{3, 2, 0, 2, 0, 1}, Events: []int32{1, 2}}, e.trained)
	require.Equal(t, contextbuilder.Config{Events: 4, Length: 3, Hidden: 4, Layers: 1}, m.Weights.Config)
	require.EqualValues(t, 42, m.Weights.Attention.Bias[0])
	require.Equal(t, 2, m.Samples)
	require.Nil(t, m.Clusters)
	require.Nil(t, m.Params.Training.Progress)
	require.NoError(t, m.Validate())
}

func TestTrainRefuses(t *testing.T) {
	outside := data(abc, "a b > c")
	outside.Samples.Contexts[1] = 4
	negative := data(abc, "a b > c", "a b > c")
	negative.Samples.Events[1] = -2
	uneven := data(abc, "a b > c", "a b > c")
	uneven.Samples.Events = uneven.Samples.Events[:1]
	for _, c := range []struct {
		want string
		d    Data
	}{
		{"no samples", Data{}},
		{`training needs at least 2 distinct events, there is 1: ["a"]`, data([]string{"a"}, "a a > a")},
		{`training needs at least 2 distinct events, there is 1: ["a"]`, data([]string{"a", "a"}, "a a > a")},
		{"names: name 0 is empty, which stands for NO_EVENT", data([]string{"a", "b", ""}, "a a > b")},
		{"samples have contexts of length 3, the model of length 2", data(abc, "a a a > b")},
		{"sample 1: NO_EVENT is not an event to learn", data(abc, "a a > b", "a b > -")},
		{"sample 0: context event 4 is not one of 4", outside},
		{"sample 1: event -2 is not one of 4", negative},
		{"samples: 4 context ids and 1 events do not fit contexts of length 2", uneven},
	} {
		m, err := Train(t.Context(), &scripted{}, c.d, params(2))
		require.EqualError(t, err, c.want)
		require.Nil(t, m)
	}
	_, err := Train(t.Context(), &scripted{}, data(abc, "a a > b"), Params{})
	require.ErrorContains(t, err, "length: 0 is not at least 1")
	broken := errors.New("broken")
	_, err = Train(t.Context(), &scripted{trainErr: broken}, data(abc, "a a > b"), params(2))
	require.ErrorIs(t, err, broken)
}

func TestTrainKeepsWhatWasLearntWhenItsContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	m, err := Train(ctx, &scripted{trainErr: context.Canceled}, data(abc, "a a > b"), params(2))
	require.ErrorIs(t, err, context.Canceled)
	require.EqualValues(t, 42, m.Weights.Attention.Bias[0])
}

func TestClusterDescribesClusters(t *testing.T) {
	e := &scripted{}
	m := learnt(t, e)
	require.Zero(t, e.opened, "a network was left open")
	require.Equal(t, []Cluster{
		{ID: 0, Event: "b", Size: 6, Score: interpreter.NoScore, ContextCount: 1,
			Contexts: []ClusterContext{{[]string{"a", "a"}, []float32{0.5, 0.5}, 6}}},
		{ID: 1, Event: "c", Size: 5, Score: interpreter.NoScore, ContextCount: 1,
			Contexts: []ClusterContext{{[]string{"b", "b"}, []float32{0.5, 0.5}, 5}}},
	}, m.Clusters)
	require.Equal(t, &interpreter.Vectors{Offsets: []int32{0, 1, 2}, IDs: []int32{0, 1}, Values: []int32{10_000, 10_000}}, m.Vectors)
	require.Equal(t, []int32{0, 1}, m.VectorCluster)
	require.NoError(t, m.Validate())
}

func TestClusterCapsContextsAndExamples(t *testing.T) {
	// every order of three a, one b and one NO_EVENT has the same vector
	var lines []string
	var counts []int
	for i := range 5 {
		for j := range 5 {
			if i == j {
				continue
			}
			words := []string{"a", "a", "a", "a", "a"}
			words[i], words[j] = "b", "-"
			counts = append(counts, 1+len(counts)*7%13)
			lines = append(lines, slices.Repeat([]string{strings.Join(words, " ") + " > c"}, counts[len(counts)-1])...)
		}
	}
	d := data(abc, lines...)
	asked := 0
	var source Source
	source.Document = func(row int) json.RawMessage {
		asked++
		if row == 1 {
			return nil
		}
		return json.RawMessage(fmt.Sprint(row))
	}
	e := &scripted{}
	m, err := Train(t.Context(), e, d, params(5))
	require.NoError(t, err)
	clustered, rows, err := m.Cluster(t.Context(), e, d, "")
	require.NoError(t, err)
	require.Equal(t, make([]int32, len(lines)), rows.Clusters)
	require.Nil(t, m.Clusters, "the model itself stays as it is")
	c := clustered.WithExamples(rows, source).Clusters[0]
	require.Nil(t, clustered.Clusters[0].Examples, "the model itself stays as it is")
	require.Equal(t, len(lines), c.Size)
	slices.Sort(counts)
	slices.Reverse(counts)
	require.Len(t, c.Contexts, maxContexts)
	for i, context := range c.Contexts {
		require.Equal(t, counts[i], context.Count)
	}
	require.Len(t, c.Examples, MaxExamples)
	require.Equal(t, "0", string(c.Examples[0]))
	require.Equal(t, fmt.Sprint(len(lines)-1), string(c.Examples[MaxExamples-1]))
	require.LessOrEqual(t, asked, MaxExamples+1, "documents may be costly")
	require.Equal(t, len(counts), c.ContextCount)
}

func TestClusterOfDataWithOtherNames(t *testing.T) {
	e := &scripted{}
	m := learnt(t, e)
	e.asked = nil
	// x is unknown; ids are others than the model's
	d := data([]string{"x", "c", "b", "a"}, slices.Concat(slices.Repeat([]string{"b b > c"}, 5), slices.Repeat([]string{"x - > b"}, 5),
		[]string{"a a > x", "a a > -"})...)
	progress := 0
	d.Progress = func(done, total int) { progress = done; require.Equal(t, 2, total) }
	m, rows, err := m.Cluster(t.Context(), e, d, "")
	require.NoError(t, err)
	require.Equal(t, []int32{1, 1, 1, 1, 1, 0, 0, 0, 0, 0, -1, -1}, rows.Clusters)
	require.Equal(t, []contextbuilder.Samples{{Length: 2, Contexts: []int32{1, 1, 3, 3}, Events: []int32{2, 1}}}, e.asked)
	require.Equal(t, 2, progress)
	require.Equal(t, []string{"", ""}, m.Clusters[0].Contexts[0].Context)
	require.Equal(t, 12, m.Samples)
}

func TestClusterScores(t *testing.T) {
	e := &scripted{}
	m := learnt(t, e)
	d := data(abc, slices.Concat(slices.Repeat([]string{"a a > b"}, 5), slices.Repeat([]string{"b b > c"}, 5), []string{"- - > a"})...)
	d.Scores = []float64{-1, 0, 3, 1, -1, -1, -1, -1, -1, -1, 9}
	for s, want := range map[interpreter.Strategy]float64{interpreter.Max: 3, interpreter.Min: 0, interpreter.Avg: 4. / 3} {
		scored, _, err := m.Cluster(t.Context(), e, d, s)
		require.NoError(t, err)
		require.Equal(t, want, scored.Clusters[0].Score)
		require.EqualValues(t, interpreter.NoScore, scored.Clusters[1].Score)
	}
	_, _, err := m.Cluster(t.Context(), e, d, "median")
	require.EqualError(t, err, `strategy: "median" is not one of max, min, avg, nearest`)
	d.Scores[3] = math.NaN()
	_, _, err = m.Cluster(t.Context(), e, d, interpreter.Max)
	require.EqualError(t, err, "sample 3: score NaN is neither -1 for none nor a finite number of at least 0")
	d.Scores = d.Scores[1:]
	_, _, err = m.Cluster(t.Context(), e, d, interpreter.Max)
	require.EqualError(t, err, "10 scores for 11 samples")
	broken := errors.New("broken")
	_, _, err = m.Cluster(t.Context(), &scripted{queryErr: broken}, data(abc, "a a > b"), "")
	require.ErrorIs(t, err, broken)
}

func TestWithScores(t *testing.T) {
	m := learnt(t, &scripted{})
	scored, err := m.WithScores(map[int]float64{1: 2.5})
	require.NoError(t, err)
	require.Equal(t, 2.5, scored.Clusters[1].Score)
	require.EqualValues(t, interpreter.NoScore, m.Clusters[1].Score, "the model itself stays as it is")
	scored, err = scored.WithScores(map[int]float64{1: interpreter.NoScore, 0: 0})
	require.NoError(t, err)
	require.EqualValues(t, interpreter.NoScore, scored.Clusters[1].Score)
	require.Zero(t, scored.Clusters[0].Score)
	for want, scores := range map[string]map[int]float64{
		"cluster 2: the model has 2 clusters, numbered from 0":                           {2: 1, 0: 1},
		"cluster -1: the model has 2 clusters, numbered from 0":                          {-1: 1},
		"cluster 1: score -2 is neither -1 for none nor a finite number of at least 0":   {1: -2},
		"cluster 0: score +Inf is neither -1 for none nor a finite number of at least 0": {0: math.Inf(1)},
		"cluster 0: score -0.5 is neither -1 for none nor a finite number of at least 0": {0: -0.5},
	} {
		_, err := m.WithScores(scores)
		require.EqualError(t, err, want)
	}
}

func TestWithNetwork(t *testing.T) {
	w, err := contextbuilder.Init(contextbuilder.Config{Events: 5, Length: 2, Hidden: 3, Layers: 1}, 1)
	require.NoError(t, err)
	for _, names := range [][]string{{"22", "5", "7", "9"}, {"5", "22", "7"}} {
		m, err := FromNetwork(names, w, DefaultParams())
		require.NoError(t, err)
		require.Equal(t, names, m.Names, "ids are the network's own")
		require.Equal(t, 2, m.Params.Length)
	}
	for want, names := range map[string][]string{
		"names: 6 with NO_EVENT do not fit a network of 5 events": {"a", "b", "c", "d", "e"},
		`names: "b" occurs twice`:                                 {"a", "b", "b", "c"},
		"names: name 1 is empty, which stands for NO_EVENT":       {"a", ""},
	} {
		_, err := FromNetwork(names, w, DefaultParams())
		require.EqualError(t, err, want)
	}
	_, err = FromNetwork(abc, nil, DefaultParams())
	require.EqualError(t, err, "weights: missing")
}

func TestValidateModel(t *testing.T) {
	for want, spoil := range map[string]func(m *Model){
		`cluster 1: event "d" is not in the vocabulary`:                                func(m *Model) { m.Clusters[1].Event = "d" },
		"cluster 1: has id 0, need 1":                                                  func(m *Model) { m.Clusters[1].ID = 0 },
		"cluster 0: score -3 is neither -1 for none nor a finite number of at least 0": func(m *Model) { m.Clusters[0].Score = -3 },
		"clusters: 2 vectors, but 1 cluster numbers":                                   func(m *Model) { m.VectorCluster = m.VectorCluster[:1] },
		"vector 1: cluster 7 is not one of 2":                                          func(m *Model) { m.VectorCluster[1] = 7 },
		"vector 0: id 9 at 0, need ascending ids below 4":                              func(m *Model) { m.Vectors.IDs[0] = 9 },
		"length: 0 is not at least 1":                                                  func(m *Model) { m.Params.Length = 0 },
		"network has events 4, length 2, hidden 4, LSTM false, layers 1, bidirectional false, but the settings say events 4, length 3, hidden 4, LSTM false, layers 1, bidirectional false": func(m *Model) { m.Params.Length = 3 },
		"names: 5 with NO_EVENT do not fit a network of 4 events": func(m *Model) { m.Names = []string{"a", "b", "c", "d"} },
	} {
		m := learnt(t, &scripted{})
		spoil(m)
		require.EqualError(t, m.Validate(), want)
		_, err := NewPredictor(m, &scripted{})
		require.EqualError(t, err, want)
	}
}
