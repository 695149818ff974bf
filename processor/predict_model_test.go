package processor

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// reload lets a processor with the default of reload look for a new version.
func reload() {
	time.Sleep(10 * time.Second) // in a bubble of synctest
	synctest.Wait()
}

func TestPredictFindsAModelThatComesLater(t *testing.T) {
	dir, m := filepath.Join(t.TempDir(), "not", "yet"), little(t, 1)
	synctest.Test(t, func(t *testing.T) {
		p := newPredict(t, "model: "+dir)
		s, version := status(t, p)
		assert.Equal(t, "no_model", s)
		assert.Empty(t, version)
		published := publish(t, dir, m)
		reload()
		s, version = status(t, p)
		assert.Equal(t, "unscored", s)
		assert.Equal(t, published, version)
	})
}

func TestPredictForgetsVerdictsOfOldModels(t *testing.T) {
	dir, m := t.TempDir(), little(t, 1)
	synctest.Test(t, func(t *testing.T) {
		publish(t, dir, m)
		p := newPredict(t, "model: "+dir)
		s, _ := status(t, p)
		assert.Equal(t, "unscored", s)
		published := publish(t, dir, scored(t, m, "login", 1))
		reload()
		s, version := status(t, p)
		assert.Equal(t, "scored", s)
		assert.Equal(t, published, version)
	})
}

// Whatever is wrong with what was published last, the version before it goes on serving, and the next good one takes over.
func TestPredictSurvivesBrokenVersions(t *testing.T) {
	dir := t.TempDir()
	m := little(t, 1)
	good := publish(t, dir, m)
	p := newPredict(t, "reload: 1h\nmodel: "+dir) // the test reloads
	pointer := filepath.Join(dir, "CURRENT")
	for name, damage := range map[string]func(){
		"truncated": func() { truncateVersion(t, dir, publish(t, dir, m)) },
		"missing":   func() { require.NoError(t, os.WriteFile(pointer, []byte("20200101T000000Z-0000\n"), 0o644)) },
		"garbage":   func() { require.NoError(t, os.WriteFile(pointer, []byte("../../\x00\n\n"), 0o644)) },
		"empty":     func() { require.NoError(t, os.WriteFile(pointer, nil, 0o644)) },
		"gone":      func() { require.NoError(t, os.Rename(dir, dir+".away")) },
	} {
		damage()
		for range 3 {
			p.serving.follower.Look()
			assert.Error(t, p.serving.follower.Err(), name)
			s, version := status(t, p)
			assert.Equal(t, "unscored", s, name)
			assert.Equal(t, good, version, name)
		}
		if name == "gone" {
			require.NoError(t, os.Rename(dir+".away", dir))
		}
		good = publish(t, dir, m)
		p.serving.follower.Look()
		assert.NoError(t, p.serving.follower.Err())
		_, version := status(t, p)
		assert.Equal(t, good, version, name)
	}
}

// A version that stays broken is counted each time and logged once.
func TestPredictLogsABrokenVersionOnce(t *testing.T) {
	dir := t.TempDir()
	truncateVersion(t, dir, publish(t, dir, little(t, 1)))
	var log logText
	resources := service.MockResources(service.MockResourcesOptUseLogger(service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&log, nil)))))
	p, err := newPredictFromParsed(parse(t, predictSpec(), "reload: 1h\nmodel: "+dir), resources)
	require.NoError(t, err)
	defer p.Close(t.Context())
	s, _ := status(t, p)
	assert.Equal(t, "no_model", s)
	p.serving.follower.Look()
	p.serving.follower.Look()
	assert.Equal(t, 1, strings.Count(log.String(), "level=ERROR"), log.String())
	truncateVersion(t, dir, publish(t, dir, little(t, 1)))
	p.serving.follower.Look()
	assert.Equal(t, 2, strings.Count(log.String(), "level=ERROR"), log.String())
}

// The first thing to see where the path of the model is wrong.
func TestPredictLogsThatThereIsNoModel(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "typo")
	var log logText
	resources := service.MockResources(service.MockResourcesOptUseLogger(service.NewLoggerFromSlog(slog.New(slog.NewTextHandler(&log, nil)))))
	p, err := newPredictFromParsed(parse(t, predictSpec(), "reload: 1h\nmodel: "+dir), resources)
	require.NoError(t, err)
	defer p.Close(t.Context())
	p.serving.follower.Look()
	assert.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
	assert.Contains(t, log.String(), "No model there yet, events get the status no_model until there is one: ")
	assert.Contains(t, log.String(), "model="+dir)

	truncateVersion(t, dir, publish(t, dir, little(t, 1)))
	p.serving.follower.Look()
	assert.Contains(t, log.String(), "The current model cannot be loaded, going on without a model: ")
	good := publish(t, dir, little(t, 1))
	p.serving.follower.Look()
	truncateVersion(t, dir, publish(t, dir, little(t, 1)))
	p.serving.follower.Look()
	assert.Contains(t, log.String(), "The current model cannot be loaded, going on with version "+good+": ")
}

// The live run: versions are published under load, good and broken ones; nothing is lost or flagged, all answers come from good versions,
// and each version's own answers.
func TestPredictReloadsUnderLoad(t *testing.T) {
	dir := t.TempDir()
	m := little(t, 1)
	scores := map[string]float64{} // version → score of login
	put := func(score float64) string {
		version := publish(t, dir, scored(t, m, "login", score))
		scores[version] = score
		return version
	}
	put(0)
	env := service.GlobalEnvironment().Clone()
	built := make(chan *predict, 1)
	require.NoError(t, env.RegisterBatchProcessor("predict_that_reloads_here", predictSpec(), func(conf *service.ParsedConfig, mgr *service.Resources) (service.BatchProcessor, error) {
		p, err := newPredictFromParsed(conf, mgr)
		built <- p
		return p, err
	}))
	const producing, batchSize = 4, 3
	s, produce, end := stream(t, env, 4,
		"deepcase_sequence: {length: 3}",
		fmt.Sprintf("predict_that_reloads_here: {model: %q, reload: 1h, cache_size: 4}", dir))
	running := make(chan error, 1)
	go func() { running <- s.Run(t.Context()) }()
	follower := (<-built).serving.follower

	var sent atomic.Int64
	stop := make(chan struct{})
	var producers sync.WaitGroup
	halt := sync.OnceFunc(func() {
		close(stop)
		producers.Wait()
	})
	defer halt()
	for producer := range producing {
		producers.Go(func() {
			for i := 0; ; i += batchSize {
				select {
				case <-stop:
					return
				default:
				}
				machine := fmt.Sprintf("m%d-%d", producer, i) // a machine of its own, so that login follows nothing but scan and guess
				batch := messages(alertOf(machine, "scan", 1), alertOf(machine, "guess", 2), alertOf(machine, "login", 3))
				if assert.NoError(t, produce(t.Context(), batch)) {
					sent.Add(batchSize)
				}
			}
		})
	}
	answeredBy := func(version string) {
		t.Helper()
		const onTheirWay = producing * batchSize // may have the version before, and arrive at any time
		answered := 0
		for _, message := range end.await(onTheirWay + 20) {
			if at(t, message)["model"] == version {
				answered++
			}
		}
		require.GreaterOrEqual(t, answered, 20)
	}
	for i := range 8 {
		version := put(float64(i + 1))
		follower.Look()
		answeredBy(version)
		if i%2 == 1 {
			require.NoError(t, os.WriteFile(filepath.Join(dir, "CURRENT"), []byte("broken\n"), 0o644))
			follower.Look()
			require.Error(t, follower.Err())
			answeredBy(version)
		}
	}
	halt()
	require.NoError(t, s.StopWithin(2*time.Minute))
	require.NoError(t, <-running)

	require.Len(t, end.messages, int(sent.Load()))
	for _, message := range end.messages {
		object := at(t, message) // and no error
		if object["event"] == "login" {
			require.Equal(t, "scored", object["status"])
			require.Equal(t, scores[object["model"].(string)], object["score"])
		}
	}
}
