package cli

import (
	"context"
	"fmt"
	"io"

	"connect-deepcase/internal/report"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/model/store"
	"connect-deepcase/sequencer"
)

// learning says what an evaluation learns from.
type learning struct {
	format sequencer.Format
	files  []string
	dir    string  // a model that was learnt before
	first  float64 // the share of each test file, by time
}

func (s *session) learning() (from learning, err error) {
	from.dir, from.first = s.flags.String("load-interpreter"), s.flags.Float64("first")
	if from.format, from.files, err = s.inputs("train-"); err != nil {
		return from, err
	}
	if !s.flags.IsSet("first") {
		if len(from.files) == 0 && from.dir == "" {
			return from, usagef("no training events: give them with --train-csv, --train-txt, --train-json or --train-ndjson, or a model with " +
				"--load-interpreter, or learn from the first events of the test files with --first")
		}
		return from, nil
	}
	if !(from.first > 0 && from.first < 1) {
		return from, usagef("--first: %v is not between 0 and 1", from.first)
	}
	if len(from.files) > 0 {
		return from, usagef("--first and --train-%s: give one of them", from.format)
	}
	return from, s.refuse("with --first each test file has a model of its own", "load-interpreter", "save-interpreter")
}

// teacher is what the test events are compared with.
type teacher struct {
	model  *model.Model
	rules  *report.Rules // nil if there are no training events
	learnt *learnt       // nil if the model was loaded
	label  labeller      // nil if the model was loaded
}

// teach loads a model or learns one from the training files. options say what its contexts are.
func (s *session) teach(ctx context.Context, e contextbuilder.Engine, from learning, p model.Params, strategy interpreter.Strategy) (
	known teacher, options sequencer.Options, err error) {
	options = sequencer.Options{Length: p.Length, Timeout: p.Timeout}
	if from.dir != "" {
		if known.model, err = s.loadModel(from.dir, (*store.Store).Current); err != nil {
			return known, options, err
		}
		if err := s.loadedInterpreter(known.model); err != nil {
			return known, options, err
		}
		if err := s.refuse("the interpreter is loaded", "judge", "save-interpreter"); err != nil {
			return known, options, err
		}
		if len(known.model.Clusters) == 0 {
			return known, options, fmt.Errorf("--load-interpreter: %s has no clusters: make them with the mode cluster", from.dir)
		}
		if options, err = s.context(&known.model.Params); err != nil {
			return known, options, err
		}
	}
	if len(from.files) == 0 {
		return known, options, nil
	}
	q, err := s.labelled(from.format, from.files, options)
	if err != nil {
		return known, options, err
	}
	if known.model != nil {
		known.rules = rulesOf(q)
		return known, options, nil
	}
	if known, err = s.learn(ctx, e, q, p, strategy); err != nil {
		return known, options, err
	}
	if save := s.flags.String("save-interpreter"); save != "" {
		_, err = s.publish(ctx, save, known.model, known.label)
	}
	return known, options, err
}

// learn learns a model and rules from labelled events.
func (s *session) learn(ctx context.Context, e contextbuilder.Engine, q *sequences, p model.Params, strategy interpreter.Strategy) (teacher, error) {
	m, err := s.train(ctx, e, q, p, nil)
	if err != nil {
		return teacher{}, err
	}
	m, rows, judged, err := s.judgedClusters(ctx, e, m, q, strategy)
	if err != nil {
		return teacher{}, err
	}
	l := summary(q, m, rows.Clusters)
	l.Judge, l.Judged = s.flags.String("judge"), judged
	return teacher{m, rulesOf(q), l, q.labeller(rows, strategy)}, nil
}

func rulesOf(q *sequences) *report.Rules {
	rules := report.LearnRules(q.Names, q.Events, q.Labels)
	return &rules
}

// learnt is the result of the training.
type learnt struct {
	Events            int          `json:"events"`
	Types             int          `json:"types"`
	Clusters          int          `json:"clusters"`
	Clustered         report.Share `json:"clustered"` // events in a cluster
	WorkloadReduction report.Share `json:"workload_reduction"`
	Judge             string       `json:"judge"`  // the labels that score the clusters
	Judged            int          `json:"judged"` // events whose labels were used for that
}

func summary(q *sequences, m *model.Model, clusters []int32) *learnt {
	inside := 0
	for _, c := range clusters {
		if c >= 0 {
			inside++
		}
	}
	n := float64(len(clusters))
	return &learnt{Events: len(clusters), Types: len(q.Names), Clusters: len(m.Clusters), Clustered: report.Share(float64(inside) / n),
		WorkloadReduction: report.Share(float64(inside-len(m.Clusters)) / n)}
}

func (t *learnt) write(w io.Writer) {
	if t == nil {
		return
	}
	fmt.Fprintf(w, "Learnt from %d events of %d types: %d clusters hold %s of them, workload reduction %s\n",
		t.Events, t.Types, t.Clusters, t.Clustered, t.WorkloadReduction)
	fmt.Fprintf(w, "Clusters are scored by %s (--judge %s): %d labels\n\n", judges[t.Judge], t.Judge, t.Judged)
}
