package input

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/input/spool"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/store"
	"connect-deepcase/sequencer"
)

// learn trains when it is time to, and once more when the child has ended.
func (t *train) learn(ctx context.Context) {
	for {
		var due <-chan time.Time
		if t.every > 0 {
			due = time.After(t.untilDue())
		}
		select {
		case <-ctx.Done():
			return
		case <-t.ended:
			t.once(ctx)
			return
		case <-due:
			t.once(ctx)
		}
	}
}

// trainedFile marks by its time when the spool was last learnt from, or first used, so that restarts do not put a training off.
const trainedFile = "trained"

// mark may be called from several goroutines at once.
func (t *train) mark() {
	if err := os.WriteFile(filepath.Join(t.spoolDir, trainedFile), nil, 0o644); err != nil {
		t.log.Errorf("The time of the last training is not kept: %v", err)
	}
}

func (t *train) untilDue() time.Duration {
	last := t.tried
	if last.IsZero() {
		info, err := os.Stat(filepath.Join(t.spoolDir, trainedFile))
		if err != nil {
			return t.every
		}
		last = info.ModTime()
	}
	return min(max(0, last.Add(t.every).Sub(t.now())), t.every)
}

// once learns from the spool, publishes a version and hands on its clusters. What fails is logged and counted; the events stay.
func (t *train) once(ctx context.Context) {
	started := time.Now()
	version, batch, err := t.publish(ctx)
	t.tried = t.now()
	switch {
	case err == nil:
		t.metrics.trainings.Incr(1, "published")
		t.metrics.trainTime.Timing(time.Since(started).Nanoseconds())
		t.log.With("version", version, "clusters", len(batch), "took", time.Since(started).Round(time.Millisecond)).Info("Model published")
	case ctx.Err() != nil:
		t.metrics.trainings.Incr(1, "cancelled")
		t.log.With("spool", t.spoolDir).Info("Training cancelled, its events stay in the spool")
		return
	default:
		t.mark() // what cannot be learnt from is tried again when it is due again, not at once
		t.metrics.trainings.Incr(1, "failed")
		t.log.With("spool", t.spoolDir).Errorf("No model learnt, the events stay in the spool: %v", err)
		return
	}
	select {
	case t.clusters <- batch:
	case <-ctx.Done():
	}
}

// publish learns from the spool and publishes what it learnt; the batch has a message for each cluster.
func (t *train) publish(ctx context.Context) (version string, batch service.MessageBatch, err error) {
	snapshot := t.spool.Snapshot()
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	d, err := gather(ctx, snapshot, sequencer.Options{Length: t.params.Length, Timeout: t.params.Timeout})
	if err != nil {
		return "", nil, err
	}
	t.metrics.damaged.Set(int64(d.damaged))
	if d.damaged > 0 {
		t.log.With("events", d.damaged, "file", filepath.Join(t.spoolDir, spool.DamagedFile)).
			Warn("Events in the spool were damaged on the disk, the training goes on without them")
	}
	if earlier := snapshot.Earlier(); earlier > 0 && t.every == 0 {
		t.log.With("spool", t.spoolDir).Warnf("%d events are of an earlier run, which did not end well; to learn without them, stop and remove the spool",
			earlier)
	}
	t.log.With("events", d.data.Samples.Rows(), "types", len(d.data.Names), "of_earlier_runs", snapshot.Earlier(), "repeated", d.repeated,
		"damaged", d.damaged, "other_length", d.misfit, "engine", t.engine.Name()).Info("Training started")

	params := t.params
	params.Training.Progress = t.progress
	m, err := model.Train(ctx, t.engine, d.data, params)
	if err != nil {
		return "", nil, err
	}
	m, _, err = m.Cluster(ctx, t.engine, d.data, t.strategy)
	if err != nil {
		return "", nil, fmt.Errorf("clustering: %w", err)
	}
	if len(m.Clusters) == 0 {
		// It would answer unknown_event to everything, and the scores of the model before would be gone.
		return "", nil, fmt.Errorf("no clusters in %d events of %d types (%d more came twice): need more events, or a smaller min_samples",
			d.data.Samples.Rows(), len(d.data.Names), d.repeated)
	}
	models, err := store.Open(t.dir, true, t.options...)
	if err != nil {
		return "", nil, err
	}
	if version, m, err = t.succeed(ctx, models, m); err != nil {
		return "", nil, err
	}
	t.metrics.clusters.Set(int64(len(m.Clusters)))
	for _, c := range m.Clusters {
		batch = append(batch, clusterMessage(c, version))
	}
	return version, batch, nil
}

// progress shows the end of each epoch.
func (t *train) progress(p contextbuilder.Progress) {
	if p.Batch < p.Batches {
		return
	}
	t.metrics.epoch.Set(int64(p.Epoch))
	t.metrics.loss.SetFloat64(p.Loss)
	t.log.With("epoch", p.Epoch, "epochs", p.Epochs, "loss", p.Loss).Info("Epoch trained")
}

// succeed publishes m, with the scores of the model before where they are to be kept.
func (t *train) succeed(ctx context.Context, models *store.Store, m *model.Model) (version string, with *model.Model, err error) {
	if !t.keepScores {
		if err := ctx.Err(); err != nil {
			return "", nil, err
		}
		version, err = models.Publish(ctx, m)
		return version, m, err
	}
	done, err := models.Succeed(ctx, m, func() (contextbuilder.Engine, error) { return t.engine, nil })
	if err != nil {
		return "", nil, err
	}
	log := t.log.With("version", done.Version, "before", done.From)
	switch {
	case done.NotKept != nil:
		log.Errorf("The scores of the model before are not kept: %v", done.NotKept)
	case len(done.Lost) > 0:
		log.Warnf("Scores of the model before: %v", done.Inheritance)
	case done.From != "":
		log.Infof("Scores of the model before kept: %v", done.Inheritance)
	}
	return done.Version, done.Model, nil
}
