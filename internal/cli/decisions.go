package cli

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/internal/cell"
	"connect-deepcase/internal/report"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
)

func decisionsCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "decisions",
		Usage: "List what people decided: answers to patterns, mutes, and scores of clusters",
		Description: `Prints the answers and mutes in force of a model directory, oldest first. With --all it prints the whole history, also what was replaced or
undone, has ended or is due again, the scores of clusters, and what was moved to the archive.

A benign answer is due again after a time: the question is asked again. If the hold of deepcase_predict is not the default one, give it
with --hold, --hold-growth and --hold-max.

With --csv, text that a spreadsheet would take for a formula begins with an apostrophe.

  deepcase decisions --model model
  deepcase decisions --model model --all --by ann --csv > decisions.csv
  deepcase decisions undo --model model --number 17 --by bob --reason "wrong host"`,
		Flags: slices.Concat([]ucli.Flag{
			modelFlag(),
			boolFlag("", "all", "the whole history"),
			&ucli.StringFlag{Name: "by", Usage: "only decisions of `NAME`"},
			&ucli.StringFlag{Name: "kind", Usage: "only decisions of `KIND` (answer|mute|cluster|undo)"},
			&ucli.StringFlag{Name: "scope", Usage: "only decisions of `SCOPE` (pattern_on_machine|pattern|event_on_machine|event)"},
			boolFlag("", "csv", "print csv"),
			boolFlag("", "json", "print JSON, one object per line"),
		}, holdFlags()),
		Subcommands: []*ucli.Command{decisionsUndoCommand(), decisionsCompactCommand()},
	}, func(_ context.Context, s *session) error { return s.decisions() })
}

func holdFlags() []ucli.Flag {
	h := decisions.DefaultHold
	return []ucli.Flag{
		&ucli.DurationFlag{Name: "hold", Value: h.First, Usage: "`TIME` for which a benign answer holds"},
		&ucli.Float64Flag{Name: "hold-growth", Value: h.Growth, Usage: "an answer that is confirmed holds `N` times as long"},
		&ucli.DurationFlag{Name: "hold-max", Value: h.Max, Usage: "longest `TIME` for which a benign answer holds"},
	}
}

// journal opens the decisions of the directory that --model names.
func (s *session) journal() (*decisions.Journal, error) {
	st, err := s.store()
	if err != nil {
		return nil, err
	}
	h, err := s.hold()
	if err != nil {
		return nil, err
	}
	j := st.Decisions(h)
	if err := j.Refresh(); err != nil {
		return nil, err
	}
	return j, nil
}

// hold is what holdFlags say.
func (s *session) hold() (decisions.Hold, error) {
	h := decisions.Hold{First: s.flags.Duration("hold"), Growth: s.flags.Float64("hold-growth"), Max: s.flags.Duration("hold-max")}
	return h, checkHold(h)
}

// checkHold says why answers cannot hold like that.
func checkHold(h decisions.Hold) error {
	if h.First < 0 || !(h.Growth >= 1) || h.Max < h.First {
		return usagef("--hold %v, --hold-growth %v, --hold-max %v: need times of at least 0, the second not below the first, and a growth of at least 1", h.First, h.Growth, h.Max)
	}
	return nil
}

// archived is the state of an answer or mute that a compaction moved out of the journal.
const archived decisions.State = "archived"

// decided is a decision as it is printed.
type decided struct {
	Number  uint64          `json:"number"`
	At      time.Time       `json:"at"`
	Kind    decisions.Kind  `json:"kind"`
	State   decisions.State `json:"state,omitempty"` // of answers and mutes
	By      string          `json:"by,omitempty"`
	Reason  string          `json:"reason,omitempty"`
	Scope   decisions.Scope `json:"scope,omitempty"`
	Pattern string          `json:"pattern,omitempty"` // the key
	Score   *float64        `json:"score,omitempty"`   // of answers and clusters; −1 if it was withdrawn
	Until   *time.Time      `json:"until,omitempty"`
	Due     *time.Time      `json:"due,omitempty"` // of benign answers: when the question is asked again
	Event   string          `json:"event,omitempty"`
	Machine string          `json:"machine,omitempty"`
	Context []*string       `json:"context,omitempty"` // null if the machine had no event
	Cluster *int            `json:"cluster,omitempty"`
	Version string          `json:"version,omitempty"` // that has the cluster
	Old     *float64        `json:"old,omitempty"`     // the score of the cluster before
	Undoes  uint64          `json:"undoes,omitempty"`
}

// decidedOf describes a decision. found is what the journal says of an answer or mute, nil if it is in the archive.
func decidedOf(d decisions.Decision, state decisions.State, found *decisions.Found) decided {
	o := decided{Number: d.Number, At: d.At, Kind: d.Kind, By: d.By, Reason: d.Reason, Scope: d.Scope, Event: d.Subject.Event, Machine: d.Subject.Machine,
		Version: d.Version, Old: d.Old, Undoes: d.Undoes}
	for _, name := range d.Subject.Context {
		if name == "" {
			o.Context = append(o.Context, nil)
		} else {
			o.Context = append(o.Context, &name)
		}
	}
	switch d.Kind {
	case decisions.Answer, decisions.Mute:
		o.Pattern, o.State = d.Key.String(), cmp.Or(state, archived)
	case decisions.Cluster:
		o.Cluster = &d.Cluster
	}
	if d.Kind == decisions.Answer || d.Kind == decisions.Cluster {
		o.Score = &d.Score
	}
	if !d.Until.IsZero() {
		o.Until = &d.Until
	}
	if found != nil && !found.Due.IsZero() && (state == decisions.InForce || state == decisions.Due) {
		o.Due = &found.Due
	}
	return o
}

func (s *session) decisions() error {
	if s.flags.Bool("csv") && s.flags.Bool("json") {
		return usagef("--csv and --json: give one of them")
	}
	by, kind, scope := s.flags.String("by"), decisions.Kind(s.flags.String("kind")), decisions.Scope(s.flags.String("scope"))
	if kinds := []decisions.Kind{"", decisions.Answer, decisions.Mute, decisions.Cluster, decisions.Undo}; !slices.Contains(kinds, kind) {
		return usagef("--kind %q: need one of answer, mute, cluster, undo", kind)
	}
	if _, err := decisions.ParseScope(string(scope)); scope != "" && err != nil {
		return usagef("--%v", err)
	}
	j, err := s.journal()
	if err != nil {
		return err
	}
	write, end := s.decisionWriter()
	damaged, err := j.Each(func(d decisions.Decision) error {
		if by != "" && d.By != by || kind != "" && d.Kind != kind || scope != "" && d.Scope != scope {
			return nil
		}
		var state decisions.State
		var found *decisions.Found
		j.Read(func(l decisions.Look) { state, found = l.State(d.Number), l.Number(d.Number) })
		if state != decisions.InForce && !s.flags.Bool("all") {
			return nil
		}
		return write(decidedOf(d, state, found))
	})
	if damaged.Lines > 0 {
		s.note("%d lines cannot be read and have no effect; the first: %v", damaged.Lines, damaged.First)
	}
	return errors.Join(err, end())
}

// decisionWriter prints decisions in the form that the flags ask for. end ends the list.
func (s *session) decisionWriter() (write func(decided) error, end func() error) {
	switch {
	case s.flags.Bool("json"):
		return func(d decided) error {
			line, err := json.Marshal(d)
			if err == nil {
				_, err = fmt.Fprintf(s.out, "%s\n", report.VisibleJSON(line))
			}
			return err
		}, func() error { return nil }
	case s.flags.Bool("csv"):
		w := csv.NewWriter(s.out)
		_ = w.Write(decisionColumns) // Error tells
		return func(d decided) error { return w.Write(d.row()) }, func() error {
			w.Flush()
			return w.Error()
		}
	}
	n := 0
	return func(d decided) error {
			n++
			return s.printDecision(d)
		}, func() error {
			_, err := fmt.Fprintf(s.out, "%d decisions\n", n)
			return err
		}
}

// decisionColumns are those of the csv form.
var decisionColumns = []string{"number", "at", "kind", "state", "score", "scope", "event", "machine", "context", "by", "reason", "until", "due", "pattern", "cluster", "version",
	"old", "undoes"}

func (d decided) row() []string {
	row := []string{strconv.FormatUint(d.Number, 10), timeText(d.At), string(d.Kind), string(d.State), optional(d.Score), string(d.Scope), d.Event, d.Machine, d.names(), d.By, d.Reason,
		optionalTime(d.Until), optionalTime(d.Due), d.Pattern, "", d.Version, optional(d.Old), number(int(d.Undoes))}
	if d.Cluster != nil {
		row[slices.Index(decisionColumns, "cluster")] = strconv.Itoa(*d.Cluster)
	}
	for i, text := range row {
		row[i] = cell.Quote(report.Visible(text))
	}
	return row
}

// optional is a score, "none" if it was withdrawn, and empty if there is none.
func optional(score *float64) string {
	switch {
	case score == nil:
		return ""
	case *score == interpreter.NoScore:
		return withdrawal
	}
	return report.Number(*score)
}

func optionalTime(at *time.Time) string {
	if at == nil {
		return ""
	}
	return timeText(*at)
}

// names lists the context: each name once, with how often it comes.
func (d decided) names() string {
	counts := map[string]int{}
	for _, name := range d.Context {
		if name == nil {
			counts[noEvent]++
		} else {
			counts[*name]++
		}
	}
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%d × %s", counts[name], name))
	}
	return strings.Join(parts, "; ")
}

func (s *session) printDecision(d decided) error {
	parts := []string{fmt.Sprintf("%d  %s", d.Number, timeText(d.At)), string(d.Kind)}
	switch d.Kind {
	case decisions.Cluster:
		parts = append(parts, fmt.Sprintf("%d of version %s", *d.Cluster, d.Version))
	case decisions.Undo:
		parts = append(parts, fmt.Sprintf("of %d", d.Undoes))
	default:
		parts = append(parts, fmt.Sprintf("(%s)", strings.ReplaceAll(string(d.State), "_", " ")))
	}
	if d.Score != nil {
		parts = append(parts, "score "+optional(d.Score))
	}
	if d.Old != nil {
		parts = append(parts, "before "+optional(d.Old))
	}
	if d.By != "" {
		parts = append(parts, "by "+d.By)
	}
	for _, end := range []struct {
		name string
		at   *time.Time
	}{{"until", d.Until}, {"due", d.Due}} {
		if end.at != nil {
			parts = append(parts, end.name+" "+timeText(*end.at))
		}
	}
	fmt.Fprintln(s.out, report.Visible(strings.Join(parts, "  ")))
	for _, line := range []struct{ name, text string }{{"scope", string(d.Scope)}, {"event", d.Event}, {"machine", d.Machine}, {"context", d.names()}, {"reason", d.Reason}} {
		if line.text != "" {
			fmt.Fprintf(s.out, "    %s: %s\n", line.name, report.Visible(line.text))
		}
	}
	return nil
}
