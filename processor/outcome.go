package processor

import (
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// outcome counts the events that a processor saw, and how many of them failed there. A run in which all events failed also ends with exit
// status 0, so only the log line at its end says so.
type outcome struct{ seen, failed atomic.Int64 }

func (o *outcome) add(seen, failed int) {
	o.seen.Add(int64(seen))
	o.failed.Add(int64(failed))
}

// count counts what fails in a batch between its call and that of the function that it returns. A message that came with an error failed
// before, and does not count.
func (o *outcome) count(batch service.MessageBatch) func() {
	came := errored(batch)
	return func() { o.add(len(batch)-came, errored(batch)-came) }
}

func errored(batch service.MessageBatch) (n int) {
	for _, message := range batch {
		if message.GetError() != nil {
			n++
		}
	}
	return n
}

// report logs the counts, at level error if more than half of the events failed. what says what failing means.
func (o *outcome) report(log *service.Logger, what string) {
	seen, failed := o.seen.Load(), o.failed.Load()
	switch say := log.Warnf; {
	case seen == 0:
	case failed == 0:
		log.Infof("%d events read, 0 failed", seen)
	default:
		if failed > seen/2 {
			say = log.Errorf
		}
		say("%d events read, %d failed: %s", seen, failed, what)
	}
}
