package cli

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/internal/cases"
	"connect-deepcase/internal/report"
	"connect-deepcase/internal/stream"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

const categoryStream = "Answers and cases (--stream)"

// choice is a setting of a stream, as a flag and in --try.
type choice struct {
	name, usage string
	least       float64
	of          func(o *stream.Options) any
}

var choices = []choice{
	{"scope", "`SCOPE` of an answer (pattern_on_machine|pattern|event_on_machine|event)", 0, func(o *stream.Options) any { return &o.Scope }},
	{"hold", "`TIME` after which a benign answer is asked again", 0, func(o *stream.Options) any { return &o.Hold.First }},
	{"hold-growth", "how many `TIMES` longer an answer holds after each confirmation", 1, func(o *stream.Options) any { return &o.Hold.Growth }},
	{"hold-max", "longest `TIME` that a benign answer holds", 0, func(o *stream.Options) any { return &o.Hold.Max }},
	{"delay", "`TIME` between an event that asks and its answer", 0, func(o *stream.Options) any { return &o.Delay }},
	{"gap", "longest `TIME` without an event within a case", 0, func(o *stream.Options) any { return &o.Cases.Gap }},
	{"alarm-gap", "the same `TIME` for alarms and for clusters without a score", 0, func(o *stream.Options) any { return &o.Cases.AlarmGap }},
	{"by-machine", "whether all alarms of a machine are one case, with what is new there within --gap (`true` or false)", 0, func(o *stream.Options) any { return &o.Cases.ByMachine }},
	{"burst", "benign events make a case if there are more than so many `TIMES` the highest hourly count in training; 0 for never", 0, func(o *stream.Options) any { return &o.Cases.Burst }},
	{"burst-floor", "fewest `EVENTS` in an hour that make such a case", 0, func(o *stream.Options) any { return &o.Cases.BurstFloor }},
}

func (c choice) set(o *stream.Options, text string) (err error) {
	x, want := 0.0, "a number"
	switch to := c.of(o).(type) {
	case *decisions.Scope:
		*to, err = decisions.ParseScope(text)
		return err
	case *bool:
		if *to, err = strconv.ParseBool(text); err != nil {
			return fmt.Errorf("%q: need true or false", text)
		}
		return nil
	case *time.Duration:
		want = "a time such as 90m or 12h"
		*to, err = time.ParseDuration(text)
		x = to.Seconds()
	case *float64:
		*to, err = strconv.ParseFloat(text, 64)
		x = *to
	case *int:
		want = "a whole number"
		*to, err = strconv.Atoi(text)
		x = float64(*to)
	}
	if err != nil || !(x >= c.least && x <= math.MaxFloat64) {
		return fmt.Errorf("%q: need %s of at least %s", text, want, report.Number(c.least))
	}
	return nil
}

func (c choice) text(o stream.Options) string {
	switch x := c.of(&o).(type) {
	case *time.Duration:
		text := x.String() // 12h0m0s
		if strings.HasSuffix(text, "m0s") {
			text = strings.TrimSuffix(text, "0s")
		}
		if strings.HasSuffix(text, "h0m") {
			text = strings.TrimSuffix(text, "0m")
		}
		return text
	case *bool:
		return strconv.FormatBool(*x)
	case *float64:
		return report.Number(*x)
	case *int:
		return strconv.Itoa(*x)
	default:
		return string(o.Scope)
	}
}

func streamFlags() []ucli.Flag {
	flags := []ucli.Flag{boolFlag(categoryStream, "stream",
		"play each test file in time order, with labels as the answers of an analyst, and count the cases that a person opens")}
	for _, c := range choices {
		flags = append(flags, &ucli.StringFlag{Category: categoryStream, Name: c.name, Value: c.text(stream.DefaultOptions()), Usage: c.usage})
	}
	return append(flags, &ucli.GenericFlag{Category: categoryStream, Name: "try", Value: &tries{},
		Usage: "play with other `SETTINGS`, too, such as scope=pattern or gap=4h,burst=0: a line of results for each --try"})
}

// tries are the values of --try.
type tries []string

func (t *tries) Set(text string) error {
	*t = append(*t, text)
	return nil
}

func (t *tries) String() string { return strings.Join(*t, " ") }

// play is how a stream is played.
type play struct {
	try     string // the value of --try; "" for the first one
	options stream.Options
}

// plays are the settings that the flags give, and then those of --try; none without --stream.
func (s *session) plays() ([]play, error) {
	if !s.flags.Bool("stream") {
		flags := []string{"try"}
		for _, c := range choices {
			flags = append(flags, c.name)
		}
		return nil, s.refuse("there is no --stream", flags...)
	}
	first := play{options: stream.DefaultOptions()}
	for _, c := range choices {
		if err := c.set(&first.options, s.flags.String(c.name)); err != nil {
			return nil, usagef("--%s: %s", c.name, err)
		}
	}
	all := []play{first}
	others, _ := s.flags.Generic("try").(*tries)
	for _, text := range *others {
		p := play{text, first.options}
		for setting := range strings.SplitSeq(text, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(setting), "=")
			i := slices.IndexFunc(choices, func(c choice) bool { return c.name == name })
			if i < 0 {
				return nil, usagef("--try: %q is not a setting=value of --stream such as gap=4h", setting)
			}
			if err := choices[i].set(&p.options, value); err != nil {
				return nil, usagef("--try: %s: %s", name, err)
			}
		}
		all = append(all, p)
	}
	for _, p := range all {
		if err := checkHold(p.options.Hold); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// tried is a result with other settings.
type tried struct {
	Try string `json:"try"`
	*stream.Result
}

// play plays events with each of the settings. The first result is that of the flags.
func (t *tested) play(q *sequences, verdicts []model.Verdict, m *model.Model, plays []play) error {
	for i, p := range plays {
		result, err := stream.Play(q.Sequences, verdicts, m.Clusters, p.options)
		if err != nil {
			return fmt.Errorf("--stream: %s: %w", t.File, err)
		}
		if i == 0 {
			t.Result, t.Settings = result, map[string]string{}
			for _, c := range choices {
				t.Settings[c.name] = c.text(p.options)
			}
			continue
		}
		t.Tried = append(t.Tried, tried{p.try, result})
	}
	return nil
}

// writeStream prints what was played.
func (t tested) writeStream(w io.Writer) error {
	r := t.Result
	var settings []string
	for _, c := range choices {
		settings = append(settings, c.name+" "+t.Settings[c.name])
	}
	fmt.Fprintf(w, "\nAnswers and cases (%s)\n", strings.Join(settings, ", "))
	rows := [][]string{{"", "cases", "events today"}}
	views := []view{streamView(r), triageView(t.DeepCASE)}
	if t.Rules != nil {
		rows[0] = append(rows[0], "rule-only")
		views = append(views, triageView(*t.Rules))
	}
	for i, name := range viewLines {
		row := []string{name}
		for _, v := range views {
			row = append(row, v[i])
		}
		rows = append(rows, row)
	}
	for _, kind := range cases.Kinds {
		if n := r.ByKind[kind.String()]; n > 0 {
			rows = append(rows, []string{"cases of kind " + kind.String(), strconv.Itoa(n)})
		}
	}
	rows = append(rows, []string{"questions in cases", strconv.Itoa(r.Questions)}, []string{"answers, if given together", strconv.Itoa(r.Answers)})
	if r.TakenUp > 0 {
		rows = append(rows, []string{"attack events before a burst", strconv.Itoa(r.TakenUp)})
	}
	if err := report.Table(w, rows); err != nil {
		return err
	}
	if len(r.ByStep) > 0 {
		fmt.Fprintln(w)
		if err := report.Table(w, stepRows(r.ByStep)); err != nil {
			return err
		}
	}
	if len(t.Tried) > 0 {
		fmt.Fprintln(w)
		return report.Table(w, triedRows(slices.Insert(slices.Clone(t.Tried), 0, tried{"as above", r})))
	}
	return nil
}

// view has the text of each of the viewLines.
type view []string

var viewLines = []string{"opened by a person", "in percent of the events", "a day (median)", "on the busiest day", "benign events seen",
	"attack events missed", "recall", "attack steps lost"}

func streamView(r *stream.Result) view {
	return view{strconv.Itoa(r.Objects), percent(r.Share), report.Number(float64(report.Median(r.PerDay))), strconv.Itoa(slices.Max(r.PerDay)),
		strconv.Itoa(r.BenignSeen), strconv.Itoa(r.AttackMissed), r.Recall.String(), fmt.Sprintf("%d of %d", r.StepsLost, r.Steps)}
}

func triageView(t report.Triage) view {
	lost := 0
	for _, step := range t.MissedByType {
		if step.Missed == step.Events {
			lost++
		}
	}
	return view{strconv.Itoa(t.SentEvents), percent(t.SentAll), report.Number(float64(t.MedianDay)), busiest(t),
		strconv.Itoa(t.SentEvents - t.Attacks + t.Missed), strconv.Itoa(t.Missed), t.Sent.Recall.String(), strconv.Itoa(lost)}
}

func wholeSeconds(x float64) string {
	return time.Duration(x * float64(time.Second)).Round(time.Second).String()
}

func percent(s report.Share) string { return strconv.FormatFloat(100*float64(s), 'f', 3, 64) }

// stepRows lists the steps of attacks: those with most missed events first, the others by time.
func stepRows(steps []stream.Step) [][]string {
	rows := [][]string{{"attack step", "events", "missed", "time to first case", "its age", "its kind"}}
	steps = slices.Clone(steps)
	slices.SortStableFunc(steps, func(a, b stream.Step) int { return cmp.Compare(b.Missed, a.Missed) })
	for i, step := range steps {
		if i == mostTypes {
			return append(rows, []string{fmt.Sprintf("and %d more: see --json", len(steps)-mostTypes)})
		}
		row := []string{strconv.Quote(step.Name), strconv.Itoa(step.Alerts), strconv.Itoa(step.Missed), "lost", "-", "-"}
		if step.Wait != nil {
			row[3], row[4], row[5] = wholeSeconds(*step.Wait), wholeSeconds(step.Age), step.Kind
		}
		rows = append(rows, row)
	}
	return rows
}

func triedRows(all []tried) [][]string {
	rows := [][]string{{"settings", "cases", "percent", "a day", "busiest day", "questions", "benign seen", "missed", "steps lost"}}
	for _, t := range all {
		v := streamView(t.Result)
		rows = append(rows, []string{t.Try, v[0], v[1], v[2], v[3], strconv.Itoa(t.Questions), v[4], v[5], strconv.Itoa(t.StepsLost)})
	}
	return rows
}

const streamFootnote = `cases:     an event without a score asks for one. Its label is the answer, which then settles events of the same scope. A case holds what is
           not settled as benign: events of one machine and kind without a longer pause. Missed are attack events in no case, lost are the
           steps of attacks (distinct labels) that are in no case at all. Days are those of UTC. Questions about one event in one case
           that have the same answer can be given it together. A burst is a case with the whole hour of its cluster on its machine: the
           attack events before the burst was noticed are not missed.
`
