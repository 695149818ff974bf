package sequencer

import (
	"cmp"
	"fmt"
	"strings"

	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/textfile"
)

// Columns name the fields of csv and JSON input. In JSON they are paths: rule.description is the key of that name, or else the key
// description of the object rule.
type Columns struct{ Timestamp, Machine, Event, Label string }

// defaultColumns are timestamp, machine, event and label.
func defaultColumns() Columns {
	return Columns{Timestamp: "timestamp", Machine: "machine", Event: "event", Label: "label"}
}

// ParseColumns reads names such as "timestamp=time,machine=host,event=name,label=event_label". Fields that are not in s keep their default
// names.
func ParseColumns(s string) (Columns, error) {
	c := defaultColumns()
	fields := map[string]*string{"timestamp": &c.Timestamp, "machine": &c.Machine, "event": &c.Event, "label": &c.Label}
	given := map[*string]bool{}
	for pair := range strings.SplitSeq(s, ",") {
		if s == "" {
			break
		}
		column, name, _ := strings.Cut(pair, "=")
		to := fields[strings.TrimSpace(column)]
		if name = strings.TrimSpace(name); to == nil || name == "" {
			return Columns{}, fmt.Errorf("columns: %s: want timestamp=…, machine=…, event=… or label=…", excerpt.Quote(pair))
		}
		if given[to] {
			return Columns{}, fmt.Errorf("columns: %s comes twice: want one", strings.TrimSpace(column))
		}
		*to, given[to] = name, true
	}
	return c, nil
}

// orDefault gives empty columns their default names.
func (c Columns) orDefault() Columns {
	d := defaultColumns()
	return Columns{cmp.Or(c.Timestamp, d.Timestamp), cmp.Or(c.Machine, d.Machine), cmp.Or(c.Event, d.Event), cmp.Or(c.Label, d.Label)}
}

func (c Columns) list() []string { return []string{c.Timestamp, c.Machine, c.Event, c.Label} }

// needsLabel reports whether a label was asked for by name. A csv header must have it then.
func (c Columns) needsLabel() bool { return c.Label != defaultColumns().Label }

// fields are the values of a row.
type fields struct {
	timestamp, machine, event string
	label                     float64
	kind                      string // the text of the label
	labelled                  bool
}

// decoded is an error if a name has bytes that its file's encoding does not know. What is wrong with UTF-8, field says.
func (r *reader) decoded(name string) error {
	if r.encoding == (textfile.Encoding{}) {
		return nil
	}
	return r.encoding.Check([]byte(name))
}

// append adds a row to the table, or says which field is wrong.
func (r *reader) append(f *fields) (column string, err error) {
	at, err := r.time.Nanos(f.timestamp)
	if err != nil {
		return r.columns.Timestamp, fmt.Errorf("%s: %w", excerpt.Quote(f.timestamp), err)
	}
	of := f.machine
	if r.opts.NormalizeMachine {
		of = field.NormalMachine(of)
	}
	if r.prefix != "" {
		of = r.prefix + of
	}
	machine, held := r.table.machines.find(of)
	if !held || r.opts.NormalizeMachine { // of two names that become one, one may be wrong
		if err := cmp.Or(r.decoded(f.machine), field.Machine(f.machine, r.placeholders)); err != nil {
			return r.columns.Machine, err
		}
	}
	name, known := r.table.names.find(f.event)
	if !known {
		if err := cmp.Or(r.decoded(f.event), field.Event(f.event)); err != nil {
			return r.columns.Event, err
		}
	}
	if !held {
		machine = r.table.machines.add(of)
	}
	if !known {
		name = r.table.names.add(f.event)
	}
	r.table.append(machine, name, at)
	if !f.labelled {
		f.label = NoLabel
	} else if r.table.labels == nil {
		r.firstLabel = r.table.Len() - 1
	}
	r.table.appendLabel(f.label, f.labelled)
	if f.labelled {
		r.table.appendKind(f.kind)
	}
	return "", nil
}
