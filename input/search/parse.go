package search

import (
	"fmt"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/duration"
)

func newFromParsed(conf *service.ParsedConfig, mgr *service.Resources, now func() time.Time) (*search, error) {
	s := &search{
		now:       now,
		log:       mgr.Logger(),
		documents: mgr.Metrics().NewCounter("deepcase_search_documents"),
		passes:    mgr.Metrics().NewCounter("deepcase_search_passes", "outcome"),
	}
	s.passes.Incr(0, "failed") // there before the first one, or its increase could not be seen
	if err := s.parseWhat(conf); err != nil {
		return nil, err
	}
	if err := s.parseHow(conf); err != nil {
		return nil, err
	}
	var err error
	if s.api, err = newAPI(conf, mgr, s.slices); err != nil {
		return nil, err
	}
	s.pauses = s.backoff()
	s.pauses.MaxElapsedTime = 0
	s.keeper, err = newKeeper(conf, mgr, s.http.Timeout)
	return s, err
}

// parseWhat reads which documents are wanted, in which order.
func (s *search) parseWhat(conf *service.ParsedConfig) (err error) {
	if s.query, err = conf.FieldAny(fieldQuery); err != nil {
		return err
	}
	if _, ok := s.query.(map[string]any); !ok {
		return fmt.Errorf("field '%s': %T, need an object of the query DSL", fieldQuery, s.query)
	}
	if s.order.field, err = conf.FieldString(fieldSortField); err != nil {
		return err
	}
	if s.order.field == "" {
		return fmt.Errorf("field '%s' is empty: need the name of a field", fieldSortField)
	}
	if s.tiebreak, err = conf.FieldString(fieldTiebreak); err != nil {
		return err
	}
	s.missing, err = conf.FieldString(fieldMissing)
	return err
}

// parseHow reads how they are fetched.
func (s *search) parseHow(conf *service.ParsedConfig) error {
	mode, err := conf.FieldString(fieldMode)
	if err != nil {
		return err
	}
	s.follow = mode == modeFollow
	if s.poll, err = duration.Parse(conf, fieldPoll, duration.Positive); err != nil {
		return err
	}
	if s.lag, err = duration.Parse(conf, fieldLag, duration.NotNegative); err != nil {
		return err
	}
	if s.slices, err = conf.FieldInt(fieldSlices); err != nil {
		return err
	}
	if s.slices < 1 || s.slices > maxSlices {
		return fmt.Errorf("field '%s': %d, need 1 to %d", fieldSlices, s.slices, maxSlices)
	}
	if s.size, err = conf.FieldInt(fieldBatchSize); err != nil {
		return err
	}
	if s.size < 1 || s.size > maxBatchSize {
		return fmt.Errorf("field '%s': %d, need 1 to %d", fieldBatchSize, s.size, maxBatchSize)
	}
	inFlight, err := conf.FieldInt(fieldInFlight)
	if err != nil {
		return err
	}
	if inFlight < 1 || inFlight > maxInFlight {
		return fmt.Errorf("field '%s': %d, need 1 to %d", fieldInFlight, inFlight, maxInFlight)
	}
	s.slots = make(chan struct{}, inFlight)
	if s.usePIT, err = conf.FieldBool(fieldPIT); err != nil {
		return err
	}
	if !s.usePIT && s.slices > 1 {
		return fmt.Errorf("field '%s': %d, need 1 without a point in time", fieldSlices, s.slices)
	}
	return nil
}

func newAPI(conf *service.ParsedConfig, mgr *service.Resources, slices int) (*api, error) {
	a := &api{client: &client{
		retries: mgr.Metrics().NewCounter("deepcase_search_retries", "reason"),
		latency: mgr.Metrics().NewTimer("deepcase_search_latency_ns"),
		log:     mgr.Logger(),
	}}
	var err error
	if a.nodes, err = nodes(conf); err != nil {
		return nil, err
	}
	if a.index, err = conf.FieldString(fieldIndex); err != nil {
		return nil, err
	}
	if a.index == "" {
		return nil, fmt.Errorf("field '%s' is empty: need an index, a data stream, an alias or a pattern", fieldIndex)
	}
	keepAlive, err := duration.Parse(conf, fieldKeepAlive, duration.Positive)
	if err != nil {
		return nil, err
	}
	a.keepAlive = fmt.Sprintf("%dms", max(1, keepAlive.Milliseconds()))
	var hidden []string
	if a.authorize, hidden, err = authorization(conf); err != nil {
		return nil, err
	}
	for _, n := range a.nodes {
		if password, ok := n.user.Password(); ok {
			hidden = append(hidden, ofUser(n.user.Username(), password)...)
		}
	}
	a.secrets = newSecrets(hidden...)
	if a.maxAnswer, err = conf.FieldInt(fieldMaxAnswer); err != nil {
		return nil, err
	}
	if a.maxAnswer < minMaxAnswer || a.maxAnswer > maxMaxAnswer {
		return nil, fmt.Errorf("field '%s': %d, need %d to %d", fieldMaxAnswer, a.maxAnswer, minMaxAnswer, maxMaxAnswer)
	}
	retry, err := conf.FieldBackOff(fieldRetry)
	if err != nil {
		return nil, err
	}
	a.backoff = func() *backoff.ExponentialBackOff {
		b := *retry
		b.Reset()
		return &b
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = slices + 1
	tls, enabled, err := conf.FieldTLSToggled(fieldTLS)
	if err != nil {
		return nil, err
	}
	if enabled {
		transport.TLSClientConfig = tls
	}
	timeout, err := duration.Parse(conf, fieldTimeout, duration.Positive)
	if err != nil {
		return nil, err
	}
	a.http = &http.Client{Transport: transport, Timeout: timeout, CheckRedirect: noRedirects}
	return a, nil
}
