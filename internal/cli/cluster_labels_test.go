package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
)

func TestClustersFileComesBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clusters.csv")
	require.NoError(t, saveClusters(t.Context(), path, []int32{0, -1, 1}, []float64{0, -1, 2.5}))
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "clusters,labels\n0,0\n-1,-1\n1,2.5\n", string(text))
	l, err := loadClusters(path)
	require.NoError(t, err)
	assert.Equal(t, clusterLabels{path: path, clusters: []int32{0, -1, 1}, labels: []float64{0, -1, 2.5}, perEvent: true}, l)

	require.NoError(t, saveClusters(t.Context(), path, []int32{0}, nil))
	text, err = os.ReadFile(path)
	require.NoError(t, err)
	assert.Equal(t, "clusters,labels\n0,-1\n", string(text))
}

func TestClustersFileOfASpreadsheet(t *testing.T) {
	l, err := readClusters(strings.NewReader("\ufefflabels,comment,clusters\r\n1.0,\"x, y\",3.0\r\n,,-1\r\n"))
	require.NoError(t, err)
	assert.Equal(t, clusterLabels{clusters: []int32{3, -1}, labels: []float64{1, interpreter.NoScore}, perEvent: true, ignored: []string{`"comment"`}}, l)
	l, err = readClusters(strings.NewReader("clusters,labels\n3,TRUE\n3, FALSE\n"))
	require.NoError(t, err)
	assert.Equal(t, clusterLabels{clusters: []int32{3, 3}, labels: []float64{1, 0}, perEvent: true}, l)
	l, err = readClusters(strings.NewReader("cluster;score;model\n3;1,5;v1\n4;;v1\n"))
	require.NoError(t, err)
	assert.Equal(t, clusterLabels{clusters: []int32{3, 4}, labels: []float64{1.5, interpreter.NoScore}, version: "v1"}, l)
}

func TestBadClustersFiles(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "the file is empty, need a header",
		"a,b\n":                               "columns are a,b, need clusters,labels (one row per event) or cluster,score (one row per cluster)",
		"clusters\n1\n":                       "columns are clusters, need clusters,labels",
		"clusters,labels\n1.5,0\n":            `line 2: clusters: "1.5" is not the number of a cluster, or -1 for none`,
		"clusters,labels\n-2,0\n":             `line 2: clusters: "-2"`,
		"clusters,labels\n1e99,0\n":           `line 2: clusters: "1e99"`,
		"clusters,labels\nNaN,0\n":            `line 2: clusters: "NaN"`,
		"clusters,labels\n1,0\n1,-3\n":        `line 3: labels: "-3" is not a label of at least 0, or -1 for none`,
		"clusters,labels\n1,Inf\n":            `line 2: labels: "Inf"`,
		"clusters,labels\n1,1e16\n":           `line 2: labels: "1e16"`,
		"clusters,labels\n1,NaN\n":            `line 2: labels: "NaN"`,
		"cluster,score\n1,high\n":             `line 2: score: "high" is not a score`,
		"cluster,score,model\n1,1,a\n2,1,b\n": `line 3: model: "b" after "a": all rows must be of one version`,
		"cluster,score,score\n1,1,1\n":        `column "score" comes twice, need one`,
		"cluster,score\n1,1\n1,2\n":           `line 3: score: "2" is not "1", the score of the cluster in an earlier row`,
		"cluster,score\n1,none\n1,2\n":        `line 3: score: "2" is not "none"`,
		"cluster,score\n-1,2\n":               `line 2: cluster: "-1" is not the number of a cluster: a score needs one`,
		"clusters,labels\n1,none\n":           `line 2: labels: "none" is not a label`,
		"clusters,labels\n1\n":                "wrong number of fields",
		"clusters,labels\n1,\"never closed":   "quote",
	} {
		_, err := readClusters(strings.NewReader(text))
		assert.ErrorContains(t, err, want, "%q", text)
	}
}

func threeClusters() *model.Model {
	return &model.Model{Samples: 6, Clusters: []model.Cluster{
		{ID: 0, Event: "a", Size: 2, Score: interpreter.NoScore}, {ID: 1, Event: "a", Size: 1, Score: interpreter.NoScore},
		{ID: 2, Event: "b", Size: 2, Score: 7},
	}}
}

func scores(m *model.Model) []float64 {
	var all []float64
	for _, c := range m.Clusters {
		all = append(all, c.Score)
	}
	return all
}

func TestLabelsAreScores(t *testing.T) {
	events := clusterLabels{path: "f", clusters: []int32{0, -1, 2, 0, 1, 2}, labels: []float64{1, 9, 0, 2, -1, -1}, perEvent: true}
	for strategy, want := range map[interpreter.Strategy][]float64{
		interpreter.Max: {2, -1, 0}, interpreter.Min: {1, -1, 0}, interpreter.Avg: {1.5, -1, 0},
	} {
		m, err := events.score(threeClusters(), strategy)
		require.NoError(t, err)
		assert.Equal(t, want, scores(m), strategy)
	}
	events = clusterLabels{path: "f", clusters: []int32{0, -1, 2, 0, 1, 2}, labels: []float64{1, 9, -1, -1, -1, -1}, perEvent: true}
	m, err := events.score(threeClusters(), interpreter.Max)
	require.NoError(t, err)
	assert.Equal(t, []float64{1, -1, 7}, scores(m), "a cluster without a label keeps its score")
	perCluster := clusterLabels{path: "f", clusters: []int32{1, 2}, labels: []float64{4, -1}}
	m, err = perCluster.score(threeClusters(), interpreter.Max)
	require.NoError(t, err)
	assert.Equal(t, []float64{-1, 4, 7}, scores(m), "what has no score in the file stays as it is")
}

// Labels of events stay with their cluster; a score of a cluster ends them, unless it is the score that the cluster has.
func TestLabelsStayWithTheirCluster(t *testing.T) {
	events := clusterLabels{path: "f", clusters: []int32{0, -1, 2, 0, 1, 2}, labels: []float64{1, 9, 0, 2, -1, -1}, perEvent: true}
	m, err := events.score(threeClusters(), interpreter.Max)
	require.NoError(t, err)
	want := []interpreter.Label{{Vector: -1, Score: 1, Count: 1}, {Vector: -1, Score: 2, Count: 1}}
	assert.Equal(t, want, m.Clusters[0].Labels)
	for text, want := range map[string][]interpreter.Label{"2": want, "1": nil, "none": nil, "": want} {
		l, err := readClusters(strings.NewReader("cluster,score\n0," + text + "\n"))
		require.NoError(t, err)
		again, err := l.score(m, interpreter.Max)
		require.NoError(t, err)
		assert.Equal(t, want, again.Clusters[0].Labels, text)
		assert.Equal(t, text == "2" || text == "", sameScores(m, again), text)
	}
	events.rows = &model.Assignment{Clusters: events.clusters, Contexts: []int32{0, -1, 2, 1, 3, 2}, Vectors: []int32{0, 1, 3, 2}}
	m, err = events.score(threeClusters(), interpreter.Nearest)
	require.NoError(t, err)
	assert.Equal(t, []interpreter.Label{{Vector: 0, Score: 1, Count: 1}, {Vector: 1, Score: 2, Count: 1}}, m.Clusters[0].Labels)
	assert.True(t, m.Params.Interpreter.Nearest)
}

func TestAScoreIsWithdrawn(t *testing.T) {
	l, err := readClusters(strings.NewReader("cluster,score\n2, None\n0,3\n1,\n"))
	require.NoError(t, err)
	m, err := l.score(threeClusters(), interpreter.Max)
	require.NoError(t, err)
	assert.Equal(t, []float64{3, -1, -1}, scores(m))
}

// Our csv files put an apostrophe before some texts, and so do users of spreadsheets. It is removed.
func TestApostrophesOfCellsAreTakenOff(t *testing.T) {
	l, err := readClusters(strings.NewReader("cluster,event,score,model\n3,'=1+1,2,v1\n4,x,-1,v1\n"))
	require.NoError(t, err)
	assert.Equal(t, clusterLabels{clusters: []int32{3, 4}, labels: []float64{2, interpreter.NoScore}, version: "v1"}, l)
}

func TestALabelFileOfOneLongRecord(t *testing.T) {
	_, err := readClusters(io.MultiReader(strings.NewReader("cluster,score\n1,\""), &endless{}))
	assert.ErrorContains(t, err, "more than 67108864 bytes")
}

// endless has line ends but never ends.
type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = "x\n"[i%2]
	}
	return len(p), nil
}

func TestLabelsOfAnotherClustering(t *testing.T) {
	for want, l := range map[string]clusterLabels{
		"f: 5 rows, but the interpreter was made from 6 events": {path: "f", clusters: make([]int32, 5), labels: make([]float64, 5), perEvent: true},
		"f: 6 rows of cluster 0, which has 2 events":            {path: "f", clusters: make([]int32, 6), labels: make([]float64, 6), perEvent: true},
		"f: row 1: cluster 9 is not one of 3":                   {path: "f", clusters: []int32{9, 0, 0, 0, 0, 0}, labels: make([]float64, 6), perEvent: true},
		"f: row 1: cluster 3 is not one of 3":                   {path: "f", clusters: []int32{3}, labels: []float64{1}},
	} {
		_, err := l.score(threeClusters(), interpreter.Max)
		assert.ErrorContains(t, err, want)
	}
	l := clusterLabels{path: "f", clusters: []int32{0, 1}, labels: []float64{0, 0}, perEvent: true}
	assert.NoError(t, l.check([]int32{0, 1}))
	assert.EqualError(t, l.check([]int32{0}), "f: 2 rows, need 1: one per event")
	assert.ErrorContains(t, l.check([]int32{0, -1}), "f: row 2 says cluster 1, but the event is in cluster -1")
}

func FuzzReadClusters(f *testing.F) {
	f.Add("clusters,labels\n0,1\n-1,-1\n")
	f.Add("cluster,score,context\n0,,\"a > b\"\n")
	f.Fuzz(func(t *testing.T, text string) {
		l, err := readClusters(strings.NewReader(text))
		if err != nil {
			return
		}
		require.Len(t, l.labels, len(l.clusters))
		for i, c := range l.clusters {
			require.GreaterOrEqual(t, c, int32(-1))
			require.True(t, l.labels[i] >= 0 && l.labels[i] <= maxScore || l.labels[i] == interpreter.NoScore)
		}
	})
}
