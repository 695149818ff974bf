package search

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// serverError is an answer with a status other than 2xx, or one that contains an error.
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

// expired reports that the server no longer has the point in time: keep_alive was too short, or a node was lost.
func (e *serverError) expired() bool {
	return strings.Contains(e.body, "search_context_missing_exception")
}

// unknownPath reports that the server does not have such an API. Elasticsearch before 8 takes any path of two segments for an index and a
// type, and answers that a document is missing.
func (e *serverError) unknownPath() bool {
	if e.status != http.StatusBadRequest && e.status != http.StatusNotFound && e.status != http.StatusMethodNotAllowed {
		return false
	}
	return slices.ContainsFunc([]string{"no handler found", "Incorrect HTTP method", "request body is required", "can't start with '_'"},
		func(s string) bool { return strings.Contains(e.body, s) })
}

// cause is an error in the format of the servers.
type cause struct {
	Type, Reason string
	CausedBy     *cause `json:"caused_by"`
}

// all is the reason followed by its own reasons.
func (c cause) all() string {
	reasons := []string{c.Reason}
	for deeper := c.CausedBy; deeper != nil; deeper = deeper.CausedBy {
		reasons = append(reasons, deeper.Reason)
	}
	return strings.Join(reasons, ": ")
}

const maxError = 1 << 20 // bytes of an error that are read

// failure reads an answer with a status other than 2xx.
func failure(response *http.Response) error {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxError))
	if err != nil {
		return err
	}
	e := newServerError(response.StatusCode, body)
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		e.after = min(time.Duration(seconds)*time.Second, time.Minute)
	}
	if to, err := response.Location(); err == nil && response.StatusCode < 400 {
		e.kind, e.reason = "", fmt.Sprintf("it redirects to %s://%s%s, which is not followed: put that server into urls if it is the right one",
			to.Scheme, to.Host, to.EscapedPath())
	}
	return e
}

// newServerError reads the body of an error: an object with type and reason, or a text (of proxies, or for unknown paths).
func newServerError(status int, body []byte) *serverError {
	body = body[:min(len(body), maxError)] // what is decoded of it takes many times its bytes
	e := &serverError{status: status, body: string(body)}
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
	return e
}
