package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/cli/report"
	"connect-deepcase/model"
	"connect-deepcase/model/store"
	"connect-deepcase/sequencer"
)

func evaluateCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "evaluate",
		Usage: "Measure on labelled events what DeepCASE would spare an analyst, and what it would miss",
		Description: `Learns from the training files (ContextBuilder, clusters, and the clusters' scores out of the labels), scores each test file, and
compares the scores with its labels. Beside it stands what simple rules would do that give an event the highest label its type had in training.
With --load-interpreter nothing is learnt; the training files serve the rules only, then, and may be left out.

  deepcase evaluate --train-csv monday.csv --train-csv tuesday.csv --test-csv wednesday.csv --test-csv thursday.csv \
    --columns timestamp=time,machine=host,event=name,label=event_label --benign -`,
		Flags: slices.Concat(inputFlags("train-", "learn from"), inputFlags("test-", "score and compare"), readingFlags(), sequencingFlags(),
			builderFlags(), interpreterFlags(), savedInterpreterFlags(), []ucli.Flag{
				boolFlag(categoryIO, "json", "print JSON"),
			}, otherFlags()),
	}, evaluate)
}

// evaluation is the outcome: the training and each test file.
type evaluation struct {
	Training *learnt  `json:"training,omitempty"`
	Tests    []tested `json:"tests"`
}

// learnt says what the training gave.
type learnt struct {
	Events            int          `json:"events"`
	Types             int          `json:"types"`
	Clusters          int          `json:"clusters"`
	Clustered         report.Share `json:"clustered"` // events in a cluster
	WorkloadReduction report.Share `json:"workload_reduction"`
}

// tested is the outcome for one file.
type tested struct {
	File       string         `json:"file"`
	Unlabelled int            `json:"unlabelled"`
	DeepCASE   report.Triage  `json:"deepcase"`
	Rules      *report.Triage `json:"rule_only,omitempty"`
}

func evaluate(s *session) error {
	strategy, err := s.strategy()
	if err != nil {
		return err
	}
	p, err := s.params()
	if err != nil {
		return err
	}
	if err := s.saveable(); err != nil {
		return err
	}
	e, err := s.engine()
	if err != nil {
		return err
	}
	trainFormat, trainFiles, err := s.inputs("train-")
	if err != nil {
		return err
	}
	testFormat, testFiles, err := s.inputs("test-")
	if err != nil {
		return err
	}
	dir := s.c.String("load-interpreter")
	if len(trainFiles) == 0 && dir == "" {
		return usagef("no training events: give them with --train-csv, --train-txt, --train-json or --train-ndjson, or a model with --load-interpreter")
	}
	if len(testFiles) == 0 {
		return usagef("no test events: give them with --test-csv, --test-txt, --test-json or --test-ndjson")
	}

	var m *model.Model
	if dir != "" {
		s.useless("the interpreter is loaded", slices.Concat(builderSettings, interpreterSettings, []string{"strategy", "save-interpreter"})...)
		if m, err = s.loadModel(dir, (*store.Store).Current); err != nil {
			return err
		}
		if len(m.Clusters) == 0 {
			return fmt.Errorf("load-interpreter: %s has no clusters: make them with the mode cluster", dir)
		}
	}
	options := sequencer.Options{Length: p.Length, Timeout: p.Timeout}
	if m != nil {
		if options, err = s.context(&m.Params); err != nil {
			return err
		}
	}
	var result evaluation
	var rules *report.Rules
	if len(trainFiles) > 0 {
		q, err := s.labelled(trainFormat, trainFiles, options)
		if err != nil {
			return err
		}
		learned := report.LearnRules(q.Names, q.Events, q.Labels)
		rules = &learned
		if m == nil {
			if m, err = s.train(e, q, p, nil); err != nil {
				return err
			}
			var clusters []int32
			if m, clusters, err = s.cluster(e, m, q.data(), strategy); err != nil {
				return err
			}
			if save := s.c.String("save-interpreter"); save != "" {
				if _, err := s.publish(s, save, m); err != nil {
					return err
				}
			}
			result.Training = summary(q, m, clusters)
		}
	}
	for _, file := range testFiles {
		q, err := s.labelled(testFormat, []string{file}, options)
		if err != nil {
			return err
		}
		verdicts, err := s.predict(e, m, q.unlabelled())
		if err != nil {
			return err
		}
		result.Tests = append(result.Tests, assess(file, q, verdicts, rules))
	}
	if s.c.Bool("json") {
		out := json.NewEncoder(s.out)
		out.SetIndent("", "  ")
		return out.Encode(result)
	}
	return result.write(s.out)
}

// labelled reads events that must have labels.
func (s *session) labelled(format sequencer.Format, files []string, options sequencer.Options) (*sequences, error) {
	q, err := s.read(format, files, options)
	if err == nil && q.Labels == nil {
		err = fmt.Errorf("%s: %w", strings.Join(files, ", "), errNoLabels)
	}
	return q, err
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

// assess compares verdicts, and rules where there are any, with the labels of the events that have one.
func assess(file string, q *sequences, verdicts []model.Verdict, rules *report.Rules) tested {
	t := tested{File: file}
	var labels []float64
	var deepcase, byRule []report.Judgement
	for row, label := range q.Labels {
		if label < 0 {
			t.Unlabelled++
			continue
		}
		v := verdicts[row]
		labels = append(labels, label)
		deepcase = append(deepcase, report.Judgement{Scored: v.Status == model.Scored, Score: v.Score, Group: v.Cluster})
		if rules != nil {
			byRule = append(byRule, rules.Judge(q.Names[q.Events[row]]))
		}
	}
	t.DeepCASE = report.Assess(labels, deepcase)
	if rules != nil {
		judged := report.Assess(labels, byRule)
		t.Rules = &judged
	}
	return t
}

func (v evaluation) write(w io.Writer) error {
	if t := v.Training; t != nil {
		fmt.Fprintf(w, "Learnt from %d events of %d types: %d clusters hold %s of them, workload reduction %s\n\n",
			t.Events, t.Types, t.Clusters, t.Clustered, t.WorkloadReduction)
	}
	for _, t := range v.Tests {
		fmt.Fprintf(w, "%s: %d events, attack share %s\n", t.File, t.DeepCASE.Events, t.DeepCASE.AttackShare)
		if t.Unlabelled > 0 {
			fmt.Fprintf(w, "(%d more events have no label and are not counted)\n", t.Unlabelled)
		}
		triages, head := []report.Triage{t.DeepCASE}, []string{"", "DeepCASE"}
		if t.Rules != nil {
			triages, head = append(triages, *t.Rules), append(head, "rule-only")
		}
		rows := [][]string{head}
		for _, line := range lines {
			row := []string{line.name}
			for _, triage := range triages {
				row = append(row, line.value(triage))
			}
			rows = append(rows, row)
		}
		if err := report.Table(w, rows); err != nil {
			return err
		}
		fmt.Fprintln(w)
	}
	_, err := io.WriteString(w, footnote)
	return err
}

// lines are those of the printed table.
var lines = []struct {
	name  string
	value func(report.Triage) string
}{
	{"coverage (events that get a score)", func(t report.Triage) string { return t.Coverage.String() }},
	{"sent to an analyst, of all events", func(t report.Triage) string { return t.SentAll.String() }},
	{"sent to an analyst, of benign events", func(t report.Triage) string { return t.SentBenign.String() }},
	{"sent: precision", func(t report.Triage) string { return t.Sent.Precision.String() }},
	{"sent: recall", func(t report.Triage) string { return t.Sent.Recall.String() }},
	{"sent: F1", func(t report.Triage) string { return t.Sent.F1.String() }},
	{"scored: precision", func(t report.Triage) string { return t.Scored.Precision.String() }},
	{"scored: recall", func(t report.Triage) string { return t.Scored.Recall.String() }},
	{"scored: F1", func(t report.Triage) string { return t.Scored.F1.String() }},
	{"clusters or rules used", func(t report.Triage) string { return strconv.Itoa(t.Groups) }},
	{"workload reduction", func(t report.Triage) string { return t.WorkloadReduction.String() }},
}

const footnote = `An event is an attack where its label is above 0. It is sent to an analyst where it gets no score, or one above 0.
sent:      of all events, how well those that are sent are the attacks.
scored:    of the events that get a score, how well those with a score above 0 are the attacks.
workload reduction: the share of events that nobody looks at when an analyst looks at each event without a score, and at one
           event of each cluster (rule-only: type) that scores events, in place of all of these. It does not tell how right the scores are.
rule-only: an event gets the highest label that its type had in training; a type that was not there gets no score.
`
