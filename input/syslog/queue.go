package syslog

import (
	"context"
	"slices"
	"sync"
)

// received is a message on its way from a socket.
type received struct {
	text          []byte
	network, peer string
	err           error // why it was refused
}

// overhead is about the memory that a message takes in addition to its text.
const overhead = 512

func (r received) size() int { return len(r.text) + overhead }

// queue holds messages until they are read, and counts them until they are acknowledged.
type queue struct {
	limit int // bytes

	mu       sync.Mutex
	changed  *sync.Cond
	waiting  []received
	bytes    int // of the messages that are not acknowledged yet
	messages int // as many
	ended    bool
}

func newQueue(limit int) *queue {
	q := &queue{limit: limit}
	q.changed = sync.NewCond(&q.mu)
	return q
}

// put waits for room. If the queue ends first, the message is counted as lost.
func (q *queue) put(r received) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.messages++
	for !q.ended && q.bytes > 0 && q.bytes+r.size() > q.limit {
		q.changed.Wait()
	}
	if q.ended {
		return
	}
	q.bytes += r.size()
	q.waiting = append(q.waiting, r)
	q.changed.Broadcast()
}

// take waits for messages and gives at most so many. It gives none if the queue has ended and is empty.
func (q *queue) take(ctx context.Context, most int) ([]received, error) {
	defer context.AfterFunc(ctx, func() {
		q.mu.Lock() // else the waiter below could miss the signal
		defer q.mu.Unlock()
		q.changed.Broadcast()
	})()
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) == 0 && !q.ended {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		q.changed.Wait()
	}
	n := min(most, len(q.waiting))
	taken := slices.Clone(q.waiting[:n])
	clear(q.waiting[:n]) // else what was released would stay in memory beyond the limit
	if q.waiting = q.waiting[n:]; len(q.waiting) == 0 {
		q.waiting = nil
	}
	return taken, nil
}

// release forgets messages that were acknowledged.
func (q *queue) release(taken []received) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, r := range taken {
		q.bytes -= r.size()
	}
	q.messages -= len(taken)
	q.changed.Broadcast()
}

// end makes take return what is left, and then nothing.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.changed.Broadcast()
}

// unacknowledged is the number of messages that are not acknowledged.
func (q *queue) unacknowledged() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.messages
}
