package search

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/redpanda-data/benthos/v4/public/service"
)

// client sends requests to the nodes of one cluster, in turn. What may succeed later (a node that does not answer, 408, 429, 5xx) it
// sends again: to the next node at once, and with a growing pause when all had their turn.
type client struct {
	urls      []string // without a slash at the end
	authorize func(*http.Request)
	http      *http.Client
	backoff   func() backoff.BackOff

	next    atomic.Uint64
	retries *service.MetricCounter // by reason
	latency *service.MetricTimer
	log     *service.Logger
}

// serverError is an answer other than 2xx.
type serverError struct {
	status int
	kind   string // as index_not_found_exception; may be empty
	reason string
	after  time.Duration // Retry-After of the answer
	body   string
}

func (e *serverError) Error() string {
	if e.kind == "" {
		return fmt.Sprintf("status %d: %s", e.status, e.reason)
	}
	return fmt.Sprintf("status %d: %s: %s", e.status, e.kind, e.reason)
}

func (e *serverError) passing() bool {
	return e.status == http.StatusRequestTimeout || e.status == http.StatusTooManyRequests || e.status >= 500
}

// expired tells a point in time that the server no longer knows: kept for too short, or lost with a node.
func (e *serverError) expired() bool {
	return strings.Contains(e.body, "search_context_missing_exception")
}

// unknownPath tells a server that has no such API. Elasticsearch before 8 takes any two segments for an index and a type, and then
// misses a document.
func (e *serverError) unknownPath() bool {
	if e.status != http.StatusBadRequest && e.status != http.StatusNotFound && e.status != http.StatusMethodNotAllowed {
		return false
	}
	return slices.ContainsFunc([]string{"no handler found", "Incorrect HTTP method", "request body is required", "can't start with '_'"},
		func(s string) bool { return strings.Contains(e.body, s) })
}

// do sends a request with a JSON body (nil: none) and gives the answer, decoded.
func do[T any](ctx context.Context, c *client, method, path string, in any) (*T, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
	}
	pauses := c.backoff()
	for attempt := 1; ; attempt++ {
		url := c.urls[(c.next.Add(1)-1)%uint64(len(c.urls))]
		answer := new(T) // nothing of an answer that failed stays
		err := c.once(ctx, method, url+path, body, answer)
		if err == nil {
			return answer, nil
		}
		reason, passing := reasonOf(err)
		if !passing || ctx.Err() != nil {
			return nil, err
		}
		var pause time.Duration
		if attempt%len(c.urls) == 0 {
			if pause = pauses.NextBackOff(); pause == backoff.Stop {
				return nil, fmt.Errorf("after %d attempts: %w", attempt, err)
			}
		}
		var failed *serverError
		if errors.As(err, &failed) {
			pause = max(pause, failed.after)
		}
		c.retries.Incr(1, reason)
		c.log.With("url", url, "attempt", attempt, "pause", pause).Warnf("Search server: trying again: %v", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// reasonOf names what went wrong for the metric, and says whether it may pass.
func reasonOf(err error) (reason string, passing bool) {
	var answered *serverError
	if errors.As(err, &answered) {
		return strconv.Itoa(answered.status), answered.passing()
	}
	if errors.Is(err, errPartial) {
		return "partial", true
	}
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &syntax) || errors.As(err, &mismatch) {
		return "answer", false
	}
	return "connection", true
}

// checked is an answer that can say itself that it is not whole.
type checked interface{ check() error }

// errPartial tells an answer from which some shards are missing.
var errPartial = errors.New("answer is not whole")

const longestReason = 500 // bytes of a server's error that are shown

func (c *client) once(ctx context.Context, method, url string, body []byte, out any) error {
	request, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	c.authorize(request)
	start := time.Now()
	defer func() { c.latency.Timing(time.Since(start).Nanoseconds()) }()
	response, err := c.http.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode < 200 || response.StatusCode > 299 {
		return failure(response)
	}
	if err := json.NewDecoder(response.Body).Decode(out); err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	_, _ = io.Copy(io.Discard, response.Body) // to its end, so that the connection is used again
	if whole, ok := out.(checked); ok {
		return whole.check()
	}
	return nil
}

// cause is an error as the servers write it.
type cause struct {
	Type, Reason string
	CausedBy     *cause `json:"caused_by"`
}

// all is the reason with the reasons for it.
func (c cause) all() string {
	reason := c.Reason
	for deeper := c.CausedBy; deeper != nil; deeper = deeper.CausedBy {
		reason += ": " + deeper.Reason
	}
	return reason
}

// failure reads an error as the servers write it: an object with its type and reason, or a text (proxies, unknown paths).
func failure(response *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	e := &serverError{status: response.StatusCode, body: string(body)}
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.after = min(time.Duration(seconds)*time.Second, time.Minute)
	}
	var answer struct {
		Error struct {
			cause
			RootCause []cause `json:"root_cause"`
		}
	}
	var text struct{ Error string }
	switch {
	case json.Unmarshal(body, &answer) == nil && answer.Error.Type != "":
		e.kind, e.reason = answer.Error.Type, answer.Error.all()
		if causes := answer.Error.RootCause; len(causes) > 0 && causes[0].Type != "" {
			e.kind, e.reason = causes[0].Type, causes[0].all()
			if deeper := answer.Error.CausedBy; deeper != nil && causes[0].CausedBy == nil && deeper.Reason != causes[0].Reason {
				e.reason += ": " + deeper.all()
			}
		}
	case json.Unmarshal(body, &text) == nil && text.Error != "":
		e.reason = text.Error
	default:
		e.reason = strings.TrimSpace(e.body)
	}
	if len(e.reason) > longestReason {
		e.reason = e.reason[:longestReason] + "…"
	}
	return e
}
