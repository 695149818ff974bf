package bundle

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

var update = flag.Bool("update", false, "write the fixtures that are missing")

var created = time.Date(2026, 11, 23, 14, 15, 0, 0, time.UTC)

const fixture = "testdata/v1"

// fixtures are versions that stay readable for ever: the first form of the format, and each one after an addition.
func fixtures(t testing.TB) map[string]*model.Model {
	return map[string]*model.Model{fixture: clustered(t), "testdata/v1-labels": labelled(t), "testdata/v1-templates": named(t),
		"testdata/v2": layered(t, 2)}
}

// network has numbers that are exact in float32 and tell from which place they come.
func network(t testing.TB, c contextbuilder.Config) *contextbuilder.Weights {
	t.Helper()
	w, err := contextbuilder.NewWeights(c)
	require.NoError(t, err)
	for k, x := range w.Tensors() {
		for i := range x.Data {
			x.Data[i] = float32(k) - float32(i)/64
		}
	}
	return w
}

// clustered is the model in testdata/v1: a network with room for one event that has no name, and three clusters, one of them scored.
func clustered(t testing.TB) *model.Model {
	p := model.DefaultParams()
	p.Length, p.Hidden, p.Training.Seed = 3, 2, math.MaxUint64
	p.Timeout = 36*time.Hour + 1500*time.Millisecond + 1
	return &model.Model{
		Params: p, Names: []string{"sshd: failed password", "sudo: <root> & \"quotes\"", "cron ✓"}, Samples: 40,
		Weights: network(t, contextbuilder.Config{Events: 5, Length: 3, Hidden: 2, Layers: 1}),
		Clusters: []model.Cluster{
			{ID: 0, Event: "sshd: failed password", Size: 20, Score: 2.5, Contexts: []model.ClusterContext{
				{Context: []string{"", "", "sshd: failed password"}, Attention: []float32{0, 0.125, 0.875}, Count: 15},
				{Context: []string{"", "cron ✓", "sshd: failed password"}, Attention: []float32{0.0625, 0.0625, 0.875}, Count: 5},
			}, Examples: []json.RawMessage{json.RawMessage(`{"b":1,"a":[12345678901234567890.10,"<&>"]}`), json.RawMessage(`"text"`)}},
			{ID: 1, Event: "sshd: failed password", Size: 5, Score: interpreter.NoScore, Contexts: []model.ClusterContext{
				{Context: []string{"cron ✓", "cron ✓", "cron ✓"}, Attention: []float32{1, 0, 0}, Count: 5}}},
			{ID: 2, Event: "cron ✓", Size: 6, Score: 0},
		},
		Vectors: &interpreter.Vectors{Offsets: []int32{0, 2, 5, 6, 8}, IDs: []int32{0, 4, 0, 2, 4, 2, 1, 4},
			Values: []int32{8750, 1250, 8750, 625, 625, 10000, 5000, 5000}},
		VectorCluster: []int32{0, 0, 1, 2},
	}
}

// labelled is the model in testdata/v1-labels: what clustered has, with labels that disagree, hourly maxima, and settings for them.
func labelled(t testing.TB) *model.Model {
	m := clustered(t)
	m.Params.Interpreter.Guard, m.Params.Interpreter.Nearest = 0.035, true
	m.Clusters[0].HourlyMax, m.Clusters[1].HourlyMax = 12, 5
	m.Clusters[0].Labels = []interpreter.Label{{Vector: -1, Score: 0, Count: 2}, {Vector: 0, Score: 0, Count: 9}, {Vector: 1, Score: 0, Count: 1}, {Vector: 1, Score: 2.5, Count: 4}}
	m.Clusters[2].Labels = []interpreter.Label{{Vector: 3, Score: 0, Count: 6}}
	return m
}

// named is the model in testdata/v1-templates: what clustered has, with events that templates named.
func named(t testing.TB) *model.Model {
	m := clustered(t)
	m.Templates = []string{"00ff00ff00ff00ff", "ab12cd34ef560789"}
	return m
}

// bare is a model before it was clustered.
func bare(t testing.TB) *model.Model {
	p := model.DefaultParams()
	p.Length, p.Hidden, p.LSTM = 1, 1, true
	return &model.Model{Params: p, Names: []string{strings.Repeat("long ", 2_000), "b\u2028\x00"}, Samples: 7,
		Weights: network(t, contextbuilder.Config{Events: 3, Length: 1, Hidden: 1, LSTM: true, Layers: 1})}
}

// layered is a model before it was clustered, with recurrent layers in both directions.
func layered(t testing.TB, layers int) *model.Model {
	p := model.DefaultParams()
	p.Length, p.Hidden, p.Layers, p.Bidirectional = 3, 2, layers, true
	return &model.Model{Params: p, Names: []string{"a", "b"}, Samples: 7, Weights: network(t, p.Network(3))}
}

func written(t testing.TB, m *model.Model) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "version")
	_, err := Write(dir, m, Lineage{}, created, nil)
	require.NoError(t, err)
	return dir
}

func TestReadGivesBackWhatWasWritten(t *testing.T) {
	empty := clustered(t)
	empty.Clusters, empty.Vectors, empty.VectorCluster = []model.Cluster{}, &interpreter.Vectors{Offsets: []int32{0}}, []int32{}
	empty.Vectors.IDs, empty.Vectors.Values = []int32{}, []int32{}
	confident := clustered(t)
	confident.Confidence = &model.Confidences{20: 7, 99: 33}
	for name, m := range map[string]*model.Model{"clustered": clustered(t), "labelled": labelled(t), "bare": bare(t), "no clusters found": empty,
		"with confidences": confident, "with templates": named(t), "with layers": layered(t, contextbuilder.MaxLayers)} {
		t.Run(name, func(t *testing.T) {
			dir := written(t, m)
			read, manifest, err := Read(dir)
			require.NoError(t, err)
			require.Equal(t, m, read)
			require.Equal(t, created, manifest.Created)
			short, err := ReadManifest(dir)
			require.NoError(t, err)
			require.Equal(t, manifest, short)
		})
	}
}

func TestCounts(t *testing.T) {
	manifest, err := ReadManifest(written(t, clustered(t)))
	require.NoError(t, err)
	require.Equal(t, Counts{Events: 5, Samples: 40, Clusters: 3, Scored: 2, Vectors: 4}, manifest.Counts)
}

// TestFixtures keeps each form of the format readable for ever, and the bytes that are written the same without anybody noticing. What an
// addition does not concern is written as before, so that programs from before it read it.
func TestFixtures(t *testing.T) {
	for fixture, model := range fixtures(t) {
		if _, err := os.Stat(fixture); *update && os.IsNotExist(err) {
			_, err := Write(fixture, model, Lineage{}, created, nil)
			require.NoError(t, err)
		}
		m, manifest, err := Read(fixture)
		require.NoError(t, err)
		require.Contains(t, fixture, fmt.Sprintf("testdata/v%d", manifest.Format))
		require.Equal(t, model, m)
		dir := written(t, m)
		for _, name := range append(manifest.names(), manifestFile) {
			want, err := os.ReadFile(filepath.Join(fixture, name))
			require.NoError(t, err)
			got, err := os.ReadFile(filepath.Join(dir, name))
			require.NoError(t, err)
			require.Equal(t, string(want), string(got), "%s of %s", name, fixture)
		}
	}
}

// TestProgramsFromBeforeLabels reads the newest form as the first program read it: by the fields that it knew, with all that it checked.
func TestProgramsFromBeforeLabels(t *testing.T) {
	dir := written(t, labelled(t))
	editManifest(t, dir, func(m map[string]any) {
		options := m["params"].(map[string]any)["interpreter"].(map[string]any)
		require.Equal(t, map[string]any{"eps": 0.1, "min_samples": 5.0, "threshold": 0.2, "guard": 0.035, "nearest": true}, options)
		delete(options, "guard")
		delete(options, "nearest")
	})
	// Fields that a program does not know are fields that are not there.
	content := regexp.MustCompile(`,"(labels":\{.*?\}|hourly_max":[0-9]+)`).ReplaceAll(load(t, dir, clustersFile), nil)
	require.Equal(t, string(load(t, fixture, clustersFile)), string(content))
	forge(t, dir, clustersFile, content)
	require.Equal(t, load(t, fixture, clusterVectorsFile), load(t, dir, clusterVectorsFile), "tensors that a program does not know are refused")
	m, _, err := Read(dir)
	require.NoError(t, err)
	want := clustered(t)
	want.Params.Training.Seed = 1 // editManifest
	require.Equal(t, want, m)
}

// TestProgramsFromBeforeTemplates: they do not know the field, and have the rest.
func TestProgramsFromBeforeTemplates(t *testing.T) {
	dir := written(t, named(t))
	editManifest(t, dir, func(m map[string]any) {
		require.Equal(t, []any{"00ff00ff00ff00ff", "ab12cd34ef560789"}, m["templates"])
		delete(m, "templates")
	})
	m, _, err := Read(dir)
	require.NoError(t, err)
	want := clustered(t)
	want.Params.Training.Seed = 1 // editManifest
	require.Equal(t, want, m)
	for _, name := range []string{weightsFile, clusterVectorsFile, clustersFile} {
		require.Equal(t, load(t, fixture, name), load(t, dir, name), "nothing else has changed")
	}
}

// TestProgramsFromBeforeLayers know format 1 only. They can read what has one layer and one direction, and say of the rest that it is newer.
func TestProgramsFromBeforeLayers(t *testing.T) {
	one := layered(t, 1)
	one.Params.Bidirectional = false
	one.Weights = network(t, one.Params.Network(3))
	dir := written(t, one)
	manifest := string(load(t, dir, manifestFile))
	require.Contains(t, manifest, `"format": 1`)
	require.NotContains(t, manifest, "layers")
	require.NotContains(t, manifest, "bidirectional")

	dir = written(t, layered(t, 2))
	require.Contains(t, string(load(t, dir, manifestFile)), `"format": 2`)
	for _, change := range []func(params map[string]any){
		func(params map[string]any) { delete(params, "layers") }, func(params map[string]any) { params["bidirectional"] = false },
		func(params map[string]any) { params["layers"] = 3 },
	} {
		dir := written(t, layered(t, 2))
		editManifest(t, dir, func(m map[string]any) { change(m["params"].(map[string]any)) })
		_, _, err := Read(dir)
		require.Error(t, err, "settings that do not fit the tensors")
	}
	editManifest(t, dir, func(m map[string]any) { m["format"] = 1 })
	_, _, err := Read(dir)
	require.ErrorContains(t, err, "params: layers 2, bidirectional true need format 2, this is 1")
}

func TestProgressIsNotKept(t *testing.T) {
	m := bare(t)
	m.Params.Training.Progress = func(contextbuilder.Progress) {}
	m.Params.Query.Distribution = true
	read, _, err := Read(written(t, m))
	require.NoError(t, err)
	require.Equal(t, bare(t), read)
}

func TestWriteRefusesWhatNobodyCouldRead(t *testing.T) {
	for want, spoil := range map[string]func(m *model.Model){
		"weights: missing":                                            func(m *model.Model) { m.Weights = nil },
		`names: "\xff" is not valid UTF-8`:                            func(m *model.Model) { m.Names[1] = "\xff" },
		`names: "cron ✓" occurs twice`:                                func(m *model.Model) { m.Names[1] = "cron ✓" },
		`tensor "decoder_event.out.bias": number 4 is NaN`:            func(m *model.Model) { m.Weights.Out.Bias[4] = float32(math.NaN()) },
		"needs 169 numbers, there are 168":                            func(m *model.Model) { m.Weights.Embedding = m.Weights.Embedding[1:] },
		"cluster 1: score NaN":                                        func(m *model.Model) { m.Clusters[1].Score = math.NaN() },
		"cluster 1: score -0.5":                                       func(m *model.Model) { m.Clusters[1].Score = -0.5 },
		"cluster 1: has id 7":                                         func(m *model.Model) { m.Clusters[1].ID = 7 },
		"cluster 2: size -1 is below 0":                               func(m *model.Model) { m.Clusters[2].Size = -1 },
		`cluster 0: event "x" of a context is not in the vocabulary`:  func(m *model.Model) { m.Clusters[0].Contexts[0].Context[0] = "x" },
		"cluster 0: a context has 3 events and 2 shares of attention": func(m *model.Model) { m.Clusters[0].Contexts[1].Attention = []float32{1, 0} },
		"cluster 1: a context has count 0, need at least 1":           func(m *model.Model) { m.Clusters[1].Contexts[0].Count = 0 },
		"vector 3: cluster 3 is not one of 3":                         func(m *model.Model) { m.VectorCluster[3] = 3 },
		"vector 0: id 5 at 1":                                         func(m *model.Model) { m.Vectors.IDs[1] = 5 },
		"epochs: 0 is not at least 1":                                 func(m *model.Model) { m.Params.Training.Epochs = 0 },
		"LSTM false, layers 1, bidirectional false, but the settings say events 5, length 4,": func(m *model.Model) { m.Params.Length = 4 },
		"clusters.json: cluster 0: json: error calling MarshalJSON":                           func(m *model.Model) { m.Clusters[0].Examples[0] = json.RawMessage("{") },
		"clusters.json: cluster 1: json: unsupported value: +Inf":                             func(m *model.Model) { m.Clusters[1].Contexts[0].Attention[0] = float32(math.Inf(1)) },
		`templates: "ABC", need 16 hexadecimal digits in lower case`:                          func(m *model.Model) { m.Templates = []string{"ABC"} },
		"templates: 65 sets, at most 64":                                                      func(m *model.Model) { m.Templates = make([]string, 65) },
		"samples: -1 is below 0":                                                              func(m *model.Model) { m.Samples = -1 },
		"guard: NaN is not a finite number":                                                   func(m *model.Model) { m.Params.Interpreter.Guard = math.NaN() },
		"cluster 0: hourly max 21 is not in 0 to 20, its size":                                func(m *model.Model) { m.Clusters[0].HourlyMax = 21 },
		"cluster 1: hourly max -1 is not in 0 to 5":                                           func(m *model.Model) { m.Clusters[1].HourlyMax = -1 },
		"cluster 0: more labels than its 20 samples":                                          func(m *model.Model) { m.Clusters[0].Labels[3].Count = 9 },
		"cluster 2: label 0 is of vector 2, which is not one of":                              func(m *model.Model) { m.Clusters[2].Labels[0].Vector = 2 },
		"cluster 0: label 3: score +Inf is not a finite number":                               func(m *model.Model) { m.Clusters[0].Labels[3].Score = math.Inf(1) },
		"cluster 2: has labels, but no score":                                                 func(m *model.Model) { m.Clusters[2].Score = interpreter.NoScore },
	} {
		m := labelled(t)
		spoil(m)
		_, err := Write(filepath.Join(t.TempDir(), "version"), m, Lineage{}, created, nil)
		require.ErrorContains(t, err, want)
	}
	_, err := Write(filepath.Join(t.TempDir(), "version"), nil, Lineage{}, created, nil)
	require.ErrorContains(t, err, "no model")
	_, err = Write(t.TempDir(), bare(t), Lineage{}, created, nil)
	require.ErrorIs(t, err, os.ErrExist)
}
