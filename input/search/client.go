package search

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/redpanda-data/benthos/v4/public/service"
)

// client sends requests to the nodes of one cluster, in turn. It retries a request that may succeed later: if a node does not answer, or
// answers with 408, 429 or 5xx, or if the answer is incomplete or does not fit the request. The next node is tried at once; when all nodes
// were tried, the client pauses, each time longer.
type client struct {
	nodes     []node
	authorize func(*http.Request)
	secrets   secrets
	http      *http.Client
	backoff   func() *backoff.ExponentialBackOff

	next    atomic.Uint64
	retries *service.MetricCounter // by reason
	latency *service.MetricTimer
	log     *service.Logger
}

// node is a server of the cluster.
type node struct {
	url  string        // without credentials, and without a slash at the end
	user *url.Userinfo // of its URL; nil: none
}

// noRedirects keeps credentials and documents with the servers of the config. A redirect becomes an error that names its target.
func noRedirects(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// answer is the answer to a request that succeeded.
type answer interface {
	// check is an error if the answer is incomplete or does not fit the request.
	check() error
	// failed gives the error that the answer contains all the same, and its status.
	failed() (json.RawMessage, int)
}

var (
	errPartial = errors.New("answer is not whole")
	errAnswer  = errors.New("not an answer to the request")
	errTooLong = errors.New("answer is too long")
)

// maxSmall bounds the bytes of answers other than pages.
const maxSmall = 16 << 20

// do sends a request with a JSON body, or none if in is nil, and decodes the answer, which may have at most limit bytes.
func do[T any, A interface {
	*T
	answer
}](ctx context.Context, c *client, method, path string, in any, limit int) (*T, error) {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
	}
	pauses := c.backoff()
	for attempt := 1; ; attempt++ {
		node := c.nodes[(c.next.Add(1)-1)%uint64(len(c.nodes))]
		answer := A(new(T)) // nothing of an answer that failed stays
		err := c.once(ctx, method, node, path, body, answer, limit)
		if err == nil {
			return answer, nil
		}
		reason, passing := reasonOf(err)
		if !passing || ctx.Err() != nil {
			return nil, err
		}
		var pause time.Duration
		if attempt%len(c.nodes) == 0 {
			if pause = pauses.NextBackOff(); pause == backoff.Stop {
				return nil, fmt.Errorf("after %d attempts: %w", attempt, err)
			}
		}
		if failed, ok := errors.AsType[*serverError](err); ok {
			pause = max(pause, failed.after)
		}
		c.retries.Incr(1, reason)
		c.log.With("url", node.url, "attempt", attempt, "pause", pause).Warnf("Search server: trying again: %v", c.secrets.hide(err))
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// reasonOf names the reason of a failure for the metric, and reports whether it may pass.
func reasonOf(err error) (reason string, passing bool) {
	var answered *serverError
	switch {
	case errors.As(err, &answered):
		return strconv.Itoa(answered.status), answered.passing()
	case errors.Is(err, errPartial):
		return "partial", true
	case errors.Is(err, errAnswer):
		return "answer", true
	case errors.Is(err, errTooLong):
		return "size", false
	}
	return "connection", true
}

func (c *client) once(ctx context.Context, method string, n node, path string, body []byte, out answer, limit int) error {
	request, err := http.NewRequestWithContext(ctx, method, n.url+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	request.Header.Set("Accept", "application/json")
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	c.authorize(request)
	if n.user != nil && request.Header.Get("Authorization") == "" {
		password, _ := n.user.Password()
		request.SetBasicAuth(n.user.Username(), password)
	}
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
	content, err := io.ReadAll(io.LimitReader(response.Body, int64(limit)+1))
	if err != nil {
		return err
	}
	if len(content) > limit {
		return fmt.Errorf("%w: more than %d bytes", errTooLong, limit)
	}
	return decode(response.StatusCode, content, out)
}

// decode reads an answer with status 2xx.
func decode(status int, content []byte, out answer) error {
	if err := json.Unmarshal(content, out); err != nil {
		return fmt.Errorf("%w: %w", errAnswer, err)
	}
	if failed, inside := out.failed(); len(failed) > 0 && string(failed) != "null" {
		if inside >= 400 && inside < 600 {
			status = inside
		}
		return newServerError(status, content)
	}
	return out.check()
}
