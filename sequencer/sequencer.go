// Package sequencer gives each security event its context: the events before it on the same machine (paper, section III-A).
//
//   - [Table] is for events at rest. It reads csv, txt, JSON and ndjson files, compressed or not, and [Table.Sequence] gives the contexts.
//   - [Windows] is for a live stream. It keeps the last events of each machine in bounded memory. It handles late and redelivered
//     events, and its windows can be saved and restored.
//
// If the events of a stream arrive in the order of their times, both give the same contexts. This package knows event names but no model:
// package connect-deepcase/model learns from the sequences.
package sequencer

import (
	"fmt"
	"math"
	"time"
)

// Event is one security event. In contexts, the name "" stands for NO_EVENT.
type Event struct {
	Machine string
	Name    string
	Time    time.Time
	ID      string // optional: an event with the same id, name and time on the same machine is a redelivery
	Content uint64 // optional, with an ID: a hash of the whole event, 0 for none; a redelivery should have the same hash
}

// Options say what a context is.
type Options struct {
	Length  int           // events in a context, 10 in the paper
	Timeout time.Duration // older events are NO_EVENT in a context; a day in the paper
}

// DefaultOptions are those of the paper.
func DefaultOptions() Options { return Options{Length: 10, Timeout: 24 * time.Hour} }

// Validate returns an error that names the wrong setting.
func (o Options) Validate() error {
	if o.Length < 1 || o.Length > maxLength {
		return fmt.Errorf("length %d: want 1 to %d events", o.Length, maxLength)
	}
	if o.Timeout < 0 {
		return fmt.Errorf("timeout %s: want 0 or more", o.Timeout)
	}
	return nil
}

const maxLength = 10_000

// tooOld is the timeout rule of the paper for a context event at time then ≤ now, in Unix nanoseconds. The difference of two int64 may
// overflow an int64, but fits a uint64.
func (o Options) tooOld(then, now int64) bool { return uint64(now)-uint64(then) > uint64(o.Timeout) }

// nanos is t in Unix nanoseconds. A time that int64 cannot hold (before 1678 or after 2262) becomes the smallest or largest int64.
func nanos(t time.Time) int64 {
	switch s := t.Unix(); {
	case s < minSecond:
		return math.MinInt64
	case s >= maxSecond:
		return math.MaxInt64
	}
	return t.UnixNano()
}

const (
	minSecond = math.MinInt64/1_000_000_000 + 1
	maxSecond = math.MaxInt64 / 1_000_000_000
)
