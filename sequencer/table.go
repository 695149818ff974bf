package sequencer

import (
	"math"
	"slices"
	"strings"

	"connect-deepcase/internal/field"
)

// NoLabel is the label of a row without a label, in a table in which other rows have one (the original's NO_SCORE).
const NoLabel = field.NoLabel

// Table holds events in columns, in input order, each machine and event name once: 24 bytes an event. The zero value is an empty table.
type Table struct {
	machines, names interned
	machine, name   []uint32  // rows
	time            []int64   // rows, Unix nanoseconds
	labels          []float64 // rows; nil until one has a label
	kinds           interned  // the texts of labels
	kind            []uint32  // rows; nil until one has the text of a label
}

// Append adds an event without a label. Its ID is ignored.
func (t *Table) Append(e Event) {
	t.append(t.machines.id(e.Machine), t.names.id(e.Name), nanos(e.Time))
	t.appendLabel(NoLabel, false)
}

// AppendLabelled adds an event with a label.
func (t *Table) AppendLabelled(e Event, label float64) {
	t.append(t.machines.id(e.Machine), t.names.id(e.Name), nanos(e.Time))
	t.appendLabel(label, true)
}

// Len is the number of rows.
func (t *Table) Len() int { return len(t.time) }

func (t *Table) append(machine, name uint32, at int64) {
	t.machine = append(t.machine, machine)
	t.name = append(t.name, name)
	t.time = append(t.time, at)
}

// appendLabel labels the last row. Rows before the first row with a label get NoLabel.
func (t *Table) appendLabel(label float64, has bool) {
	if !has && t.labels == nil {
		return
	}
	t.fillLabels(len(t.time) - 1)
	t.labels = append(t.labels, label)
}

// appendKind sets the text of the last row's label.
func (t *Table) appendKind(text string) {
	t.fillKinds(len(t.time) - 1)
	t.kind = append(t.kind, t.kinds.id(text))
}

// fillKinds gives the first rows the text "" if they have none.
func (t *Table) fillKinds(rows int) {
	for len(t.kind) < rows {
		t.kind = append(t.kind, t.kinds.id(""))
	}
}

// clear removes the rows, and makes room for some. The names stay.
func (t *Table) clear(rows int) {
	t.time, t.machine, t.name = slices.Grow(t.time[:0], rows), slices.Grow(t.machine[:0], rows), slices.Grow(t.name[:0], rows)
	t.labels, t.kind = nil, nil
}

// renumbering has the numbers of a table's names in another one.
type renumbering struct{ machines, names, kinds []uint32 }

// appendRows appends the first rows of another table. It puts prefix before the names of their machines.
func (t *Table) appendRows(from *Table, known *renumbering, rows int, prefix string) {
	t.machine = from.machines.renumber(t.machine, from.machine[:rows], &t.machines, &known.machines, prefix)
	t.name = from.names.renumber(t.name, from.name[:rows], &t.names, &known.names, "")
	t.time = append(t.time, from.time[:rows]...)
	if from.kind != nil || t.kind != nil {
		t.fillKinds(len(t.time) - rows)
		if from.kind != nil {
			from.fillKinds(rows)
			t.kind = from.kinds.renumber(t.kind, from.kind[:rows], &t.kinds, &known.kinds, "")
		}
		t.fillKinds(len(t.time))
	}
	if from.labels == nil && t.labels == nil {
		return
	}
	t.fillLabels(len(t.time) - rows)
	if from.labels != nil {
		t.labels = append(t.labels, from.labels[:rows]...)
	}
	t.fillLabels(len(t.time))
}

// fillLabels gives the first rows no label if they have none.
func (t *Table) fillLabels(rows int) {
	for len(t.labels) < rows {
		t.labels = append(t.labels, NoLabel)
	}
}

// interned numbers strings in order of first use.
type interned struct {
	ids   map[string]uint32
	texts []string // by id
	// recent has, for each value of look, the id that was found last. It is faster than the map.
	recent [1 << recentBits]uint32
}

// recentBits makes room for the names of most networks.
const recentBits = 10

func (in *interned) id(text string) uint32 {
	if id, ok := in.find(text); ok {
		return id
	}
	return in.add(text)
}

func (in *interned) find(text string) (id uint32, ok bool) {
	recent := &in.recent[look(text)]
	if id = *recent; id < uint32(len(in.texts)) && in.texts[id] == text {
		return id, true
	}
	if id, ok = in.ids[text]; ok {
		*recent = id
	}
	return id, ok
}

// look is a hash of the length and the last letters of a text.
func look(text string) uint32 {
	h := uint32(len(text))
	for _, letter := range []byte(text[max(0, len(text)-4):]) {
		h = h*31 + uint32(letter)
	}
	return (h ^ h>>recentBits) % (1 << recentBits)
}

// add numbers a new text.
func (in *interned) add(text string) uint32 {
	if in.ids == nil {
		in.ids = map[string]uint32{}
	}
	text = strings.Clone(text) // it may be a piece of a whole row
	id := uint32(len(in.texts))
	in.ids[text] = id
	in.texts = append(in.texts, text)
	return id
}

// renumber translates ids of in to the numbering of to, where the texts have a prefix, and appends them to ids. known has those that were
// translated before.
func (in *interned) renumber(ids, from []uint32, to *interned, known *[]uint32, prefix string) []uint32 {
	const unused = math.MaxUint32
	for len(*known) < len(in.texts) {
		*known = append(*known, unused)
	}
	numbers := *known
	at := len(ids)
	ids = slices.Grow(ids, len(from))[:at+len(from)]
	for i, id := range from {
		number := numbers[id]
		if number == unused {
			number = to.id(prefix + in.texts[id])
			numbers[id] = number
		}
		ids[at+i] = number
	}
	return ids
}
