package sequencer

import "strings"

// NoLabel is the label of a row that has none in a table where others have one (the original's NO_SCORE).
const NoLabel = -1

// Table holds events in columns, in input order, each machine and event name once: 24 bytes an event. The zero value is an empty table.
type Table struct {
	machines, names interned
	machine, name   []uint32  // rows
	time            []int64   // rows, Unix nanoseconds
	labels          []float64 // rows; nil until one has a label
}

// Append adds an event without a label; its ID does not matter.
func (t *Table) Append(e Event) {
	t.append(e.Machine, e.Name, nanos(e.Time))
	if t.labels != nil {
		t.labels = append(t.labels, NoLabel)
	}
}

// AppendLabelled adds an event with a label.
func (t *Table) AppendLabelled(e Event, label float64) {
	for len(t.labels) < len(t.time) {
		t.labels = append(t.labels, NoLabel)
	}
	t.append(e.Machine, e.Name, nanos(e.Time))
	t.labels = append(t.labels, label)
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.time) }

func (t *Table) append(machine, name string, at int64) {
	t.machine = append(t.machine, t.machines.id(machine))
	t.name = append(t.name, t.names.id(name))
	t.time = append(t.time, at)
}

// interned numbers strings in the order of their first use.
type interned struct {
	ids   map[string]uint32
	texts []string // by id
	last  uint32   // the id that was asked for last: neighbours often are equal
}

func (in *interned) id(text string) uint32 {
	if len(in.texts) > 0 && in.texts[in.last] == text {
		return in.last
	}
	id, ok := in.ids[text]
	if !ok {
		if in.ids == nil {
			in.ids = map[string]uint32{}
		}
		text = strings.Clone(text) // it may be a piece of a whole row
		id = uint32(len(in.texts))
		in.ids[text] = id
		in.texts = append(in.texts, text)
	}
	in.last = id
	return id
}
