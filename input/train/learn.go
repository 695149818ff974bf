package train

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/disk"
	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/internal/spool"
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
	file, err := disk.OpenOwn(filepath.Join(t.spoolDir, trainedFile), os.O_WRONLY|os.O_TRUNC)
	if err == nil {
		err = file.Close()
	}
	if err != nil {
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
		if last = info.ModTime(); last.After(t.now()) { // the clock was ahead: with that time each restart would begin to wait anew
			t.mark()
		}
	}
	return min(max(0, last.Add(t.every).Sub(t.now())), t.every)
}

// once learns from the spool, publishes a version and hands on its clusters. What fails is logged and counted; the events stay.
func (t *train) once(ctx context.Context) {
	started := time.Now()
	r, m, err := t.publish(ctx)
	t.tried = t.now()
	out := outgoing{ack: t.delivered}
	switch {
	case err == nil:
		t.metrics.trainings.Incr(1, "published")
		t.metrics.trainTime.Timing(time.Since(started).Nanoseconds())
		t.log.With("version", r.Model, "clusters", r.Clusters, "clustered", r.Clustered, "took", time.Since(started).Round(time.Millisecond)).
			Info("Model published")
		if out.batch = clusterMessages(m, r.Model); t.report {
			out.batch = append(out.batch, r.message())
		}
	case ctx.Err() != nil:
		t.metrics.trainings.Incr(1, "cancelled")
		t.log.With("spool", t.spoolDir).Info("Training cancelled, its events stay in the spool")
		return
	default:
		t.mark() // what cannot be learnt from is tried again when it is due again, not at once
		t.metrics.trainings.Incr(1, "failed")
		t.log.With("spool", t.spoolDir).Errorf("No model learnt, the events stay in the spool: %v", err)
		failed := report{Status: "failed", Error: err.Error(), Events: t.spool.Len()}
		out = outgoing{service.MessageBatch{failed.message()}, func(context.Context, error) error { return nil }}
	}
	select {
	case t.out <- out:
	case <-ctx.Done():
	}
}

// publish learns from the spool and publishes what it learnt.
func (t *train) publish(ctx context.Context) (r report, m *model.Model, err error) {
	snapshot := t.spool.Snapshot()
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	if err := t.begin(snapshot.Len()); err != nil {
		return r, nil, err
	}
	defer func() { err = errors.Join(err, t.finish()) }()
	if err := t.afford(0, snapshot.Len()); err != nil { // before the events take their part of it
		return r, nil, err
	}
	d, err := gather(ctx, snapshot, sequencer.Options{Length: t.params.Length, Timeout: t.params.Timeout})
	if err != nil {
		return r, nil, err
	}
	if err := t.fold(d); err != nil {
		return r, nil, err
	}
	refused := d.unlabel()
	if err := t.afford(len(d.data.Names), d.data.Samples.Rows()); err != nil {
		return r, nil, err
	}
	if d.reused > 0 {
		t.log.With("events", d.reused).Warnf("The %s of events does not tell them apart: %s. They count as events of their own", mapping.FieldID, d.reusedID)
	}
	if d.other > 0 {
		t.log.With("events", d.other).Warnf("Events with the %s, name and time of an earlier one have another document: %s. They are taken for that event come again "+
			"and are not learnt from; set %s to what tells events apart, or to nothing", mapping.FieldID, d.otherID, mapping.FieldID)
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
	m, err = model.Train(ctx, t.engine, d.data, params)
	if err != nil {
		return r, nil, err
	}
	fit, err := m.Fit(ctx, t.engine, d.data)
	if err == nil {
		err = fit.Err()
	}
	if err != nil {
		return r, nil, err
	}
	if fit.Poor() {
		t.log.Warnf("The network explains nothing, more epochs or another learning rate may: %v", fit)
	} else {
		t.log.Infof("Network trained: %v", fit)
	}
	m, rows, err := m.Cluster(ctx, t.engine, d.data, t.strategy)
	if err != nil {
		return r, nil, fmt.Errorf("clustering: %w", err)
	}
	m = m.WithExamples(rows, d.source)
	if without := withhold(m, rows.Clusters, refused); d.refused > 0 {
		t.log.With("events", d.refused, "clusters_without_score", without).
			Errorf("Labels were refused, so that their events have none and their clusters get no score from labels: %s", d.whyRefused)
	}
	if len(m.Clusters) == 0 {
		// It would answer unknown_event to everything, and the scores of the model before would be gone.
		return r, nil, fmt.Errorf("no clusters in %d events of %d types (%d more came twice): need more events, or a smaller min_samples",
			d.data.Samples.Rows(), len(d.data.Names), d.repeated)
	}
	models, err := store.Open(t.dir, true, store.Retain(t.retain))
	if err != nil {
		return r, nil, err
	}
	done, err := t.succeed(ctx, models, m)
	if err != nil {
		return r, nil, err
	}
	t.metrics.clusters.Set(int64(len(m.Clusters)))
	return report{
		Status: "published", Model: done.Version, Events: d.data.Samples.Rows(), Names: len(d.data.Names), RareNames: d.rareNames, Repeated: d.repeated,
		Damaged: d.damaged, Refused: d.refused, Clusters: len(m.Clusters), Clustered: clustered(rows), Scores: newScoresReport(done),
	}, done.Model, nil
}

// fold leaves out rare names where there are too many.
func (t *train) fold(d *dataset) error {
	all := len(d.data.Names)
	var folded model.Folded
	d.data, folded = d.data.Fold(t.maxNames)
	d.rareNames = len(folded.Names)
	t.metrics.rareNames.Set(int64(d.rareNames))
	if len(folded.Names) == 0 {
		return nil
	}
	d.source = d.source.Pick(folded.Rows)
	t.log.With("names", all, "left_out", len(folded.Names), "events", folded.Samples).
		Warnf("There are more than %d names of events (%s), so that rare ones are left out: contexts have no event in their place, and events of these names will be unknown_event. Some of them: %s",
			t.maxNames, fieldMaxNames, excerpts(folded.Names))
	if d.data.Samples.Rows() == 0 {
		return fmt.Errorf("no events are left to learn from with %s %d", fieldMaxNames, t.maxNames)
	}
	return nil
}

// excerpts shows the first few names.
func excerpts(names []string) string {
	var shown []string
	for _, name := range names[:min(3, len(names))] {
		shown = append(shown, excerpt.Quote(name))
	}
	return strings.Join(shown, ", ")
}

// afford is an error if learning would take more memory than it may.
func (t *train) afford(names, events int) error {
	if need := t.params.TrainingMemory(names, events); need > t.maxMemory {
		return fmt.Errorf("learning from %d events of %d names (length %d, hidden %d) would take about %s of memory, more than %s (%s): raise that, or lower %s (%d) or %s (%d)",
			events, names, t.params.Length, t.params.Hidden, humanize.IBytes(uint64(need)), humanize.IBytes(uint64(t.maxMemory)), fieldMaxMemory,
			fieldMaxEvents, t.limits.Records, fieldMaxNames, t.maxNames)
	}
	return nil
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
func (t *train) succeed(ctx context.Context, models *store.Store, m *model.Model) (*store.Published, error) {
	if !t.keepScores {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		version, err := models.Publish(ctx, m)
		return &store.Published{Version: version, Model: m}, err
	}
	done, err := models.PublishInheriting(ctx, m, func(ctx context.Context, before *model.Model) (*model.Model, model.Inheritance, error) {
		return m.Inherit(ctx, t.engine, before)
	})
	if err != nil {
		return nil, err
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
	return done, nil
}
