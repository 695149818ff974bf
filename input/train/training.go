package train

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/dustin/go-humanize"

	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/internal/spool"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
	"connect-deepcase/sequencer"
)

// publish learns from the spool and publishes what it learnt.
func (l *learner) publish(ctx context.Context) (r report, m *model.Model, err error) {
	snapshot := l.spool.Snapshot()
	defer func() { err = errors.Join(err, snapshot.Close()) }()
	if err := l.begin(snapshot.Len()); err != nil {
		return r, nil, err
	}
	defer func() { err = errors.Join(err, l.finish()) }()
	d, err := l.load(ctx, snapshot)
	if err != nil {
		return r, nil, err
	}
	if m, err = l.train(ctx, d); err != nil {
		return r, nil, err
	}
	m, rows, withheld, err := l.cluster(ctx, m, d)
	if err != nil {
		return r, nil, err
	}
	models, err := store.Open(l.dir, true, store.Retain(l.retain))
	if err != nil {
		return r, nil, err
	}
	done, err := l.succeed(ctx, models, m, func(look decisions.Look, m *model.Model) (*model.Model, int, error) {
		return look.Label(m, rows, l.strategy, func(row int) (decisions.Subject, bool) {
			return d.subject(row), !withheld[rows.Clusters[row]]
		})
	})
	if err != nil {
		return r, nil, err
	}
	l.metrics.clusters.Set(int64(len(m.Clusters)))
	return report{
		Status: "published", Model: done.Version, Events: d.data.Samples.Rows(), Names: len(d.data.Names), RareNames: d.rareNames, Repeated: d.repeated,
		Damaged: d.damaged, Refused: d.refused, Clusters: len(m.Clusters), Clustered: clustered(rows), Scores: newScoresReport(done),
	}, done.Model, nil
}

// load reads the events to learn from, and logs which are left out.
func (l *learner) load(ctx context.Context, snapshot *spool.Snapshot) (*dataset, error) {
	if err := l.afford(0, snapshot.Len()); err != nil { // before the events take their part of it
		return nil, err
	}
	d, err := gather(ctx, snapshot, sequencer.Options{Length: l.params.Length, Timeout: l.params.Timeout})
	if err != nil {
		return nil, err
	}
	if err := l.fold(d); err != nil {
		return nil, err
	}
	d.refusedRows = d.unlabel()
	if err := l.afford(len(d.data.Names), d.data.Samples.Rows()); err != nil {
		return nil, err
	}
	if d.reused > 0 {
		l.log.With("events", d.reused).Warnf("The %s of events does not tell them apart: %s. They count as events of their own", mapping.FieldID, d.reusedID)
	}
	if d.other > 0 {
		l.log.With("events", d.other).Warnf("Events with the %s, name and time of an earlier one have another document: %s. They count as repetitions of that event "+
			"and are not learnt from: set %s to something that differs between events, or leave it empty", mapping.FieldID, d.otherID, mapping.FieldID)
	}
	if len(d.templates) > 1 {
		l.log.With("events_by_templates", d.templates).Warn("Events were named by deepcase_template with different files. That is right if they are files of different " +
			"sources, or if one extends the other. If not, events of one kind have several names")
	}
	l.metrics.damaged.Set(int64(d.damaged))
	if d.damaged > 0 {
		l.log.With("events", d.damaged, "file", filepath.Join(l.spoolDir, spool.DamagedFile)).
			Warn("Events in the spool were damaged on the disk, the training goes on without them")
	}
	if earlier := snapshot.Earlier(); earlier > 0 && l.every == 0 {
		l.log.With("spool", l.spoolDir).Warnf("%d events are from an earlier run that failed or was stopped; to learn without them, stop and remove the spool",
			earlier)
	}
	l.log.With("events", d.data.Samples.Rows(), "types", len(d.data.Names), "of_earlier_runs", snapshot.Earlier(), "repeated", d.repeated,
		"damaged", d.damaged, "other_length", d.misfit, "engine", l.engine.Name()).Info("Training started")
	return d, nil
}

// train trains a network and logs how well it predicts.
func (l *learner) train(ctx context.Context, d *dataset) (*model.Model, error) {
	params := l.params
	params.Training.Progress = l.progress
	m, err := model.Train(ctx, l.engine, d.data, params)
	if err != nil {
		return nil, err
	}
	fit, err := m.Fit(ctx, l.engine, d.data)
	if err == nil {
		err = fit.Err()
	}
	if err != nil {
		return nil, err
	}
	if fit.Poor() {
		l.log.Warnf("The network explains nothing. More epochs or another learning rate may help: %v", fit)
	} else {
		l.log.Infof("Network trained: %v", fit)
	}
	m.Templates = slices.Sorted(maps.Keys(d.templates))
	return m, nil
}

// cluster finds clusters, with examples and the scores that labels give them. withheld are those that must get no score of answers.
func (l *learner) cluster(ctx context.Context, m *model.Model, d *dataset) (_ *model.Model, rows *model.Assignment, withheld map[int32]bool, err error) {
	if m, rows, err = m.Cluster(ctx, l.engine, d.data, l.strategy); err != nil {
		return nil, nil, nil, fmt.Errorf("clustering: %w", err)
	}
	m = m.WithExamples(rows, d.source)
	withheld, without := withhold(m, rows.Clusters, d.refusedRows)
	if d.refused > 0 {
		l.log.With("events", d.refused, "clusters_without_score", without).
			Errorf("Labels were refused. Their events have no label, and their clusters get no score from labels: %s", d.whyRefused)
	}
	if len(m.Clusters) == 0 {
		// Such a model would answer unknown_event to everything, and the scores of the previous model would be gone.
		return nil, nil, nil, fmt.Errorf("no clusters in %d events of %d types (%d more came twice): need more events, or a smaller min_samples",
			d.data.Samples.Rows(), len(d.data.Names), d.repeated)
	}
	return m, rows, withheld, nil
}

// fold leaves out rare names if there are too many.
func (l *learner) fold(d *dataset) error {
	names := len(d.data.Names)
	var folded model.Folded
	d.data, folded = d.data.Fold(l.maxNames)
	d.rareNames = len(folded.Names)
	l.metrics.rareNames.Set(int64(d.rareNames))
	if len(folded.Names) == 0 {
		return nil
	}
	d.source = d.source.Pick(folded.Rows)
	all := d.subject // with the names that are left out now
	d.subject = func(row int) decisions.Subject { return all(int(folded.Rows[row])) }
	l.log.With("names", names, "left_out", len(folded.Names), "events", folded.Samples).
		Warnf("There are more than %d names of events (%s), so rare ones are left out: contexts have no event in their place, and events with these names will be unknown_event. Some of them: %s",
			l.maxNames, fieldMaxNames, excerpts(folded.Names))
	if d.data.Samples.Rows() == 0 {
		return fmt.Errorf("no events are left to learn from with %s %d", fieldMaxNames, l.maxNames)
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
func (l *learner) afford(names, events int) error {
	if need := l.params.TrainingMemory(names, events); need > l.maxMemory {
		return fmt.Errorf("learning from %d events of %d names (length %d, hidden %d) would take about %s of memory, more than %s (%s): raise that, or lower %s (%d) or %s (%d)",
			events, names, l.params.Length, l.params.Hidden, humanize.IBytes(uint64(need)), humanize.IBytes(uint64(l.maxMemory)), fieldMaxMemory,
			fieldMaxEvents, l.limits.Records, fieldMaxNames, l.maxNames)
	}
	return nil
}

// progress shows the end of each epoch.
func (l *learner) progress(p contextbuilder.Progress) {
	if p.Batch < p.Batches {
		return
	}
	l.metrics.epoch.Set(int64(p.Epoch))
	l.metrics.loss.SetFloat64(p.Loss)
	l.log.With("epoch", p.Epoch, "epochs", p.Epochs, "loss", p.Loss).Info("Epoch trained")
}

// labeller gives clusters the scores that answers to patterns of their samples give them, and says how many got one.
type labeller func(look decisions.Look, m *model.Model) (*model.Model, int, error)

// succeed publishes m. If scores are to be kept, it has those of the previous model, and then those that label makes of answers.
func (l *learner) succeed(ctx context.Context, models *store.Store, m *model.Model, label labeller) (*store.Published, error) {
	if !l.keepScores {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		version, err := models.Publish(ctx, m)
		return &store.Published{Version: version, Model: m}, err
	}
	answers := models.Decisions(decisions.DefaultHold)
	done, err := models.PublishAnswered(ctx, m, func(ctx context.Context, before *model.Model) (*model.Model, model.Inheritance, error) {
		return m.Inherit(ctx, l.engine, before)
	}, func(m *model.Model) (*model.Model, int, error) { return l.answer(answers, m, label) })
	if err != nil {
		return nil, err
	}
	log := l.log.With("version", done.Version, "before", done.From)
	switch {
	case done.NotKept != nil:
		log.Errorf("The scores of the previous model are not kept: %v", done.NotKept)
	case len(done.Lost) > 0:
		log.Warnf("Scores of the previous model: %v", done.Inheritance)
	case done.From != "" || done.Answered > 0:
		log.Infof("Scores that people gave are kept: %v", done.Inheritance)
	}
	return done, nil
}

// answer gives clusters the scores that answers give them. If the journal cannot be read, that is logged: answers then count when events of
// their patterns are scored.
func (l *learner) answer(journal *decisions.Journal, m *model.Model, label labeller) (with *model.Model, clusters int, err error) {
	if err := journal.Refresh(); err != nil {
		l.log.Errorf("Answers give no scores to new clusters: %v", err)
		return m, 0, nil
	}
	journal.Read(func(look decisions.Look) { with, clusters, err = label(look, m) })
	return with, clusters, err
}
