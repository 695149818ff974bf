package processor

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/store"
)

// version is one version of a model that answers, with the verdicts it gave.
type version struct {
	name      string
	created   time.Time
	trained   time.Time // when its clusters were learnt; scores are later
	predictor *model.Predictor
	verdicts  *lru.Cache[sampleKey, remembered] // nil if verdicts are not remembered

	using  sync.RWMutex // read-held while it answers
	closed bool
}

// close waits until nobody uses the version.
func (v *version) close() error {
	v.using.Lock()
	defer v.using.Unlock()
	if v.closed {
		return nil
	}
	v.closed = true
	return v.predictor.Close()
}

// serving keeps the newest version of a model directory that can be read ready to answer.
type serving struct {
	dir        string
	engine     contextbuilder.Engine
	cacheSize  int // verdicts
	cacheBytes int
	log        *service.Logger
	metrics    servingMetrics

	follower  *store.Follower
	current   atomic.Pointer[version] // nil: none yet
	looking   looking
	closing   sync.WaitGroup  // of replaced versions that still answer
	asking    context.Context // ends with close, by endAsking
	endAsking context.CancelFunc
	now       func() time.Time
}

type servingMetrics struct {
	reloads  *service.MetricCounter
	latency  *service.MetricTimer
	created  *service.MetricGauge
	trained  *service.MetricGauge
	events   *service.MetricGauge
	clusters *service.MetricGauge
	scored   *service.MetricGauge
	// confidence is the mean of the training, beside deepcase_confidence_sum.
	confidence *service.MetricGauge
}

func newServingMetrics(m *service.Metrics) servingMetrics {
	s := servingMetrics{
		reloads:  m.NewCounter("deepcase_model_reloads", "outcome"),
		latency:  m.NewTimer("deepcase_model_reload_latency_ns"),
		created:  m.NewGauge("deepcase_model_created_seconds"),
		trained:  m.NewGauge("deepcase_model_trained_seconds"),
		events:   m.NewGauge("deepcase_model_events"),
		clusters: m.NewGauge("deepcase_model_clusters"),
		scored:   m.NewGauge("deepcase_model_clusters_scored"),

		confidence: m.NewGauge("deepcase_model_confidence"),
	}
	s.reloads.Incr(0, "failed") // it must exist before the first failure, or its increase could not be seen
	return s
}

// limited is ctx for a question that is given up after limit, and when the serving is closed. The cancel function must be called.
func (s *serving) limited(ctx context.Context, limit time.Duration) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it took longer than %v", limit))
	forget := context.AfterFunc(s.asking, cancel)
	return ctx, func() {
		forget()
		cancel()
	}
}

// start loads the current version if there is one, and from then on looks for a new version every so often.
func (s *serving) start(every time.Duration) {
	s.asking, s.endAsking = context.WithCancel(context.Background())
	s.follower = store.NewFollower(s.dir, s.take, s.report)
	s.follower.Look()
	s.looking = lookEvery(every, s.follower.Follow)
}

// acquire gives the version to ask, or nil if there is none. The caller must release it.
func (s *serving) acquire() *version {
	for {
		v := s.current.Load()
		if v == nil {
			return nil
		}
		v.using.RLock()
		if !v.closed {
			return v
		}
		v.using.RUnlock() // it was replaced just now
		if s.current.Load() == v {
			return nil // closed for good
		}
	}
}

func (v *version) release() { v.using.RUnlock() }

// report counts and logs the result of a look at the directory. A failure that stays the same is logged once.
func (s *serving) report(look store.Look) {
	switch {
	case look.Empty: // a mistake in the path, perhaps
		s.log.With("model", s.dir).Warnf("No model there yet, events get the status %s until there is one: %v", model.NoModel, look.Err)
	case look.Err != nil:
		s.metrics.reloads.Incr(1, "failed")
		if look.Again {
			return
		}
		goingOn := "without a model"
		if name := s.follower.Version(); name != "" {
			goingOn = "with version " + name
		}
		s.log.With("model", s.dir).Errorf("The current model cannot be loaded, going on %s: %v", goingOn, look.Err)
	default:
		s.metrics.reloads.Incr(1, "loaded")
		s.metrics.latency.Timing(look.Took.Nanoseconds())
	}
}

// take replaces the version that serves by one that was read.
func (s *serving) take(loaded *store.Loaded) error {
	predictor, err := s.predictor(loaded.Model)
	if err != nil {
		return err
	}
	next := &version{name: loaded.Version, created: loaded.Created, trained: loaded.Trained, predictor: predictor}
	s.checkClock(next)
	if size := min(s.cacheSize, s.cacheBytes/verdictBytes(loaded.Model.Params.Length)); size > 0 {
		if next.verdicts, err = lru.New[sampleKey, remembered](size); err != nil {
			return errors.Join(err, predictor.Close())
		}
	}
	s.swap(next)
	return nil
}

// predictor shares what it can with the version that serves.
func (s *serving) predictor(m *model.Model) (*model.Predictor, error) {
	if v := s.current.Load(); v != nil { // it is not closed before another one is taken
		return v.predictor.After(m)
	}
	return model.NewPredictor(m, s.engine)
}

// maxSkew is the largest difference between the clocks of two machines that is not logged.
const maxSkew = time.Minute

// checkClock logs a version that was created or named by a clock that was ahead. If a model was learnt in the future, its age is not known;
// it is at least as old as the time that it has been serving here.
func (s *serving) checkClock(v *version) {
	now, log := s.now(), s.log.With("model", s.dir, "version", v.name)
	switch {
	case v.created.After(now.Add(maxSkew)):
		log.Warnf("This version was created at %s, which is in the future: the clock of its writer is ahead, or the clock here is behind. "+
			"deepcase_model_created_seconds is wrong until the next version", v.created.Format(time.RFC3339))
	case store.Ahead(v.name, v.created):
		log.Warnf("This version was created at %s; its name is ahead, since versions before it were made by a clock that was ahead. "+
			"This affects only the name: names must ascend", v.created.Format(time.RFC3339))
	}
	if v.trained.After(now) {
		v.trained = now
	}
}

func (s *serving) swap(next *version) {
	m := next.predictor.Model()
	scored := m.ScoredClusters()
	last := s.current.Swap(next)
	// The version is not a label, because time series of old versions could never be removed.
	s.metrics.created.Set(next.created.Unix())
	s.metrics.trained.Set(next.trained.Unix())
	s.metrics.events.Set(int64(len(m.Names)))
	s.metrics.clusters.Set(int64(len(m.Clusters)))
	s.metrics.scored.Set(int64(scored))
	s.metrics.confidence.Set(trainedConfidence(m))
	s.log.With("model", s.dir, "version", next.name, "events", len(m.Names), "clusters", len(m.Clusters), "scored", scored).
		Info("Model loaded")
	if last != nil { // it may be in the middle of a long answer, and the next reload must not wait for that
		s.closing.Go(func() {
			if err := last.close(); err != nil {
				s.log.With("version", last.name).Errorf("The replaced version did not close: %v", err)
			}
		})
	}
}

// close stops looking for versions, ends answers that are still being computed, and closes the version that serves. It may be called again.
func (s *serving) close() error {
	s.looking.close()
	s.endAsking()
	s.closing.Wait()
	if v := s.current.Load(); v != nil {
		return v.close()
	}
	return nil
}
