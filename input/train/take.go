package train

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/redpanda-data/benthos/v4/public/service"
	"golang.org/x/sync/semaphore"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/internal/spool"
)

// gatherBatches is the most batches of the child that are written to disk together.
const gatherBatches = 1024

// Bounds in bytes of what waits to be spooled. A single batch may have more: the child decides its size.
const (
	maxWaiting = 64 << 20 // in memory
	maxWrite   = 16 << 20 // written to disk together
)

// tellPause is how long messages that were set aside are only counted before they are logged again: a flood of them must not flood the log.
const tellPause = time.Minute

// spoolPause is the pause between attempts to write to a failing spool.
const spoolPause = 500 * time.Millisecond

// taker brings events from the child input to the spool.
type taker struct {
	child    *service.OwnedInput
	mapping  *mapping.Mapping
	target   annotation.Target
	label    *mapping.Label
	length   int // of the contexts that events may come with
	limits   spool.Limits
	spoolDir string
	spool    *spool.Spool
	log      *service.Logger
	metrics  metrics
	now      func() time.Time
	after    func(time.Duration) <-chan time.Time

	refused bool   // it was logged that a label was refused
	stuck   string // what was last logged about old events that cannot be dropped
	crowded bool   // it was logged that max_bytes drops events

	// How many messages were set aside and not logged yet, why the first of them was, and when this was last logged.
	untold int
	why    string
	told   time.Time
}

// taken is a batch of the child that waits to be spooled.
type taken struct {
	batch service.MessageBatch
	ack   service.AckFunc
	bytes int64
}

// run spools what the child gives until the child ends (true) or ctx does (false). Batches that arrive while others are written are then
// written together: a source of single messages does not wait for the disk at each.
func (t *taker) run(ctx context.Context) (ended bool) {
	arrived := make(chan taken, gatherBatches)
	room := semaphore.NewWeighted(maxWaiting)
	go func() {
		defer close(arrived)
		for {
			batch, ack, err := t.child.ReadBatch(ctx)
			if err != nil {
				if !errors.Is(err, service.ErrEndOfInput) && ctx.Err() == nil {
					t.log.Errorf("The child input failed: %v", err)
				}
				return
			}
			next := taken{batch, ack, min(size(batch), maxWaiting)}
			if err := room.Acquire(ctx, next.bytes); err != nil {
				t.acknowledge(ctx, next, err)
				return
			}
			arrived <- next
		}
	}()
	for first := range arrived {
		all, bytes := []taken{first}, first.bytes
	more:
		for len(all) < gatherBatches && bytes < maxWrite {
			select {
			case next, open := <-arrived:
				if !open {
					break more
				}
				all = append(all, next)
				bytes += next.bytes
			default:
				break more
			}
		}
		t.keep(ctx, all)
		room.Release(bytes)
	}
	t.tellRejected()
	return ctx.Err() == nil
}

// size is the number of bytes of all messages.
func size(batch service.MessageBatch) (bytes int64) {
	for _, message := range batch {
		content, _ := message.AsBytes() // never fails
		bytes += int64(len(content))
	}
	return bytes
}

// keep spools batches and acknowledges them. If the input is closed first, they go back to the child.
func (t *taker) keep(ctx context.Context, all []taken) {
	var records []spool.Record
	var rejected []spool.Rejected
	for _, one := range all {
		batch := one.batch.Copy() // what reading makes of the documents goes with it
		reader, labels := t.mapping.Over(batch), t.label.Over(batch)
		for i, message := range batch {
			record, err := t.record(message, reader, labels, i)
			if n := names(record); err == nil && n > maxRecord {
				err = fmt.Errorf("the event and its context have %d bytes, need at most %d", n, maxRecord)
			}
			if err != nil {
				content, _ := message.AsBytes() // never fails
				rejected = append(rejected, spool.NewRejected(content, err))
				continue
			}
			if record.Refused != "" {
				t.metrics.refusedLabels.Incr(1)
				if !t.refused {
					t.refused = true
					t.log.Warnf("A label is refused: its event is learnt without a label, and its cluster gets no score from labels (further ones are only counted): %s",
						record.Refused)
				}
			}
			records = append(records, record)
		}
	}
	err := t.write(ctx, records, rejected)
	for _, one := range all {
		t.acknowledge(ctx, one, err)
	}
}

func (t *taker) acknowledge(ctx context.Context, one taken, err error) {
	if e := one.ack(context.WithoutCancel(ctx), err); e != nil && ctx.Err() == nil {
		t.log.Errorf("Spooled events were not acknowledged and may come again: %v", e)
	}
}

// tellRejected logs how many messages were set aside since it was last called.
func (t *taker) tellRejected() {
	if t.untold == 0 {
		return
	}
	t.log.With("messages", t.untold, "spool", t.spoolDir).Warnf("Messages set aside in %s, the first one: %s", spool.RejectedFile, t.why)
	t.untold, t.told = 0, t.now()
}

// write retries until it works or ctx ends. If thousands of messages went back to the source instead, it would send them one by one, with a
// pause after each, for hours after the disk has recovered.
func (t *taker) write(ctx context.Context, records []spool.Record, rejected []spool.Rejected) error {
	if len(rejected) > 0 && t.untold == 0 {
		t.why = rejected[0].Error
	}
	t.untold += len(rejected)
	if t.now().Sub(t.told) >= tellPause {
		t.tellRejected()
	}
	started := time.Now()
	failed := ""
	for left := rejected; ; {
		// Reject comes first: to reject a message twice does no harm, but an event that is appended twice counts twice.
		var err error
		if len(left) > 0 {
			err = t.spool.Reject(left)
		}
		if err == nil {
			left = nil
			err = t.spool.Append(records)
		}
		if err == nil {
			break
		}
		if err.Error() != failed {
			failed = err.Error()
			t.log.Errorf("Events cannot be spooled (this is retried until it works): %v", err)
		}
		select {
		case <-t.after(spoolPause):
		case <-ctx.Done():
			return err
		}
	}
	if failed != "" {
		t.log.With("spool", t.spoolDir, "took", time.Since(started).Round(time.Millisecond)).Info("Events are spooled again")
	}
	stuck := ""
	if err := t.spool.Stuck(); err != nil {
		if stuck = err.Error(); stuck != t.stuck {
			t.log.Errorf("Events beyond %s cannot be dropped, the spool grows: %v", fieldMaxEvents, err)
		}
	}
	t.stuck = stuck
	if n := t.spool.Crowded(); n > 0 && !t.crowded {
		t.crowded = true
		t.log.With("spool", t.spoolDir, "dropped", n, "kept", t.spool.Len()).Warnf("The spool keeps fewer than %d events (%s), since they take more than %s (%s)",
			t.limits.Records, fieldMaxEvents, humanize.IBytes(uint64(t.limits.Bytes)), fieldMaxBytes)
	}
	t.metrics.spoolLatency.Timing(time.Since(started).Nanoseconds())
	t.metrics.events.Incr(int64(len(records)), "spooled")
	t.metrics.events.Incr(int64(len(rejected)), "rejected")
	t.metrics.spooled.Set(int64(t.spool.Len()))
	return nil
}
