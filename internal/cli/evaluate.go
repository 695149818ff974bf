package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/internal/report"
	"connect-deepcase/internal/stream"
	"connect-deepcase/model"
	"connect-deepcase/sequencer"
)

func evaluateCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "evaluate",
		Usage: "Measure on labelled events how much work DeepCASE saves an analyst, and what it misses",
		Description: `Learns from the training files (builder, clusters, and the scores of clusters from the labels), scores each test file, and compares the
scores with its labels. A second column shows simple rules instead: they give an event the highest label that its type had in training.
With --load-interpreter nothing is learnt. Then only the rules use the training files, which may be left out.

Clusters are scored by the labels of all their events (--judge all), by the label that most of their events have (majority), or by the
labels of the examples that "deepcase clusters" shows to an analyst (examples). The last one says what scoring by hand would be worth.

With --first, each test file has a model of its own: it learns from the first events of the file and scores the others.

With --stream, an analyst also answers questions and opens cases: the test files are played in time order, an event without a score asks for
one, and its label is the answer, which settles later events of the same pattern. What is not settled as benign is in a case.

  deepcase evaluate --train-csv monday.csv --train-csv tuesday.csv --test-csv wednesday.csv --test-csv thursday.csv \
    --columns timestamp=time,machine=host,event=name,label=event_label --benign -
  deepcase evaluate --stream --first 0.2 --test-csv alerts.csv --try gap=4h --try scope=pattern,burst=0`,
		Flags: slices.Concat(inputFlags("train-", "learn from"), inputFlags("test-", "score and compare"), readingFlags(), sequencingFlags(),
			builderFlags(), interpreterFlags(), savedInterpreterFlags(), []ucli.Flag{
				&ucli.StringFlag{Category: categoryInterpreter, Name: "judge", Value: judgeAll,
					Usage: "`LABELS` that score a cluster: of all its events, of the majority of them, or of its examples alone (all|majority|examples)"},
				&ucli.Float64Flag{Category: categoryIO, Name: "first", DefaultText: "none",
					Usage: "`SHARE` of each test file to learn from, by time: the rest is scored (0.2 for the first fifth)"},
				boolFlag(categoryIO, "json", "print JSON"),
			}, streamFlags(), otherFlags()),
	}, evaluate)
}

// evaluation is the result: the training and each test file.
type evaluation struct {
	Training *learnt  `json:"training,omitempty"`
	Tests    []tested `json:"tests"`
}

// tested is the result for one file.
type tested struct {
	File       string         `json:"file"`
	Unlabelled int            `json:"unlabelled"`
	Training   *learnt        `json:"training,omitempty"` // from the first events of the file
	DeepCASE   report.Triage  `json:"deepcase"`
	Rules      *report.Triage `json:"rule_only,omitempty"`

	*stream.Result                   // nil without --stream
	Settings       map[string]string `json:"settings,omitempty"` // of the result
	Tried          []tried           `json:"tried,omitempty"`    // results of other settings
}

func evaluate(ctx context.Context, s *session) error {
	strategy, err := s.strategy()
	if err != nil {
		return err
	}
	if judge := s.flags.String("judge"); judges[judge] == "" {
		return usagef("--judge: %q is not one of all, majority, examples", judge)
	}
	p, err := s.params()
	if err != nil {
		return err
	}
	if err := s.saveable(); err != nil {
		return err
	}
	if s.flags.String("save-interpreter") == "" {
		s.useless("no interpreter is saved", "keep-scores")
	}
	e, err := s.engine()
	if err != nil {
		return err
	}
	from, err := s.learning()
	if err != nil {
		return err
	}
	testFormat, testFiles, err := s.inputs("test-")
	if err != nil {
		return err
	}
	if len(testFiles) == 0 {
		return usagef("no test events: give them with --test-csv, --test-txt, --test-json or --test-ndjson")
	}
	plays, err := s.plays()
	if err != nil {
		return err
	}
	if testFormat == sequencer.Text && (from.first > 0 || plays != nil) {
		return usagef("--first and --stream need times, which txt does not have")
	}

	var result evaluation
	var known teacher
	options := sequencer.Options{Length: p.Length, Timeout: p.Timeout}
	if from.first == 0 {
		if known, options, err = s.teach(ctx, e, from, p, strategy); err != nil {
			return err
		}
		result.Training = known.learnt
	}
	for _, file := range testFiles {
		q, err := s.labelled(testFormat, []string{file}, options)
		if err != nil {
			return err
		}
		if from.first > 0 {
			var first *sequences
			if first, q, err = q.split(from.first); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
			if known, err = s.learn(ctx, e, first, p, strategy); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
		verdicts, err := s.predict(ctx, e, known.model, q.unlabelled())
		if err != nil {
			return err
		}
		test := assess(file, q, verdicts, known.rules)
		if from.first > 0 {
			test.Training = known.learnt
		}
		if err := test.play(q, verdicts, known.model, plays); err != nil {
			return err
		}
		result.Tests = append(result.Tests, test)
	}
	if s.flags.Bool("json") {
		return report.JSON(s.out, result, "  ")
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

// assess compares verdicts, and rules if there are any, with the labels of events. Events without a label are only counted.
func assess(file string, q *sequences, verdicts []model.Verdict, rules *report.Rules) tested {
	t := tested{File: file}
	var truth []report.Truth
	var deepcase, byRule []report.Judgement
	for row, label := range q.Labels {
		if label < 0 {
			t.Unlabelled++
			continue
		}
		v := verdicts[row]
		is := report.Truth{Label: label}
		if q.Kind != nil {
			is.Type = q.Kinds[q.Kind[row]]
		}
		if q.Times != nil {
			is.At = q.Times[row]
		}
		truth = append(truth, is)
		deepcase = append(deepcase, report.Judgement{Scored: v.Status == model.Scored, Score: v.Score, Group: v.Cluster})
		if rules != nil {
			byRule = append(byRule, rules.Judge(q.Names[q.Events[row]]))
		}
	}
	t.DeepCASE = report.Assess(truth, deepcase, q.Times != nil)
	if rules != nil {
		judged := report.Assess(truth, byRule, q.Times != nil)
		t.Rules = &judged
	}
	return t
}

func (v evaluation) write(w io.Writer) error {
	v.Training.write(w)
	played := false
	for _, t := range v.Tests {
		t.Training.write(w)
		fmt.Fprintf(w, "%s: %d events, attack share %s\n", report.Visible(t.File), t.DeepCASE.Events, t.DeepCASE.AttackShare)
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
		rows = append(rows, missedRows(triages)...)
		if err := report.Table(w, rows); err != nil {
			return err
		}
		if t.Result != nil {
			played = true
			if err := t.writeStream(w); err != nil {
				return err
			}
		}
		fmt.Fprintln(w)
	}
	text := footnote
	if played {
		text += streamFootnote
	}
	_, err := io.WriteString(w, text)
	return err
}

// lines are the lines of the printed table.
var lines = []struct {
	name  string
	value func(report.Triage) string
}{
	{"coverage (events that get a score)", func(t report.Triage) string { return t.Coverage.String() }},
	{"events sent to an analyst", func(t report.Triage) string { return t.SentAll.String() }},
	{"events sent per day", func(t report.Triage) string { return perDay(t.SentPerDay) }},
	{"events sent on the busiest day", busiest},
	{"benign events sent to an analyst", func(t report.Triage) string { return t.SentBenign.String() }},
	{"sent: precision", func(t report.Triage) string { return t.Sent.Precision.String() }},
	{"sent: recall", func(t report.Triage) string { return t.Sent.Recall.String() }},
	{"sent: F1", func(t report.Triage) string { return t.Sent.F1.String() }},
	{"attack events missed", func(t report.Triage) string { return fmt.Sprintf("%d of %d", t.Missed, t.Attacks) }},
	{"scored: precision", func(t report.Triage) string { return t.Scored.Precision.String() }},
	{"scored: recall", func(t report.Triage) string { return t.Scored.Recall.String() }},
	{"scored: F1", func(t report.Triage) string { return t.Scored.F1.String() }},
	{"clusters or rules used", func(t report.Triage) string { return strconv.Itoa(t.Groups) }},
	{"workload reduction", func(t report.Triage) string { return t.WorkloadReduction.String() }},
}

const mostTypes = 20 // of attacks that are listed

// missedRows say how many events of each type of attack are missed.
func missedRows(triages []report.Triage) (rows [][]string) {
	missed, events := map[string]int{}, map[string]int{}
	for _, t := range triages {
		for _, x := range t.MissedByType {
			missed[x.Type] = max(missed[x.Type], x.Missed)
			events[x.Type] = x.Events
		}
	}
	types := slices.SortedFunc(maps.Keys(missed), func(a, b string) int { return cmp.Or(cmp.Compare(missed[b], missed[a]), cmp.Compare(a, b)) })
	for i, name := range types {
		if i == mostTypes {
			return append(rows, []string{fmt.Sprintf("and %d more types of attacks: see --json", len(types)-mostTypes)})
		}
		row := []string{"missed events of " + strconv.Quote(name)}
		for _, t := range triages {
			n := 0
			if at := slices.IndexFunc(t.MissedByType, func(x report.MissedType) bool { return x.Type == name }); at >= 0 {
				n = t.MissedByType[at].Missed
			}
			row = append(row, fmt.Sprintf("%d of %d", n, events[name]))
		}
		rows = append(rows, row)
	}
	return rows
}

// perDay is a number of events; "-" if events have no times.
func perDay(x report.Share) string {
	if math.IsNaN(float64(x)) {
		return "-"
	}
	return strconv.FormatFloat(float64(x), 'f', 1, 64)
}

func busiest(t report.Triage) string {
	if math.IsNaN(float64(t.SentPerDay)) {
		return "-"
	}
	return strconv.Itoa(t.BusiestDay)
}

const footnote = `An event is an attack if its label is above 0. It is sent to an analyst if it gets no score, or a score above 0.
missed:    attack events that are not sent, in total and for each label.
per day:   events that are sent, divided by the time from the first event to the last.
sent:      precision and recall of sending: an event that is sent counts as called an attack. All events count.
scored:    precision and recall of the scores: a score above 0 counts as called an attack. Only events that get a score count.
workload reduction: the share of events that nobody looks at if an analyst looks at each event without a score and at one event of
           each cluster that gives scores (rule-only: each type). It does not say whether the scores are right.
rule-only: an event gets the highest label that its type had in training. A type that training did not have gets no score.
`
