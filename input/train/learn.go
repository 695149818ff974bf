package train

import (
	"context"
	"os"
	"path/filepath"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/disk"
	"connect-deepcase/internal/spool"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

// learner learns from the spool, publishes models and sends their clusters.
type learner struct {
	dir        string // of the models
	spoolDir   string
	limits     spool.Limits
	maxNames   int
	maxMemory  int64
	every      time.Duration // 0: once, when the child ends
	params     model.Params
	strategy   interpreter.Strategy
	keepScores bool
	report     bool
	retain     int
	engine     contextbuilder.Engine
	spool      *spool.Spool
	log        *service.Logger
	metrics    metrics
	now        func() time.Time

	tried time.Time // when the last training of this process ended, however
	out   chan outgoing
}

// run trains whenever a training is due, and once more when the child has ended.
func (l *learner) run(ctx context.Context, ended <-chan struct{}) {
	for {
		var due <-chan time.Time
		if l.every > 0 {
			due = time.After(l.untilDue())
		}
		select {
		case <-ctx.Done():
			return
		case <-ended:
			l.once(ctx)
			return
		case <-due:
			l.once(ctx)
		}
	}
}

// trainedFile has the time at which the spool was last learnt from, or first used, so that restarts do not postpone a training.
const trainedFile = "trained"

// mark sets the time of trainedFile to now. It may be called concurrently.
func (l *learner) mark() {
	file, err := disk.OpenOwn(filepath.Join(l.spoolDir, trainedFile), os.O_WRONLY|os.O_TRUNC)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
		l.log.Errorf("The time of the last training is not kept: %v", err)
	}
}

func (l *learner) untilDue() time.Duration {
	last := l.tried
	if last.IsZero() {
		info, err := os.Stat(filepath.Join(l.spoolDir, trainedFile))
		if err != nil {
			return l.every
		}
		if last = info.ModTime(); last.After(l.now()) { // the clock was ahead: with that time each restart would begin to wait anew
			l.mark()
		}
	}
	return min(max(0, last.Add(l.every).Sub(l.now())), l.every)
}

// once learns from the spool, publishes a version and sends its clusters. A failure is logged and counted, and the events stay.
func (l *learner) once(ctx context.Context) {
	started := time.Now()
	r, m, err := l.publish(ctx)
	l.tried = l.now()
	out := outgoing{ack: l.delivered}
	switch {
	case err == nil:
		l.metrics.trainings.Incr(1, "published")
		l.metrics.trainTime.Timing(time.Since(started).Nanoseconds())
		l.log.With("version", r.Model, "clusters", r.Clusters, "clustered", r.Clustered, "took", time.Since(started).Round(time.Millisecond)).
			Info("Model published")
		if out.batch = clusterMessages(m, r.Model); l.report {
			out.batch = append(out.batch, r.message())
		}
	case ctx.Err() != nil:
		l.metrics.trainings.Incr(1, "cancelled")
		l.log.With("spool", l.spoolDir).Info("Training cancelled, its events stay in the spool")
		return
	default:
		l.mark() // what cannot be learnt from is tried again when it is due again, not at once
		l.metrics.trainings.Incr(1, "failed")
		l.log.With("spool", l.spoolDir).Errorf("No model learnt, the events stay in the spool: %v", err)
		failed := report{Status: "failed", Error: err.Error(), Events: l.spool.Len()}
		out = outgoing{service.MessageBatch{failed.message()}, func(context.Context, error) error { return nil }}
	}
	select {
	case l.out <- out:
	case <-ctx.Done():
	}
}

// delivered is called when the clusters of a training have arrived, or with the reason that they have not. Until then the training is due again
// after a restart. Without retraining the events are then dropped.
func (l *learner) delivered(_ context.Context, err error) error {
	if err != nil {
		return err
	}
	l.mark()
	if l.every > 0 {
		return nil
	}
	if err := l.spool.Clear(); err != nil {
		l.log.With("spool", l.spoolDir).Errorf("Events that were learnt from stay in the spool and will be part of the next training: %v", err)
	}
	l.metrics.spooled.Set(0)
	return nil
}
