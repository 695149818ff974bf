package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/internal/drift"
	"connect-deepcase/internal/report"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

func driftCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "drift",
		Usage: "Tell how far alerts have moved away from what a model learnt, and whether training again would pay",
		Description: `Gives each alert to the model as it is now, and compares with its training: the share of alerts in no cluster, names that are new, the
confidence, and clusters that had alerts all through the training and have none now. It adds the answers of the decision journal and the
cases that deepcase_case wrote. The last line says whether training again with these alerts would pay; docs/operations.md has the rule.

  deepcase drift --model model --documents annotated.ndjson
  deepcase drift --model model --documents annotated.ndjson --columns timestamp=@timestamp --json

The files hold documents that deepcase_sequence or deepcase_predict annotated (ndjson), or events (csv, txt or json).`,
		Flags: slices.Concat([]ucli.Flag{
			modelFlag(),
			&ucli.StringFlag{Name: "of", Usage: "`VERSION` of --model (default: the current one)"},
			boolFlag("", "json", "print JSON"),
		}, alertFlags(), holdFlags(), otherFlags()),
	}, measureDrift)
}

// drifted is the result of drift.
type drifted struct {
	Model   string    `json:"model"`
	Trained time.Time `json:"trained,omitzero"`
	*drift.Report
}

func measureDrift(ctx context.Context, s *session) (err error) {
	st, err := s.store()
	if err != nil {
		return err
	}
	m, err := loadCompared(st, s.flags.String("model"), s.flags.String("of"))
	if err != nil {
		return err
	}
	judges, err := s.judges(m.loaded.Model)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, judges[0].predictor.Close()) }()
	figures := drift.New(m.loaded.Model)
	if _, err := judges[0].journal.Each(func(d decisions.Decision) error {
		figures.Decide(d)
		return nil
	}); err != nil {
		return err
	}
	err = s.alerts(m.loaded.Model.Params, true, func(alerts []alert) error {
		verdicts, err := judges[0].verdicts(ctx, alerts)
		if err != nil {
			return err
		}
		for i, a := range alerts {
			figures.Add(drift.Alert{Event: a.Event, Machine: a.Machine, At: a.At, Keys: a.keys, Verdict: verdicts[i], Case: a.Case, CaseKind: a.CaseKind})
		}
		return nil
	})
	if err != nil {
		return err
	}
	d := drifted{m.Version, m.loaded.Trained, figures.Report()}
	if s.flags.Bool("json") {
		return report.JSON(s.out, d, "  ")
	}
	return d.write(s.out)
}

// The most that is printed of a list; --json has all of it.
const (
	shownDays  = 31
	shownDrift = 20
)

func (d drifted) write(w io.Writer) error {
	when := ""
	if !d.First.IsZero() {
		when = fmt.Sprintf(" from %s to %s", timeText(d.First), timeText(d.Last))
	}
	fmt.Fprintf(w, "%d alerts%s, by version %s, trained %s\n\n", d.Alerts, when, d.Model, timeText(d.Trained))
	beside := func(name string, x drift.Beside) []string { return []string{name, x.Now.String(), x.Training.String()} }
	err := report.Table(w, [][]string{{"", "now", "training"},
		beside("alerts in no cluster", d.Outside), {"  of an unknown event", d.Unknown.String()}, beside("mean confidence", d.Mean),
		beside("alerts of low confidence", d.Low), {"alerts in clusters without a score", d.Unscored.String()}})
	if err != nil {
		return err
	}
	if err := d.writeDays(w); err != nil {
		return err
	}
	list(w, "names without a cluster", len(d.UnknownNames), func(i int) string {
		n := d.UnknownNames[i]
		text := fmt.Sprintf("%s: %s on %s", n.Name, counted(n.Alerts, "alert"), counted(n.Machines, "machine"))
		if !n.First.IsZero() {
			text += " since " + timeText(n.First)
		}
		if n.Learnt {
			return text + "; the training had it, but too few that are alike"
		}
		return text + "; new: the training did not have it"
	})
	list(w, "clusters gone quiet", len(d.Quiet), func(i int) string {
		q := d.Quiet[i]
		text := fmt.Sprintf("%d  %s: none, %.0f would be as in the training; last seen %s", q.Cluster, q.Event, q.Expected, timeText(q.LastSeen))
		if q.Score != nil {
			text += ", score " + report.Number(*q.Score)
		}
		if q.Continues {
			return text + "; the event comes with other contexts"
		}
		return text + "; the event does not come any more: is its source still there?"
	})
	if d.Answers.Patterns > 0 {
		fmt.Fprintf(w, "\nanswers: %d, %d of them to patterns; they settle %d of the alerts\n", d.Answers.Patterns, d.Answers.Narrow, d.Answers.Settled)
	}
	list(w, "events that are answered again and again", len(d.Answers.Piles), func(i int) string {
		p := d.Answers.Piles[i]
		return fmt.Sprintf("%s: %s on %s answered, %d of them benign; they settle %s", p.Event, counted(p.Answers, "pattern"),
			counted(p.Machines, "machine"), p.Benign, counted(p.Settled, "alert"))
	})
	if d.Cases != nil {
		fmt.Fprintf(w, "\ncases: %d opened, %s of them new\n", d.Cases.Opened, d.Cases.New)
	}
	_, err = fmt.Fprintf(w, "\n%s\n", d.Retrain.Sentence)
	return err
}

func (d drifted) writeDays(w io.Writer) error {
	if len(d.Days) == 0 {
		return nil
	}
	fmt.Fprintln(w)
	rows := [][]string{{"day", "alerts", "unknown event", "in no cluster", "confidence", "answered", "cases", "new"}}
	days := d.Days[max(0, len(d.Days)-shownDays):]
	for _, day := range days {
		share := func(n int) string { return report.Share(float64(n) / float64(day.Alerts)).String() }
		rows = append(rows, []string{day.Day, strconv.Itoa(day.Alerts), share(day.Statuses[model.UnknownEvent.String()]), share(day.Outside),
			day.Mean.String(), strconv.Itoa(day.Answered), strconv.Itoa(day.Cases), strconv.Itoa(day.NewCases)})
	}
	if err := report.Table(w, rows); err != nil {
		return err
	}
	if more := len(d.Days) - len(days); more > 0 {
		fmt.Fprintf(w, "(%d earlier days: see --json)\n", more)
	}
	return nil
}

func counted(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}

// list prints items under a heading.
func list(w io.Writer, heading string, n int, item func(i int) string) {
	if n == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s:\n", heading)
	for i := range min(n, shownDrift) {
		fmt.Fprintf(w, "  %s\n", report.Visible(item(i)))
	}
	if more := n - shownDrift; more > 0 {
		fmt.Fprintf(w, "  and %d more: see --json\n", more)
	}
}
