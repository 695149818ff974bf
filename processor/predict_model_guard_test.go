package processor

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu"
)

// meddling is an engine whose answers a test changes.
type meddling struct {
	contextbuilder.Engine
	query func(ctx context.Context, s contextbuilder.Samples, a contextbuilder.QueryResult) (contextbuilder.QueryResult, error)
}

func (e *meddling) Open(w *contextbuilder.Weights) (contextbuilder.Network, error) {
	n, err := e.Engine.Open(w)
	return meddlingNetwork{n, e}, err
}

type meddlingNetwork struct {
	contextbuilder.Network
	engine *meddling
}

func (n meddlingNetwork) Query(ctx context.Context, s contextbuilder.Samples, q contextbuilder.Query) (contextbuilder.QueryResult, error) {
	a, err := n.Network.Query(ctx, s, q)
	if err == nil && n.engine.query != nil {
		return n.engine.query(ctx, s, a)
	}
	return a, err
}

// meddled is a predictor that answers through an engine and writes its log into a buffer.
func meddled(t *testing.T, yaml string, e contextbuilder.Engine) (*predict, *logText) {
	t.Helper()
	log := &logText{}
	resources := service.MockResources(service.MockResourcesOptUseLogger(service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(log, nil)))))
	p, err := newPredictFromParsed(parse(t, predictSpec(), "reload: 1h\n"+yaml), resources) // the test reloads
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, p.Close(context.Background())) })
	p.serving.engine = e
	return p, log
}

func TestPredictRefusesAVersionThatComputesNoNumbers(t *testing.T) {
	dir := t.TempDir()
	m := little(t, 1)
	good := publish(t, dir, m)
	p, log := meddled(t, "model: "+dir, cpu.New())
	huge := *m
	weights := *m.Weights
	weights.Out.Weight, weights.Hidden.Weight = make([]float32, len(m.Weights.Out.Weight)), make([]float32, len(m.Weights.Out.Weight))
	for i := range weights.Out.Weight {
		weights.Out.Weight[i], weights.Hidden.Weight[i] = 3e38, 3e38
	}
	huge.Weights = &weights
	bad := publish(t, dir, &huge)
	p.serving.follower.Look()
	assert.Contains(t, log.String(), "going on with version "+good+": version "+bad+": probing the network: ")
	s, version := status(t, p)
	assert.Equal(t, "unscored", s)
	assert.Equal(t, good, version)
	fresh := newPredict(t, "model: "+dir)
	s, _ = status(t, fresh)
	assert.Equal(t, "no_model", s)
}

// An answer that is no number never reaches a document, which would be lost: JSON has no NaN.
func TestPredictFlagsAnswersThatAreNoNumbers(t *testing.T) {
	dir := t.TempDir()
	e := &meddling{Engine: cpu.New()}
	p, _ := meddled(t, "model: "+dir, e)
	m := little(t, 1)
	publish(t, dir, m)
	p.serving.follower.Look()
	for name, spoil := range map[string]func(a contextbuilder.QueryResult, row int){
		"confidence NaN": func(a contextbuilder.QueryResult, row int) { a.Confidence[row] = float32(math.NaN()) },
		"confidence Inf": func(a contextbuilder.QueryResult, row int) { a.Confidence[row] = float32(math.Inf(1)) },
		"attention NaN":  func(a contextbuilder.QueryResult, row int) { a.Attention[3*row+1] = float32(math.NaN()) },
		"attention -Inf": func(a contextbuilder.QueryResult, row int) { a.Attention[3*row] = float32(math.Inf(-1)) },
	} {
		e.query = func(_ context.Context, s contextbuilder.Samples, a contextbuilder.QueryResult) (contextbuilder.QueryResult, error) {
			for row, event := range s.Events {
				if m.Names[event] == "login" {
					spoil(a, row)
				}
			}
			return a, nil
		}
		for range 2 { // it is not remembered
			out := process(t, p, messages(annotated(loginSample), annotated(backupSample)))
			require.ErrorContains(t, out[0].GetError(), "the network computes NaN or infinity", name)
			assert.Equal(t, annotated(loginSample), text(t, out[0]), "the document is as it was")
			assert.Equal(t, "unscored", at(t, out[1])["status"], name)
		}
	}
	e.query = nil
	assert.Equal(t, "unscored", at(t, process(t, p, messages(annotated(loginSample)))[0])["status"])
}

// endless answers when its question is given up.
func endless(asked chan<- struct{}) func(context.Context, contextbuilder.Samples, contextbuilder.QueryResult) (contextbuilder.QueryResult, error) {
	return func(ctx context.Context, _ contextbuilder.Samples, _ contextbuilder.QueryResult) (contextbuilder.QueryResult, error) {
		asked <- struct{}{}
		<-ctx.Done()
		return contextbuilder.QueryResult{}, ctx.Err()
	}
}

func TestPredictGivesUpAQuestion(t *testing.T) {
	dir := t.TempDir()
	e := &meddling{Engine: cpu.New()}
	p, _ := meddled(t, "query_timeout: 10ms\nmodel: "+dir, e)
	publish(t, dir, little(t, 1))
	p.serving.follower.Look()
	e.query = endless(make(chan struct{}, 1))
	out := process(t, p, messages(annotated(loginSample)))
	require.ErrorContains(t, out[0].GetError(), "it took longer than 10ms")
}

// Neither a reload nor Close waits for a question without an end.
func TestPredictClosesInTheMiddleOfAQuestion(t *testing.T) {
	dir := t.TempDir()
	e := &meddling{Engine: cpu.New()}
	p, _ := meddled(t, "query_timeout: 24h\nmodel: "+dir, e)
	m := little(t, 1)
	publish(t, dir, m)
	p.serving.follower.Look()
	asked, answered := make(chan struct{}, 1), make(chan error)
	e.query = endless(asked)
	go func() {
		batch := messages(annotated(loginSample))
		_, err := p.ProcessBatch(context.Background(), batch)
		answered <- errors.Join(err, batch[0].GetError())
	}()
	<-asked
	e.query = nil
	next := publish(t, dir, m)
	p.serving.follower.Look()
	s, version := status(t, p)
	assert.Equal(t, "unscored", s)
	assert.Equal(t, next, version)
	require.NoError(t, p.Close(t.Context()))
	require.ErrorIs(t, <-answered, context.Canceled)
}

// rename gives the current version another name.
func rename(t *testing.T, dir, name string) {
	t.Helper()
	version, _ := current(t, dir)
	require.NoError(t, os.Rename(filepath.Join(dir, "versions", version), filepath.Join(dir, "versions", name)))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "CURRENT"), []byte(name+"\n"), 0o644))
}

func TestPredictTellsOfAClockThatWasAhead(t *testing.T) {
	dir := t.TempDir()
	p, log := meddled(t, "model: "+dir, cpu.New())
	m := little(t, 1)
	publish(t, dir, m)
	rename(t, dir, "20991231T235959Z-0000")
	before := time.Now()
	publish(t, dir, m)
	p.serving.follower.Look()
	v := p.serving.current.Load()
	assert.Equal(t, "20991231T235959Z-0001", v.name)
	assert.WithinRange(t, v.created, before.Add(-time.Second), time.Now())
	assert.Equal(t, v.created.Unix(), v.trained.Unix())
	assert.Contains(t, log.String(), "its name is ahead, since versions before it were made by a clock that was ahead")

	log.Reset()
	publish(t, dir, m)
	yesterday := time.Now().Add(-24 * time.Hour)
	p.serving.now = func() time.Time { return yesterday }
	p.serving.follower.Look()
	assert.Contains(t, log.String(), "which is in the future: the clock of its writer is ahead, or the clock here is behind")
	v = p.serving.current.Load()
	assert.Equal(t, yesterday, v.trained, "how old it is is not known")

	log.Reset()
	dir = t.TempDir()
	p, log = meddled(t, "model: "+dir, cpu.New())
	log.Reset()
	publish(t, dir, m)
	p.serving.follower.Look()
	assert.NotContains(t, log.String(), "WARN")
}
