package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/internal/report"
	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
)

func automaticCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "automatic",
		Usage: "Score events by the scores of the clusters",
		Description: `Saves a score for each event in a csv file: one column, labels, and one row per event, in the order of the input. Some events get no score:
−1 means that the context does not explain the event or that the cluster has no score, −2 that no cluster has events of this name, and −3
that the nearest cluster is further away than epsilon. If events have labels, it prints a classification report and a confusion matrix.
Without --load-interpreter it first does all earlier steps with the same events, whose labels then score the clusters.

  deepcase automatic --csv new.csv --load-interpreter model --save-prediction prediction.csv`,
		Flags: modeFlags(),
	}, func(ctx context.Context, s *session) error {
		if s.flags.String("save-prediction") == "" {
			return usagef("no place for the prediction: give a csv file with --save-prediction")
		}
		strategy, err := s.strategy()
		if err != nil {
			return err
		}
		r, err := s.start(ctx)
		if err != nil {
			return err
		}
		m, err := s.interpret(ctx, r, strategy)
		if err != nil {
			return err
		}
		verdicts, err := s.predict(ctx, r.engine, m, r.sequences.unlabelled())
		if err != nil {
			return err
		}
		prediction := make([]float64, len(verdicts))
		for i, v := range verdicts {
			prediction[i] = v.Code()
		}
		if err := savePrediction(ctx, s.flags.String("save-prediction"), prediction); err != nil {
			return err
		}
		if r.sequences.Labels == nil {
			return nil
		}
		return compare(s.out, r.sequences.Labels, prediction)
	})
}

// loadedInterpreter refuses settings that differ from those of the loaded interpreter: its clusters are made and scored.
func (s *session) loadedInterpreter(m *model.Model) error {
	s.useless("the interpreter is loaded", "keep-scores")
	if err := s.refuse("the interpreter is loaded", append([]string{"strategy"}, originalSettings...)...); err != nil {
		return err
	}
	return s.settled("interpreter", m.Params, slices.Concat(builderSettings, interpreterSettings))
}

// interpret returns a model with clusters to predict with: the loaded one, or one made from the events themselves.
func (s *session) interpret(ctx context.Context, r ready, strategy interpreter.Strategy) (*model.Model, error) {
	if r.from.clusters {
		if err := s.loadedInterpreter(r.from.model); err != nil {
			return nil, err
		}
		if err := s.refuse("the interpreter is loaded", "load-clusters", "save-clusters", "save-interpreter", "save-builder"); err != nil {
			return nil, err
		}
		m := r.from.model
		if len(m.Clusters) == 0 {
			return nil, fmt.Errorf("--load-interpreter: %s has no clusters: make them with the mode cluster", s.flags.String("load-interpreter"))
		}
		if m.ScoredClusters() == 0 {
			s.note("none of the %d clusters has a score, so that their events get -1: give scores with the mode manual", len(m.Clusters))
		}
		return m, nil
	}
	if err := s.refuse("the labels of the events are the scores: give clusters theirs with the mode manual", "load-clusters"); err != nil {
		return nil, err
	}
	if s.flags.String("save-interpreter") == "" {
		s.useless("no interpreter is saved", "keep-scores")
	}
	if r.sequences.Labels == nil {
		return nil, errors.New("there are no scores to predict: give an interpreter with --load-interpreter, or events that have a label")
	}
	builder, err := s.build(ctx, r)
	if err != nil {
		return nil, err
	}
	m, rows, err := s.cluster(ctx, r.engine, builder, r.sequences.data(), r.sequences.source(), strategy)
	if err != nil {
		return nil, err
	}
	if path := s.flags.String("save-clusters"); path != "" {
		if err := saveClusters(ctx, path, rows.Clusters, r.sequences.Labels); err != nil {
			return nil, err
		}
	}
	if dir := s.flags.String("save-interpreter"); dir != "" {
		return s.publish(ctx, dir, m, r.sequences.labeller(rows, strategy))
	}
	return m, nil
}

// compare prints how well a prediction fits the labels. Events without a label do not count.
func compare(w io.Writer, labels, prediction []float64) error {
	var truth, said []float64
	for i, label := range labels {
		if label >= 0 {
			truth, said = append(truth, label), append(said, prediction[i])
		}
	}
	if without := len(labels) - len(truth); without > 0 {
		fmt.Fprintf(w, "%d of %d events have no label and are not counted\n\n", without, len(labels))
	}
	if len(truth) == 0 {
		return nil
	}
	fmt.Fprintln(w, "Classification report")
	if err := report.Classify(truth, said).Write(w); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nConfusion matrix")
	return report.Confuse(truth, said).Write(w)
}
