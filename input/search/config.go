package search

import (
	"fmt"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/redpanda-data/benthos/v4/public/service"
)

func newFromParsed(conf *service.ParsedConfig, mgr *service.Resources, now func() time.Time) (*input, error) {
	in := &input{
		reader:    &reader{log: mgr.Logger()},
		now:       now,
		log:       mgr.Logger(),
		documents: mgr.Metrics().NewCounter("deepcase_search_documents"),
		passes:    mgr.Metrics().NewCounter("deepcase_search_passes", "outcome"),
	}
	in.passes.Incr(0, "failed") // there before the first one, or its increase could not be seen
	if err := in.parseWhat(conf); err != nil {
		return nil, err
	}
	if err := in.parseHow(conf); err != nil {
		return nil, err
	}
	var err error
	if in.server, err = newServer(conf, mgr, in.reader.slices); err != nil {
		return nil, err
	}
	in.reader.server = in.server
	in.pauses = in.server.client.backoff()
	in.pauses.MaxElapsedTime = 0
	in.keeper, err = newCursorKeeper(conf, mgr, in.server.client.http.Timeout)
	return in, err
}

// parseWhat reads which documents to read, in which order.
func (in *input) parseWhat(conf *service.ParsedConfig) (err error) {
	if in.reader.query, err = conf.FieldAny(fieldQuery); err != nil {
		return err
	}
	if _, ok := in.reader.query.(map[string]any); !ok {
		return fmt.Errorf("field '%s': %T, need an object of the query DSL", fieldQuery, in.reader.query)
	}
	if in.reader.order.field, err = conf.FieldString(fieldSortField); err != nil {
		return err
	}
	if in.reader.order.field == "" {
		return fmt.Errorf("field '%s' is empty: need the name of a field", fieldSortField)
	}
	if in.reader.tiebreak, err = conf.FieldString(fieldTiebreak); err != nil {
		return err
	}
	in.missing, err = conf.FieldString(fieldMissing)
	return err
}

// parseHow reads how to fetch them.
func (in *input) parseHow(conf *service.ParsedConfig) error {
	mode, err := conf.FieldString(fieldMode)
	if err != nil {
		return err
	}
	in.follow = mode == modeFollow
	if in.poll, err = fieldPoll.Parse(conf); err != nil {
		return err
	}
	if in.lag, err = fieldLag.Parse(conf); err != nil {
		return err
	}
	if in.reader.slices, err = fieldSlices.Parse(conf); err != nil {
		return err
	}
	if in.reader.size, err = fieldBatchSize.Parse(conf); err != nil {
		return err
	}
	inFlight, err := fieldInFlight.Parse(conf)
	if err != nil {
		return err
	}
	in.slots = make(chan struct{}, inFlight)
	if in.reader.usePIT, err = conf.FieldBool(fieldPIT); err != nil {
		return err
	}
	if !in.reader.usePIT && in.reader.slices > 1 {
		return fmt.Errorf("field '%s': %d, need 1 without a point in time", fieldSlices, in.reader.slices)
	}
	return nil
}

func newServer(conf *service.ParsedConfig, mgr *service.Resources, slices int) (*server, error) {
	c := &client{
		retries: mgr.Metrics().NewCounter("deepcase_search_retries", "reason"),
		latency: mgr.Metrics().NewTimer("deepcase_search_latency_ns"),
		log:     mgr.Logger(),
	}
	s := &server{client: c}
	var err error
	if c.nodes, err = nodes(conf); err != nil {
		return nil, err
	}
	if s.index, err = conf.FieldString(fieldIndex); err != nil {
		return nil, err
	}
	if s.index == "" {
		return nil, fmt.Errorf("field '%s' is empty: need an index, a data stream, an alias or a pattern", fieldIndex)
	}
	keepAlive, err := fieldKeepAlive.Parse(conf)
	if err != nil {
		return nil, err
	}
	s.keepAlive = fmt.Sprintf("%dms", max(1, keepAlive.Milliseconds()))
	var hidden []string
	if c.authorize, hidden, err = authorization(conf); err != nil {
		return nil, err
	}
	for _, n := range c.nodes {
		if password, ok := n.user.Password(); ok {
			hidden = append(hidden, ofUser(n.user.Username(), password)...)
		}
	}
	c.secrets = newSecrets(hidden...)
	if s.maxAnswer, err = fieldMaxAnswer.Parse(conf); err != nil {
		return nil, err
	}
	retry, err := conf.FieldBackOff(fieldRetry)
	if err != nil {
		return nil, err
	}
	c.backoff = func() *backoff.ExponentialBackOff {
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
	timeout, err := fieldTimeout.Parse(conf)
	if err != nil {
		return nil, err
	}
	c.http = &http.Client{Transport: transport, Timeout: timeout, CheckRedirect: noRedirects}
	return s, nil
}
