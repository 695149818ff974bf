package review

import (
	"errors"
	"time"
)

// What stops a request. The page gives each a status of HTTP.
var (
	ErrNotFound = errors.New("there is no such item")                             // 404
	ErrInvalid  = errors.New("cannot be decided")                                 // 422: the text around it says what would be right
	ErrLocked   = errors.New("another program is writing to the model directory") // 423
	ErrClosed   = errors.New("the model directory cannot be written")             // 503
)

// ConflictError is in errors about items that changed since they were seen. Nothing was decided.
type ConflictError struct{ Conflicts []Conflict }

// Conflict is what became of an item meanwhile.
type Conflict struct {
	ID    string    `json:"id"`
	Event string    `json:"event"`
	Rev   string    `json:"rev"`  // its revision now; "" if the item is gone
	What  string    `json:"what"` // a sentence
	Score *float64  `json:"score"`
	By    string    `json:"by,omitempty"`
	At    time.Time `json:"at,omitzero"`
	Why   string    `json:"why,omitempty"`
}

func (e *ConflictError) Error() string {
	if len(e.Conflicts) > 0 && e.Conflicts[0].What != "" {
		return "decided meanwhile: " + e.Conflicts[0].What
	}
	return "decided meanwhile"
}

// ConfirmError says what a wide decision would settle; with Decide.Confirm it counts.
type ConfirmError struct{ Effect Effect }

func (e *ConfirmError) Error() string { return "needs to be confirmed: " + e.Effect.Sentence }
