package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/drift"
	"connect-deepcase/internal/field"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/sequencer"
)

// alertFlags name the alerts that replay and drift look at, and say how to read them.
func alertFlags() []ucli.Flag {
	flags := append([]ucli.Flag{
		&ucli.GenericFlag{Name: "documents", Value: &paths{},
			Usage: "`FILE` of annotated documents (ndjson), or of events (csv, txt or json); may be given several times"},
		&ucli.StringFlag{Name: "target", Value: "deepcase", Usage: "`FIELD` of the annotation in documents"},
	}, readingFlags()...)
	for _, f := range flags {
		if shared, ok := f.(*ucli.BoolFlag); ok && shared.Name == "shared-machines" { // answers name machines without a file
			shared.Value, shared.DisableDefaultText = true, false
			shared.Usage = "a machine name means the same machine in all files; with =false, each file has its own machines, and answers to a machine do not apply to them"
		}
	}
	return flags
}

// alert is an alert of a file.
type alert struct {
	annotation.Sequence
	At       time.Time // zero if it is not known
	Case     string    `json:"case"`
	CaseKind string    `json:"case_kind"`
	document func() json.RawMessage
	keys     [4]decisions.Key
}

// Alerts are judged some at a time, so that equal ones are asked about once, and not too much is in memory.
const (
	alertsAtOnce     = 16_384
	alertBytesAtOnce = 64 << 20
)

// alerts reads the alerts of --documents, with contexts as the params say, and gives them to use, some at a time. Their times are read if
// dated is true.
func (s *session) alerts(p model.Params, dated bool, use func([]alert) error) error {
	files, _ := s.flags.Generic("documents").(*paths)
	if len(*files) == 0 {
		return usagef("no alerts: give annotated documents or events with --documents")
	}
	annotated, err := areAnnotated(*files)
	if err != nil {
		return err
	}
	var some []alert
	size, total := 0, 0
	flush := func() error {
		total += len(some)
		for i := range some {
			some[i].keys = some[i].Subject().Keys()
		}
		err := use(some)
		some, size = some[:0], 0
		return err
	}
	add := func(a alert, bytes int) error {
		some, size = append(some, a), size+bytes
		if len(some) < alertsAtOnce && size < alertBytesAtOnce {
			return nil
		}
		return flush()
	}
	if annotated {
		err = s.annotatedAlerts(*files, p.Length, dated, add)
	} else {
		err = s.eventAlerts(*files, p, add)
	}
	if err == nil && len(some) > 0 {
		err = flush()
	}
	if err == nil && total == 0 {
		err = errors.New("--documents: there are no alerts, need at least one")
	}
	return err
}

func (s *session) annotatedAlerts(files []string, length int, dated bool, add func(a alert, bytes int) error) error {
	refused := []string{"benign", "encoding", "max-record", "placeholders", "normalize-machine", "shared-machines"}
	if !dated {
		refused = append(refused, "columns", "time-format")
	}
	if err := s.refuse("documents in ndjson have their contexts already", refused...); err != nil {
		return err
	}
	target, err := annotation.ParseTarget(s.flags.String("target"))
	if err != nil {
		return usagef("--target %s", err)
	}
	how, err := s.readOptions(sequencer.NDJSON)
	if err != nil {
		return err
	}
	if alone, _ := sequencer.ParseColumns("timestamp=" + how.Columns.Timestamp); how.Columns != alone {
		return usagef("--columns: documents in ndjson have their machines and events already: give timestamp=FIELD alone")
	}
	format, err := field.ParseTimeFormat(how.Time)
	if err != nil {
		return usagef("--time-format: %s", err)
	}
	for _, path := range files {
		err := eachFileLine(path, func(line []byte) error {
			a, err := readAlert(line, target, length)
			if err == nil && dated {
				a.At, err = timeOf(line, how.Columns.Timestamp, "--columns timestamp=FIELD", format)
			}
			if err != nil {
				return err
			}
			return add(a, len(line))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// readAlert reads what deepcase_sequence and deepcase_case wrote into a document.
func readAlert(document []byte, target annotation.Target, length int) (a alert, err error) {
	if a.Sequence, err = readSequence(document, target, length); err != nil {
		return a, err
	}
	// They are missing if there is no deepcase_case.
	var opened struct {
		Case     string `json:"case"`
		CaseKind string `json:"case_kind"`
	}
	if err := json.Unmarshal(field.FindJSON(document, target.String()), &opened); err != nil {
		return a, fmt.Errorf("%s: no annotation of deepcase_case: %w", target, err)
	}
	a.Case, a.CaseKind = opened.Case, opened.CaseKind
	a.document = func() json.RawMessage { return document }
	return a, nil
}

func timeOf(document json.RawMessage, path, flag string, format field.TimeFormat) (time.Time, error) {
	text, err := field.JSONText(field.FindJSON(document, path))
	if errors.Is(err, field.ErrMissing) {
		return time.Time{}, fmt.Errorf("%s: %w: name the field with the time with %s", path, err, flag)
	}
	var at time.Time
	if err == nil {
		at, err = format.Parse(text)
	}
	if err != nil {
		return at, fmt.Errorf("%s: %w", path, nameFlag(err))
	}
	return at, nil
}

func (s *session) eventAlerts(files []string, p model.Params, add func(a alert, bytes int) error) error {
	if err := s.refuse("the files hold events, not documents", "target"); err != nil {
		return err
	}
	q, err := s.readEvents(files, p)
	if err != nil {
		return err
	}
	for row, event := range q.Events {
		a := alert{document: func() json.RawMessage { return q.document(row) }}
		a.Event, a.Context = q.Names[event], q.Context(row)
		a.Machine, a.At = q.seen(row)
		if err := add(a, 0); err != nil {
			return err
		}
	}
	return nil
}

// judge gives verdicts on alerts: those of a model, and what the journal makes of them.
type judge struct {
	predictor *model.Predictor
	journal   *decisions.Journal
}

func (j judge) verdicts(ctx context.Context, alerts []alert) ([]drift.Verdict, error) {
	samples := make([]model.Sample, len(alerts))
	for i, a := range alerts {
		samples[i] = model.Sample{Event: a.Event, Context: a.Context}
	}
	verdicts, err := j.predictor.Predict(ctx, samples)
	if err != nil {
		return nil, err
	}
	judged := make([]drift.Verdict, len(alerts))
	j.journal.Read(func(look decisions.Look) {
		for i, v := range verdicts {
			judged[i] = drift.Verdict{Verdict: v, Settled: look.Settle(v, alerts[i].keys)}
		}
	})
	return judged, nil
}

// judges opens a judge for each model, all with the journal of --model.
func (s *session) judges(models ...*model.Model) (judges []judge, err error) {
	journal, err := s.journal()
	if err != nil {
		return nil, err
	}
	if damage := journal.Damage(); damage.Lines > 0 {
		s.note("%d lines of the journal cannot be read and have no effect; the first one: %v", damage.Lines, damage.First)
	}
	e, err := s.engine()
	if err != nil {
		return nil, err
	}
	for _, m := range models {
		p, err := model.NewPredictor(m, e)
		if err != nil {
			for _, j := range judges {
				err = errors.Join(err, j.predictor.Close())
			}
			return nil, err
		}
		judges = append(judges, judge{p, journal})
	}
	return judges, nil
}
