package cli

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/report"
	"connect-deepcase/model"
)

func summaryCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "summary",
		Usage: "Sum up annotated documents: what was scored, and how much work an analyst is spared",
		Description: `Reads documents that deepcase_predict annotated, and counts the cases that deepcase_case made of them. With --label it compares them
with their labels. With --attack it lists which attacks were found and which were missed. Of dismissed events that deepcase_case had audited, it says
how many were attacks, and what that says about all dismissed events: by their labels, or with --model by the answers that people gave after the
events. A dot in a FIELD leads into nested objects: security.deepcase.

  deepcase summary --ndjson annotated.ndjson --label label --attack attack`,
		Flags: []ucli.Flag{
			&ucli.GenericFlag{Name: "ndjson", Value: &paths{}, Usage: "`FILE` of annotated documents, one per line; may be given several times"},
			&ucli.StringFlag{Name: "target", Value: "deepcase", Usage: "`FIELD` of the annotation"},
			&ucli.StringFlag{Name: "label", Usage: "`FIELD` of the label, above 0 for an attack; documents without a label are not compared"},
			&ucli.StringFlag{Name: "benign", Usage: benignUsage + ". In --attack this text means no attack"},
			&ucli.StringFlag{Name: "attack", Usage: "`FIELD` with the name of the attack that a document is part of, if any"},
			&ucli.StringFlag{Name: "model", Usage: "model `DIR` with the decision journal: answers to audited events"},
			&ucli.StringFlag{Name: "time", Value: "timestamp", Usage: "`FIELD` of the time of a document; --model needs it, and if it is given, new cases per day are counted"},
		},
	}, func(_ context.Context, s *session) error {
		files, _ := s.flags.Generic("ndjson").(*paths)
		if len(*files) == 0 {
			return usagef("no documents: give them with --ndjson")
		}
		if s.flags.IsSet("benign") && s.flags.String("label") == "" && s.flags.String("attack") == "" {
			return usagef("--benign has no effect without --label or --attack")
		}
		target, err := annotation.ParseTarget(s.flags.String("target"))
		if err != nil {
			return usagef("--target %s", err)
		}
		sum := newTotals(target, s.flags.String("label"), s.flags.String("benign"), s.flags.String("attack"))
		if dir := s.flags.String("model"); dir != "" {
			if err := sum.audits.open(dir, s.flags.String("time")); err != nil {
				return err
			}
		}
		if s.flags.IsSet("time") {
			sum.time = s.flags.String("time")
		}
		for _, file := range *files {
			if err := eachFileLine(file, sum.add); err != nil {
				return err
			}
		}
		return sum.write(s.out)
	})
}

// totals are what a summary counts.
type totals struct {
	target                annotation.Target
	label, benign, attack string
	time                  string // "": no times are read
	statuses              map[string]int
	judgements            []report.Judgement
	truth                 []report.Truth
	labelled              []report.Judgement // of documents that have a label
	cases                 *caseTotals
	attacks               map[string]bool // found: at least one of its events is sent to an analyst
	audits                audits
}

func newTotals(target annotation.Target, label, benign, attack string) *totals {
	return &totals{target: target, label: label, benign: benign, attack: attack, statuses: map[string]int{}, cases: newCaseTotals(),
		attacks: map[string]bool{}, audits: audits{cases: map[string]audit{}}}
}

// meanings say in words what the statuses mean.
var meanings = map[string]string{
	model.Scored.String():        "in a cluster that has a score",
	model.Unscored.String():      "in a cluster without a score yet",
	model.Disputed.String():      "in a cluster with a score above 0, but its labels speak against it",
	model.LowConfidence.String(): "the context does not explain the event",
	model.UnknownEvent.String():  "no cluster has events of this name",
	model.NoCluster.String():     "far from all clusters of the event",
	model.NoModel.String():       "no model was published yet",
	model.Answered.String():      "a person has answered such events",
	model.Muted.String():         "a score above 0, but a person lets such events pass",
}

func (t *totals) add(text []byte) error {
	var document json.RawMessage
	if err := json.Unmarshal(text, &document); err != nil {
		return fmt.Errorf("not a JSON object: %w", err)
	}
	if !bytes.HasPrefix(document, []byte{'{'}) {
		return errors.New("not a JSON object")
	}
	a, err := t.target.JSONVerdict(document)
	if err != nil {
		return err
	}
	var at time.Time
	if t.time != "" {
		if at, err = timeOf(document, t.time, "--time", field.TimeFormat{}); err != nil {
			return err
		}
	}
	t.cases.add(a, at)
	t.statuses[a.Status]++
	judgement := report.Judgement{Scored: a.Score != nil}
	if a.Score != nil {
		judgement.Score = *a.Score
	}
	if a.Cluster != nil {
		judgement.Group = *a.Cluster
	}
	t.judgements = append(t.judgements, judgement)
	attack := ""
	if t.attack != "" {
		var err error
		if attack, err = field.JSONText(field.FindJSON(document, t.attack)); err != nil && !errors.Is(err, field.ErrMissing) {
			return fmt.Errorf("%s: %w", t.attack, err)
		}
		if attack = strings.TrimSpace(attack); strings.EqualFold(attack, strings.TrimSpace(t.benign)) { // as in a label
			attack = ""
		}
		if attack != "" {
			t.attacks[attack] = t.attacks[attack] || judgement.Sent()
		}
	}
	label := float64(field.NoLabel)
	if t.label != "" {
		label, err = field.JSONLabel(field.FindJSON(document, t.label), t.benign)
		if err != nil {
			return fmt.Errorf("%s: %w", t.label, nameFlag(err))
		}
		if label >= 0 {
			kind, _ := field.JSONText(field.FindJSON(document, t.label))
			t.truth, t.labelled = append(t.truth, report.Truth{Label: label, Type: cmp.Or(attack, strings.TrimSpace(kind))}), append(t.labelled, judgement)
		}
	}
	if a.Audited() {
		return t.audits.add(t.target, document, a, label)
	}
	return nil
}

func (t *totals) write(w io.Writer) error {
	n := len(t.judgements)
	if n == 0 {
		_, err := fmt.Fprintln(w, "no documents")
		return err
	}
	share := func(part int) string { return report.Share(float64(part) / float64(n)).String() }
	rows := [][]string{{"", "events", "share"}, {"all events", strconv.Itoa(n), ""}}
	for _, status := range slices.SortedFunc(maps.Keys(t.statuses), func(a, b string) int {
		return cmp.Or(cmp.Compare(t.statuses[b], t.statuses[a]), cmp.Compare(a, b))
	}) {
		name := status
		if meaning := meanings[status]; meaning != "" {
			name += ": " + meaning
		}
		rows = append(rows, []string{name, strconv.Itoa(t.statuses[status]), share(t.statuses[status])})
	}
	sent := 0
	for _, j := range t.judgements {
		if j.Sent() {
			sent++
		}
	}
	rows = append(rows, []string{"sent to an analyst (no score, or a score above 0)", strconv.Itoa(sent), share(sent)},
		[]string{"not sent to an analyst (score 0)", strconv.Itoa(n - sent), share(n - sent)})
	if err := report.Table(w, rows); err != nil {
		return err
	}
	if err := t.cases.write(w, n); err != nil {
		return err
	}
	if t.label != "" {
		triage := report.Assess(t.truth, t.labelled, false)
		fmt.Fprintf(w, "\nattack events found: %s; benign events sent to an analyst: %s\n", triage.Sent.Recall, triage.SentBenign)
		fmt.Fprintf(w, "attack events missed: %d of %d\n", triage.Missed, triage.Attacks)
		if missed := missedRows([]report.Triage{triage}); len(missed) > 0 {
			if err := report.Table(w, missed); err != nil {
				return err
			}
		}
		if without := n - len(t.truth); without > 0 {
			fmt.Fprintf(w, "(%d events have no label and are not counted here)\n", without)
		}
	}
	if err := t.audits.write(w); err != nil || t.attack == "" {
		return err
	}
	var missed []string
	for _, name := range slices.Sorted(maps.Keys(t.attacks)) {
		if !t.attacks[name] {
			missed = append(missed, report.Visible(name))
		}
	}
	fmt.Fprintf(w, "attacks found: %d of %d\n", len(t.attacks)-len(missed), len(t.attacks))
	if len(missed) > 0 {
		fmt.Fprintln(w, "missed:", strings.Join(missed, ", "))
	}
	return nil
}
