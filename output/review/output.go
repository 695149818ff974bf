// Package review holds the output deepcase_review, which serves the review page.
package review

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/configfield"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/internal/review/gate"
	"connect-deepcase/internal/review/server"
	"connect-deepcase/model/engine"
)

func init() {
	service.MustRegisterBatchOutput("deepcase_review", spec(),
		func(conf *service.ParsedConfig, mgr *service.Resources) (out service.BatchOutput, policy service.BatchPolicy, maxInFlight int, err error) {
			if maxInFlight, err = conf.FieldMaxInFlight(); err != nil {
				return nil, policy, 0, err
			}
			if policy, err = conf.FieldBatchPolicy(fieldBatching); err != nil {
				return nil, policy, 0, err
			}
			out, err = newFromParsed(conf, mgr)
			return out, policy, maxInFlight, err
		})
}

func newFromParsed(conf *service.ParsedConfig, mgr *service.Resources) (*output, error) {
	o := &output{metrics: newMetrics(mgr.Metrics()), log: mgr.Logger()}
	var err error
	if o.times, err = mapping.NewTimestamps(conf); err != nil {
		return nil, err
	}
	if o.target, err = mapping.ParseTarget(conf); err != nil {
		return nil, err
	}
	o.options = server.Options{Log: o.log.Warnf, Observe: o.metrics.request}
	s := &o.options
	if s.Model, err = configfield.ParseModel(conf); err != nil {
		return nil, err
	}
	if s.Store, err = conf.FieldString(fieldStore); err != nil {
		return nil, err
	}
	if s.Store == "" {
		return nil, fmt.Errorf("field '%s' is empty: need a directory", fieldStore)
	}
	if s.Address, err = conf.FieldString(fieldAddress); err != nil {
		return nil, err
	}
	if s.TLS, err = configfield.ParseCertificate(conf, fieldTLS, fieldCertFile, fieldKeyFile); err != nil {
		return nil, err
	}
	if s.Gate, err = parseGate(conf); err != nil {
		return nil, err
	}
	s.Gate.Address, s.Gate.Secure = s.Address, s.TLS != nil
	if _, err = gate.New(s.Gate, http.NotFoundHandler()); err != nil { // a wrong setting ends the start, not each attempt to connect
		return nil, fmt.Errorf("field '%s': %w", fieldAuth, err)
	}
	if s.Levels, err = parseLevels(conf); err != nil {
		return nil, err
	}
	if s.Hold.First, s.Hold.Growth, s.Hold.Max, err = configfield.ParseHold(conf); err != nil {
		return nil, err
	}
	if s.Retain, err = configfield.ParseRetain(conf); err != nil {
		return nil, err
	}
	if s.Keep, err = fieldKeep.Parse(conf); err != nil {
		return nil, err
	}
	if s.Rest, s.AtMost, err = parsePublish(conf); err != nil {
		return nil, err
	}
	name, err := configfield.ParseDevice(conf)
	if err != nil {
		return nil, err
	}
	s.Engine, err = engine.Open(name)
	return o, err
}

// output is the output deepcase_review.
type output struct {
	times   *mapping.Mapping
	target  annotation.Target
	options server.Options
	metrics *metrics
	log     *service.Logger

	mu         sync.Mutex
	server     *server.Server // nil until it is connected
	stop       context.CancelFunc
	watching   sync.WaitGroup
	complained atomic.Bool // logged: a refused message
}

// Connect opens the store, and serves the page.
func (o *output) Connect(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.server != nil {
		return nil
	}
	s, err := server.Open(ctx, o.options)
	if err != nil {
		return err
	}
	s.Serve()
	o.server = s
	o.log.With("url", s.URL(), "model", o.options.Model, "store", o.options.Store).Info("The review page is served")
	watching, stop := context.WithCancel(context.Background())
	o.stop = stop
	o.watching.Go(func() { o.metrics.watch(watching, s) })
	return nil
}

// large is a batch that takes milliseconds.
const large = 100

// WriteBatch takes up the alerts of a batch. Messages that are none fail, each by itself.
func (o *output) WriteBatch(ctx context.Context, batch service.MessageBatch) error {
	o.mu.Lock()
	s := o.server
	o.mu.Unlock()
	if s == nil {
		return service.ErrNotConnected
	}
	if len(batch) >= large { // small ones are better written together
		defer s.Turn()()
	}
	reader := o.times.Over(batch)
	alerts := make([]board.Alert, 0, len(batch))
	var refused *service.BatchError
	count := 0
	for i, message := range batch {
		a, err := o.read(reader, i, message)
		if err == nil {
			alerts = append(alerts, a)
			continue
		}
		err = fmt.Errorf("refused: %w", err)
		if refused == nil { // the headline is what a batch of one fails with
			refused = service.NewBatchError(batch, err)
		}
		refused = refused.Failed(i, err)
		count++
		if !o.complained.Swap(true) {
			o.log.Warnf("An alert is %v (further ones are only counted)", err)
		}
	}
	if err := s.Add(ctx, alerts); err != nil {
		return err
	}
	o.metrics.alerts.Incr(int64(len(alerts)), "taken")
	o.metrics.alerts.Incr(int64(count), "refused")
	if refused != nil {
		return refused
	}
	return nil
}

// read reads the alert of a message.
func (o *output) read(reader mapping.Reader, i int, message *service.Message) (a board.Alert, err error) {
	if err := message.GetError(); err != nil {
		return a, err
	}
	document, err := message.AsBytes()
	if err != nil {
		return a, err
	}
	at, err := reader.Time(i)
	if err != nil {
		return a, err
	}
	return board.Read(o.target, document, at)
}

func (o *output) Close(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.server == nil {
		return nil
	}
	o.stop()
	o.watching.Wait()
	err := o.server.Close(ctx)
	o.server = nil
	return err
}

// metrics are those of the output.
type metrics struct {
	alerts, decisions                               *service.MetricCounter
	questions, cases, unpublished, problems, newest *service.MetricGauge
	latency                                         *service.MetricTimer
}

func newMetrics(m *service.Metrics) *metrics {
	x := &metrics{
		alerts:      m.NewCounter("deepcase_review_alerts", "outcome"),
		decisions:   m.NewCounter("deepcase_review_decisions", "kind"),
		questions:   m.NewGauge("deepcase_review_questions_open"),
		cases:       m.NewGauge("deepcase_review_cases_open"),
		unpublished: m.NewGauge("deepcase_review_unpublished"),
		problems:    m.NewGauge("deepcase_review_problems"),
		newest:      m.NewGauge("deepcase_review_newest_alert_seconds"),
		latency:     m.NewTimer("deepcase_review_request_latency_ns", "route", "status"),
	}
	x.alerts.Incr(0, "refused")
	return x
}

// request notes how long a request took.
func (x *metrics) request(route string, status int, took time.Duration) {
	x.latency.Timing(took.Nanoseconds(), route, strconv.Itoa(status/100)+"xx")
}

// watched is how often gauges are set.
const watched = 10 * time.Second

func (x *metrics) watch(ctx context.Context, s *server.Server) {
	ticker := time.NewTicker(watched)
	defer ticker.Stop()
	seen := s.Changes(0).Seq
	for {
		state := s.State()
		x.questions.Set(int64(state.Questions))
		x.cases.Set(int64(state.Cases))
		x.unpublished.Set(int64(state.Unpublished))
		x.problems.Set(int64(state.Problems))
		if !state.Newest.IsZero() {
			x.newest.Set(state.Newest.Unix())
		}
		changes := s.Changes(seen)
		for _, made := range changes.Made {
			x.decisions.Incr(1, made.Action)
		}
		seen = changes.Seq
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
	}
}
