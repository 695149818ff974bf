package processor

import (
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// outcome counts the events that a processor saw and how many of them failed there. A run in which all failed ends like any other, with exit
// status 0: what is said at its end is all that tells.
type outcome struct{ seen, failed atomic.Int64 }

func (o *outcome) add(seen, failed int) {
	o.seen.Add(int64(seen))
	o.failed.Add(int64(failed))
}

// count counts what fails in a batch from now until the function is called that it gives. What came with an error failed before.
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

// report says how it went, at level error where more than half failed. What is why events failed.
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
