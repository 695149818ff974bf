package cli

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"connect-deepcase/internal/field"
	"connect-deepcase/internal/textfile"
	"connect-deepcase/model"
	"connect-deepcase/sequencer"
)

// inputs returns the files that the flags with a prefix name, and their format.
func (s *session) inputs(prefix string) (sequencer.Format, []string, error) {
	var format sequencer.Format
	var files []string
	for _, f := range formats {
		given, _ := s.flags.Generic(prefix + string(f.format)).(*paths)
		if given == nil || len(*given) == 0 {
			continue
		}
		if format != "" {
			return "", nil, usagef("--%s%s and --%s%s: give files of one format only", prefix, format, prefix, f.format)
		}
		format, files = f.format, *given
	}
	return format, files, nil
}

// readOptions say how to read files of a format.
func (s *session) readOptions(format sequencer.Format) (sequencer.ReadOptions, error) {
	columns, err := sequencer.ParseColumns(s.flags.String("columns"))
	if err != nil {
		return sequencer.ReadOptions{}, usagef("--%s", err) // it begins with columns
	}
	rows := s.flags.Int("nrows")
	if rows < 0 {
		return sequencer.ReadOptions{}, usagef("--nrows: %d is not at least 0", rows)
	}
	most := s.flags.Int("max-record")
	if most < 1 || most > 2047 {
		return sequencer.ReadOptions{}, usagef("--max-record: %d is not in 1 to 2047 MiB", most)
	}
	if format == sequencer.Text {
		if err := s.refuse("txt has neither columns nor labels", "columns", "benign", "time-format", "placeholders", "normalize-machine"); err != nil {
			return sequencer.ReadOptions{}, err
		}
	}
	if s.flags.IsSet("label") {
		s.useless("--label is the label of all events", "benign")
	}
	how := sequencer.ReadOptions{Format: format, Columns: columns, Benign: s.flags.String("benign"), Time: s.flags.String("time-format"), Rows: rows,
		NormalizeMachine: s.flags.Bool("normalize-machine"), Encoding: s.flags.String("encoding"), MaxBytes: most << 20}
	if _, err := textfile.ParseEncoding(how.Encoding); err != nil {
		return how, usagef("--encoding: %s", err)
	}
	if _, err := field.ParseTimeFormat(how.Time); err != nil {
		return how, usagef("--time-format: %s", err)
	}
	if s.flags.IsSet("placeholders") {
		how.Placeholders = strings.Split(s.flags.String("placeholders"), ",")
	}
	return how, nil
}

// read makes sequences from files.
func (s *session) read(format sequencer.Format, files []string, options sequencer.Options) (*sequences, error) {
	how, err := s.readOptions(format)
	if err != nil {
		return nil, err
	}
	if err := options.Validate(); err != nil {
		return nil, usagef("%s", byFlag(err))
	}
	how.PerFile = len(files) > 1 && !s.flags.Bool("shared-machines")
	if len(files) == 1 {
		s.useless("there is one file", "shared-machines")
	}
	reading := s.progress.start("reading")
	how.Progress = reading.to
	var table sequencer.Table
	err = table.Read(how, files...)
	reading.end()
	if err != nil {
		return nil, nameFlag(err)
	}
	if how.PerFile {
		s.note("%d files, each with its own machines (use --shared-machines if the files share machines)", len(files))
	}
	sequencing := s.progress.start("sequencing")
	defer sequencing.end()
	settings := sequencer.SequenceOptions{Options: options, Progress: sequencing.rows}
	if s.flags.IsSet("label") {
		label := s.flags.Float64("label")
		settings.Label = &label
	}
	found, err := table.Sequence(settings)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(files, ", "), err)
	}
	if len(found.Events) == 0 {
		return nil, fmt.Errorf("%s: no events, need at least one", strings.Join(files, ", "))
	}
	for row, label := range found.Labels {
		if !(label >= 0 && label <= math.MaxFloat64 || label == sequencer.NoLabel) {
			return nil, fmt.Errorf("%s: event %d: label %v is neither at least 0 nor -1 for none", strings.Join(files, ", "), row+1, label)
		}
	}
	if format == sequencer.Text {
		found.Times = nil // only their order is known
	}
	return &sequences{found, options.Timeout, format}, nil
}

var errNoInput = usage{"no input: give events with --csv, --txt, --json or --ndjson, or sequences with --load-sequences"}

// sequences reads or loads the sequences that the flags name, and saves them if asked to. The context of a loaded model is the default
// for events that are read; sequences that are loaded must have it.
func (s *session) sequences(ctx context.Context, loaded *model.Params) (*sequences, error) {
	format, files, err := s.inputs("")
	if err != nil {
		return nil, err
	}
	limit, err := s.eventLimit()
	if err != nil {
		return nil, err
	}
	if err := s.saveable(); err != nil {
		return nil, err
	}
	load, save := s.flags.String("load-sequences"), s.flags.String("save-sequences")
	var q *sequences
	switch {
	case load != "" && len(files) > 0:
		return nil, usagef("--load-sequences and --%s: give one of them", format)
	case load != "" && save != "":
		return nil, usagef("--save-sequences needs events: give them with --csv, --txt, --json or --ndjson")
	case load != "":
		err := s.refuse("the sequences are loaded, not read", append([]string{"nrows", "label"}, readingSettings...)...)
		if err != nil {
			return nil, err
		}
		if q, err = loadSequences(load); err != nil {
			return nil, err
		}
		if s.flags.IsSet("timeout") && s.timeout() != q.Timeout {
			return nil, usagef("--timeout %v has no effect: the sequences of %s were made with %v seconds; read the events again to change that",
				s.timeout().Seconds(), load, q.Timeout.Seconds())
		}
		if s.flags.IsSet("length") && s.flags.Int("length") != q.Length {
			return nil, fmt.Errorf("%s: the contexts have %d events, --length is %d: read the events again with that length", load, q.Length, s.flags.Int("length"))
		}
	case len(files) > 0:
		options, err := s.context(loaded)
		if err != nil {
			return nil, err
		}
		if q, err = s.read(format, files, options); err != nil {
			return nil, err
		}
	default:
		return nil, errNoInput
	}
	if events := len(q.Names) + 1; limit > 0 && events > limit {
		return nil, fmt.Errorf("--events: %d distinct events including NO_EVENT, --events allows %d", events, limit)
	}
	if loaded != nil && q.Length != loaded.Length {
		return nil, fmt.Errorf("the sequences have contexts of %d events, the model has %d: read the events again with --length %d",
			q.Length, loaded.Length, loaded.Length)
	}
	if save != "" {
		if err := q.save(ctx, save); err != nil {
			return nil, err
		}
		s.note("saved %d sequences in %s", len(q.Events), save)
	}
	return q, nil
}

// context says what a context is: what the flags say, or else what the loaded model has.
func (s *session) context(loaded *model.Params) (sequencer.Options, error) {
	o := sequencer.Options{Length: s.flags.Int("length"), Timeout: s.timeout()}
	if loaded == nil {
		return o, nil
	}
	if s.flags.IsSet("length") && o.Length != loaded.Length {
		return o, usagef("--length: %d, but the loaded model has contexts of %d events", o.Length, loaded.Length)
	}
	o.Length = loaded.Length
	if !s.flags.IsSet("timeout") {
		o.Timeout = loaded.Timeout
	}
	return o, nil
}

var errNoLabels = errors.New("no labels: the input has no label column (name it with --columns label=…), or give every event the same with --label")
