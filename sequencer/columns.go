package sequencer

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Columns name the fields of csv and JSON input. In JSON a dot leads into nested objects: rule.description.
type Columns struct{ Timestamp, Machine, Event, Label string }

// DefaultColumns are timestamp, machine, event and label.
func DefaultColumns() Columns {
	return Columns{Timestamp: "timestamp", Machine: "machine", Event: "event", Label: "label"}
}

// ParseColumns reads renamings such as "timestamp=time,machine=host,event=name,label=event_label"; what is not renamed keeps
// its name.
func ParseColumns(s string) (Columns, error) {
	c := DefaultColumns()
	fields := map[string]*string{"timestamp": &c.Timestamp, "machine": &c.Machine, "event": &c.Event, "label": &c.Label}
	for pair := range strings.SplitSeq(s, ",") {
		if s == "" {
			break
		}
		field, name, _ := strings.Cut(pair, "=")
		to := fields[strings.TrimSpace(field)]
		if name = strings.TrimSpace(name); to == nil || name == "" {
			return Columns{}, fmt.Errorf("columns: %s: want timestamp=…, machine=…, event=… or label=…", shorten(pair))
		}
		*to = name
	}
	return c, nil
}

// orDefault gives empty columns their default names.
func (c Columns) orDefault() Columns {
	d := DefaultColumns()
	return Columns{cmp.Or(c.Timestamp, d.Timestamp), cmp.Or(c.Machine, d.Machine), cmp.Or(c.Event, d.Event), cmp.Or(c.Label, d.Label)}
}

// needsLabel tells whether a label was asked for by name: then a csv header has to have it.
func (c Columns) needsLabel() bool { return c.Label != DefaultColumns().Label }

// fields are a row's values as text.
type fields struct {
	timestamp, machine, event string
	label                     string // "" for none
}

// append adds a row to the table, or says which field is wrong.
func (r *reader) append(f fields) (field string, err error) {
	at, err := parseTime(f.timestamp)
	if err != nil {
		return r.columns.Timestamp, fmt.Errorf("%s: %w", shorten(f.timestamp), err)
	}
	of := f.machine
	if r.prefix != "" {
		of = r.prefix + of
	}
	machine, held := r.table.machines.find(of)
	if !held {
		if err := checkName(f.machine); err != nil {
			return r.columns.Machine, err
		}
	}
	name, known := r.table.names.find(f.event)
	if !known {
		if err := checkName(f.event); err != nil {
			return r.columns.Event, err
		}
	}
	label := float64(NoLabel)
	if r.labelled {
		if label, err = r.parseLabel(f.label); err != nil {
			return r.columns.Label, err
		}
	}
	if !held {
		machine = r.table.machines.add(of)
	}
	if !known {
		name = r.table.names.add(f.event)
	}
	r.table.append(machine, name, at)
	r.table.appendLabel(label, r.labelled)
	return "", nil
}

// checkName is for machines and events.
func checkName(s string) error {
	if s == "" {
		return errors.New("is empty: want a name")
	}
	if !utf8.ValidString(s) {
		return fmt.Errorf("%s: want UTF-8", shorten(s))
	}
	return nil
}

func (r *reader) parseLabel(s string) (float64, error) {
	label, err := ParseTextLabel(s, r.opts.Benign)
	if err != nil {
		return 0, fmt.Errorf("%s: want a number; where labels are texts, say which of them is benign", shorten(s))
	}
	return label, nil
}

// ParseTextLabel is ParseLabel where, if any text is benign, each other one is an attack and has the label 1.
func ParseTextLabel(s, benign string) (float64, error) {
	s = strings.TrimSpace(s)
	if benign != "" && s != "" && s != benign {
		return 1, nil
	}
	return ParseLabel(s, benign)
}

// ParseLabel reads a label: a number, true for 1, false for 0 (in any case), the text that is benign for 0, or nothing for NoLabel;
// spaces around it do not count. Where true is benign, false is 1. The error is strconv.ErrSyntax for any other text, and
// strconv.ErrRange for a number that is not finite.
func ParseLabel(s, benign string) (float64, error) {
	switch s = strings.TrimSpace(s); {
	case s == "":
		return NoLabel, nil
	case s == benign:
		return 0, nil
	case strings.EqualFold(s, "true"), strings.EqualFold(s, "false") && strings.EqualFold(benign, "true"):
		return 1, nil
	case strings.EqualFold(s, "false"):
		return 0, nil
	}
	label, err := strconv.ParseFloat(s, 64)
	if err == nil && (math.IsNaN(label) || math.IsInf(label, 0)) {
		err = strconv.ErrRange
	}
	return label, err
}

// shorten quotes a value for an error message.
func shorten(s string) string {
	const most = 60
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return strconv.Quote(s)
}
