package processor

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/store"
)

func newLabel(t testing.TB, yaml string) *label {
	t.Helper()
	l, err := newLabelFromParsed(parse(t, labelSpec(), yaml), service.MockResources())
	require.NoError(t, err)
	return l
}

func TestLabelBadConfigs(t *testing.T) {
	testBadConfigs(t, "deepcase_label", []badConfig{
		{yaml: `model: ""`, lint: "model needs a directory", build: "field 'model' is empty: need a directory"},
		{yaml: `cluster: "1"`, lint: "field model is required", build: "model"},
		{yaml: "model: m\nhold: -1h", lint: "hold needs to be longer than 0", build: "field 'hold': -1h0m0s, need longer than 0"},
		{yaml: "model: m\nretain: -1", lint: "retain needs to be at least 0", build: "field 'retain': -1, need at least 0"},
		{yaml: "model: m\ntarget: a.", lint: "target needs names divided by single dots", build: `field 'target': "a.": need names divided by single dots`},
		{yaml: "model: m\ndevice: cuda", build: "device cuda: this build has no engine for it"},
	})
}

func answer(t testing.TB, m *service.Message) (a struct {
	Cluster, Size int
	Event, Model  string
	Old, New      *float64
}) {
	t.Helper()
	require.NoError(t, m.GetError())
	decoder := json.NewDecoder(strings.NewReader(text(t, m)))
	decoder.DisallowUnknownFields()
	require.NoError(t, decoder.Decode(&a))
	return a
}

func TestLabelPublishesTheScoresOfABatchAtOnce(t *testing.T) {
	dir := t.TempDir()
	m := little(t, 1)
	before := publish(t, dir, m)
	login, backup := clusterOf(t, m, "login"), clusterOf(t, m, "backup")
	l := newLabel(t, "model: "+dir)
	out := process(t, l, messages(
		fmt.Sprintf(`{"cluster":%d,"score":3,"model":%q}`, login, before),
		fmt.Sprintf(`{"cluster":"%d.0","score":"0"}`, backup),
		fmt.Sprintf(`{"cluster":%d,"score":3.0}`, login)))
	version, now := current(t, dir)
	assert.NotEqual(t, before, version)
	assert.Equal(t, 3.0, now.Clusters[login].Score)
	assert.Equal(t, 0.0, now.Clusters[backup].Score)
	for i, cluster := range []int{login, backup, login} {
		a := answer(t, out[i])
		assert.Equal(t, cluster, a.Cluster)
		assert.Equal(t, 40, a.Size)
		assert.Equal(t, m.Clusters[cluster].Event, a.Event)
		assert.Equal(t, version, a.Model)
		assert.Nil(t, a.Old)
		assert.Equal(t, now.Clusters[cluster].Score, *a.New)
	}

	// The same again, by the version in which the analyst saw them: nothing changes, nothing is published.
	out = process(t, l, messages(fmt.Sprintf(`{"cluster":%d,"score":3,"model":%q}`, login, before)))
	a := answer(t, out[0])
	assert.Equal(t, 3.0, *a.Old)
	assert.Equal(t, version, a.Model)
	again, _ := current(t, dir)
	assert.Equal(t, version, again)
}

func TestLabelWithdrawsAScore(t *testing.T) {
	dir := t.TempDir()
	m := little(t, 1)
	publish(t, dir, m)
	login := clusterOf(t, m, "login")
	l := newLabel(t, "model: "+dir)
	process(t, l, messages(fmt.Sprintf(`{"cluster":%d,"score":3}`, login)))
	out := process(t, l, messages(fmt.Sprintf(`{"cluster":%d,"score":"None"}`, login)))
	a := answer(t, out[0])
	assert.Equal(t, 3.0, *a.Old)
	assert.Nil(t, a.New)
	version, now := current(t, dir)
	assert.Equal(t, -1.0, now.Clusters[login].Score)

	out = process(t, l, messages(fmt.Sprintf(`{"cluster":%d,"score":"none"}`, login)))
	assert.Nil(t, answer(t, out[0]).Old)
	again, _ := current(t, dir)
	assert.Equal(t, version, again, "there is nothing to withdraw")

	out = process(t, l, messages(fmt.Sprintf(`{"cluster":%d,"score":"none"}`, login), fmt.Sprintf(`{"cluster":%d,"score":2}`, login)))
	assert.ErrorContains(t, out[0].GetError(), "is given different scores in one batch, none here")
}

func versions(t testing.TB, dir string) []store.Version {
	t.Helper()
	s, err := store.Open(dir, false)
	require.NoError(t, err)
	all, err := s.Versions()
	require.NoError(t, err)
	return all
}

// The example of the documentation makes one version of a file, however many rows it has.
func TestLabelExampleMakesOneVersion(t *testing.T) {
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "clusters.csv")
	m := little(t, 1)
	publish(t, dir, m)
	login, backup := clusterOf(t, m, "login"), clusterOf(t, m, "backup")
	require.NoError(t, os.WriteFile(file, fmt.Appendf(nil, "model,cluster,score\n,%d,3\n,%d,\n,%d,2\n", login, backup, backup), 0o644))
	view, _ := service.GlobalEnvironment().GetProcessorConfig("deepcase_label")
	data, err := view.TemplateData()
	require.NoError(t, err)
	builder := service.NewStreamBuilder()
	require.NoError(t, builder.SetYAML(strings.NewReplacer("./clusters.csv", file, "/var/lib/deepcase", dir, "stdout: {}", "drop: {}").
		Replace(data.Examples[0].Config)))
	builder.SetLogger(slog.New(slog.DiscardHandler))
	s, err := builder.Build()
	require.NoError(t, err)
	require.NoError(t, s.Run(t.Context()))
	assert.Len(t, versions(t, dir), 2)
	_, now := current(t, dir)
	assert.Equal(t, 3.0, now.Clusters[login].Score)
	assert.Equal(t, 2.0, now.Clusters[backup].Score)
}

func TestLabelRetainsVersions(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, little(t, 1))
	l := newLabel(t, "retain: 2\nmodel: "+dir)
	for score := range 6 {
		answer(t, process(t, l, messages(fmt.Sprintf(`{"cluster":0,"score":%d}`, score)))[0])
	}
	assert.LessOrEqual(t, len(versions(t, dir)), 3)
	_, now := current(t, dir)
	assert.Equal(t, 5.0, now.Clusters[0].Score)
}

// The clusters are the same for as long as there is no training, so scores for them apply, whatever was kept of the versions.
func TestLabelTakesScoresForVersionsThatAreGone(t *testing.T) {
	dir := t.TempDir()
	seen := publish(t, dir, little(t, 1))
	l := newLabel(t, "retain: 1\nmodel: "+dir)
	for score := range 6 {
		out := process(t, l, messages(fmt.Sprintf(`{"cluster":0,"score":%d,"model":%q}`, score, seen)))
		if version := answer(t, out[0]).Model; score%2 == 0 {
			seen = version
		}
	}
	_, now := current(t, dir)
	assert.Equal(t, 5.0, now.Clusters[0].Score)

	publish(t, dir, little(t, 2))
	out := process(t, l, messages(`{"cluster":0,"score":1}`, `{"cluster":0,"score":2}`))
	require.Error(t, out[0].GetError(), "different scores")
	process(t, l, messages(`{"cluster":0,"score":1}`))
	out = process(t, l, messages(fmt.Sprintf(`{"cluster":0,"score":2,"model":%q}`, seen)))
	assert.ErrorContains(t, out[0].GetError(), "look at the new clusters and label those")
}

func TestLabelKeepsAnEarlierError(t *testing.T) {
	dir := t.TempDir()
	publish(t, dir, little(t, 1))
	batch := messages(`{"cluster":0,"score":3}`, `{"cluster":0,"score":3}`)
	batch[0].SetError(errors.New("wrong number of fields"))
	out := process(t, newLabel(t, "model: "+dir), batch)
	assert.EqualError(t, out[0].GetError(), "wrong number of fields")
	assert.NoError(t, out[1].GetError())
}

func TestLabelOfASample(t *testing.T) {
	dir := t.TempDir()
	m := little(t, 1)
	publish(t, dir, m)
	with := func(s model.Sample) string { return `{"score":2,` + annotated(s)[1:] }
	out := process(t, newLabel(t, "model: "+dir), messages(with(loginSample), with(rareSample),
		with(model.Sample{Context: []string{""}, Event: "login"}), `{"score":2}`))
	assert.Equal(t, clusterOf(t, m, "login"), answer(t, out[0]).Cluster)
	version, now := current(t, dir)
	assert.Equal(t, 2.0, now.Clusters[clusterOf(t, m, "login")].Score)
	assert.ErrorContains(t, out[1].GetError(), "document: deepcase belongs to no cluster of model ")
	assert.ErrorContains(t, out[2].GetError(), "document: deepcase.context has 1 events, model ")
	assert.EqualError(t, out[3].GetError(), "cluster: empty or missing, and there is no event with its context at deepcase")
	assert.Equal(t, version, answer(t, out[0]).Model)
}

func TestLabelFlagsBadMessages(t *testing.T) {
	m := little(t, 1)
	login, backup := clusterOf(t, m, "login"), clusterOf(t, m, "backup")
	for content, want := range map[string]string{
		`{"cluster":2,"score":1}`:                "cluster: 2, model VERSION has clusters 0 to 1",
		`{"cluster":-1,"score":1}`:               `cluster: "-1", need the number of a cluster`,
		`{"cluster":0.5,"score":1}`:              `cluster: "0.5", need the number of a cluster`,
		`{"cluster":"login","score":1}`:          `cluster: "login", need the number of a cluster`,
		`{"cluster":1e300,"score":1}`:            `need the number of a cluster`,
		`{"cluster":0}`:                          "score: empty or missing, need a number ≥ 0",
		`{"cluster":0,"score":-1}`:               `score: "-1", need a number ≥ 0`,
		`{"cluster":0,"score":"high"}`:           `score: "high", need a number ≥ 0`,
		`{"cluster":0,"score":"NaN"}`:            `score: "NaN", need a number ≥ 0`,
		`{"cluster":0,"score":"Inf"}`:            `score: "Inf", need a number ≥ 0`,
		`{"cluster":0,"score":1,"model":"old"}`:  `version: "old" cannot be compared with the current version: `,
		`{"cluster":0,"score":1,"model":"../x"}`: `version: "../x" cannot be compared with the current version: `,
		`not a document`:                         "",
		``:                                       "",
	} {
		dir := t.TempDir()
		version := publish(t, dir, m)
		out := process(t, newLabel(t, "model: "+dir), messages(content, fmt.Sprintf(`{"cluster":%d,"score":1}`, backup)))
		assert.ErrorContains(t, out[0].GetError(), strings.ReplaceAll(want, "VERSION", version), content)
		assert.Equal(t, content, text(t, out[0]))
		assert.Equal(t, 1.0, *answer(t, out[1]).New)
		_, now := current(t, dir)
		assert.Equal(t, 1.0, now.Clusters[backup].Score)
		assert.Equal(t, -1.0, now.Clusters[login].Score)
	}
}

func TestLabelRefusesContradictions(t *testing.T) {
	dir := t.TempDir()
	m := little(t, 1)
	publish(t, dir, m)
	login, backup := clusterOf(t, m, "login"), clusterOf(t, m, "backup")
	out := process(t, newLabel(t, "model: "+dir), messages(
		fmt.Sprintf(`{"cluster":%d,"score":1}`, login), fmt.Sprintf(`{"cluster":%d,"score":5}`, backup), fmt.Sprintf(`{"cluster":%d,"score":2}`, login)))
	assert.EqualError(t, out[0].GetError(), fmt.Sprintf("score: cluster %d is given different scores in one batch, 1 here: need one score", login))
	assert.EqualError(t, out[2].GetError(), fmt.Sprintf("score: cluster %d is given different scores in one batch, 2 here: need one score", login))
	assert.Equal(t, 5.0, *answer(t, out[1]).New)
	_, now := current(t, dir)
	assert.Equal(t, -1.0, now.Clusters[login].Score)
	assert.Equal(t, 5.0, now.Clusters[backup].Score)
}

func TestLabelRefusesClustersOfAnotherTraining(t *testing.T) {
	dir := t.TempDir()
	m := little(t, 1)
	seen := publish(t, dir, m)
	other := *m
	other.Clusters = append([]model.Cluster(nil), m.Clusters...)
	other.Clusters[0].Size++
	now := publish(t, dir, &other)
	out := process(t, newLabel(t, "model: "+dir), messages(fmt.Sprintf(`{"cluster":0,"score":1,"model":%q}`, seen)))
	assert.EqualError(t, out[0].GetError(),
		fmt.Sprintf("version: %q has other clusters than the current version %s: look at the new clusters and label those", seen, now))
	after, _ := current(t, dir)
	assert.Equal(t, now, after)
}

func TestLabelWithoutAModel(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "missing")
	l := newLabel(t, "model: "+dir)
	for range 2 { // without the directory, and with an empty one
		out := process(t, l, messages(`{"cluster":0,"score":1}`, `{"cluster":0,"score":"high"}`))
		assert.ErrorContains(t, out[0].GetError(), "labels not published: ")
		assert.EqualError(t, out[1].GetError(), `score: "high", need a number ≥ 0, or none to withdraw a score`, "its own reason")
		require.NoError(t, os.MkdirAll(dir, 0o755))
	}
	process(t, l, messages(`{"cluster":0}`)) // nothing to publish
	process(t, l, nil)
}

func TestLabelFromManyThreads(t *testing.T) {
	dir := t.TempDir()
	m := little(t, 1)
	publish(t, dir, m)
	s, produce, end := stream(t, service.GlobalEnvironment(), 4, fmt.Sprintf("deepcase_label: {model: %q}", dir))
	running := make(chan error, 1)
	go func() { running <- s.Run(t.Context()) }()
	var all sync.WaitGroup
	for i, event := range []string{"login", "backup"} {
		all.Go(func() {
			for score := range 5 {
				assert.NoError(t, produce(t.Context(), messages(fmt.Sprintf(`{"cluster":%d,"score":%d}`, clusterOf(t, m, event), 10*i+score))))
			}
		})
	}
	all.Wait()
	require.NoError(t, s.Stop(t.Context()))
	require.NoError(t, <-running)
	require.Len(t, end.messages, 10)
	for _, message := range end.messages {
		answer(t, message)
	}
	_, now := current(t, dir)
	assert.Equal(t, 4.0, now.Clusters[clusterOf(t, m, "login")].Score)
	assert.Equal(t, 14.0, now.Clusters[clusterOf(t, m, "backup")].Score)
}
