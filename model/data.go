package model

import (
	"errors"
	"fmt"
	"slices"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

// Data are samples, one per row, by the ids of event names.
type Data struct {
	Names    []string // id → event name; id len(Names) is NO_EVENT
	Samples  contextbuilder.Samples
	Scores   []float64             // the score of each sample, NoScore if unknown; nil if nobody scored any
	Progress func(done, total int) // called by Cluster and PredictData, in distinct samples; may be nil
}

// NewData makes samples of columns, such as those of sequencer.Sequences. contexts has length ids per sample, oldest event first. events has
// one id per sample, and scores one score, unless it is nil. An id is an index into names, or len(names) for NO_EVENT.
func NewData(names []string, length int, contexts, events []int32, scores []float64) Data {
	return Data{Names: names, Samples: contextbuilder.Samples{Length: length, Contexts: contexts, Events: events}, Scores: scores}
}

// Context gives the names of the events before the one of a row, oldest first; "" for NO_EVENT.
func (d Data) Context(row int) []string {
	names := make([]string, d.Samples.Length)
	for i, id := range d.Samples.Context(row) {
		if int(id) < len(d.Names) {
			names[i] = d.Names[id]
		}
	}
	return names
}

// unknown is the id of an event that is not in the vocabulary.
const unknown = -1

func idsByName(names []string) map[string]int32 {
	ids := make(map[string]int32, len(names))
	for id, name := range names {
		ids[name] = int32(id)
	}
	return ids
}

func validateNames(names []string) error {
	seen := make(map[string]bool, len(names))
	for id, name := range names {
		if name == "" {
			return fmt.Errorf("names: name %d is empty, which stands for NO_EVENT", id)
		}
		if seen[name] {
			return fmt.Errorf("names: %q occurs twice", name)
		}
		seen[name] = true
	}
	return nil
}

// validate checks that the parts of d fit together and that all ids are in range.
func (d Data) validate(length int) error {
	s := d.Samples
	if s.Rows() == 0 {
		return errors.New("no samples")
	}
	if s.Length != length {
		return fmt.Errorf("samples have contexts of length %d, the model of length %d", s.Length, length)
	}
	n := s.Rows()
	if len(s.Contexts)%s.Length != 0 || len(s.Events) < n || len(s.Events)%n != 0 {
		return fmt.Errorf("samples: %d context ids and %d events do not fit contexts of length %d", len(s.Contexts), len(s.Events), s.Length)
	}
	for i, id := range s.Contexts {
		if id < 0 || int(id) > len(d.Names) {
			return fmt.Errorf("sample %d: context event %d is not one of %d", i/s.Length, id, len(d.Names)+1)
		}
	}
	for i, id := range s.Events {
		if id < 0 || int(id) > len(d.Names) {
			return fmt.Errorf("sample %d: event %d is not one of %d", i/(len(s.Events)/n), id, len(d.Names)+1)
		}
	}
	if d.Scores != nil && len(d.Scores) != n {
		return fmt.Errorf("%d scores for %d samples", len(d.Scores), n)
	}
	for row, score := range d.Scores {
		if err := validateScore(score); err != nil {
			return fmt.Errorf("sample %d: %w", row, err)
		}
	}
	return nil
}

// renumber maps each id over from to the id of the same name in to, or to unknown. NO_EVENT, which is last, becomes unknown.
func renumber(from, to []string) []int32 {
	ids, known := make([]int32, len(from)+1), idsByName(to)
	for id, name := range from {
		if now, there := known[name]; there {
			ids[id] = now
		} else {
			ids[id] = unknown
		}
	}
	ids[len(from)] = unknown
	return ids
}

// translate gives d's samples by ids over names. If names lacks an event, it becomes NO_EVENT (len(names)) in contexts and unknown elsewhere.
// NO_EVENT as an event becomes unknown, too.
func (d Data) translate(names []string) contextbuilder.Samples {
	to := renumber(d.Names, names)
	s := contextbuilder.Samples{Length: d.Samples.Length, Contexts: d.Samples.Contexts, Events: make([]int32, len(d.Samples.Events))}
	for i, id := range d.Samples.Events {
		s.Events[i] = to[id]
	}
	if slices.Equal(d.Names, names) {
		return s // the contexts are the same, and may be many
	}
	s.Contexts = appendIDs(make([]int32, 0, len(d.Samples.Contexts)), d.Samples.Contexts, to, names)
	return s
}

// appendIDs appends ids renumbered by to, in which unknown is NO_EVENT.
func appendIDs(ids, more, to []int32, names []string) []int32 {
	for _, id := range more {
		if id = to[id]; id == unknown {
			id = int32(len(names))
		}
		ids = append(ids, id)
	}
	return ids
}

// Append appends the samples of other. Their contexts must have the same length; their names may differ. Afterwards d has the names of both,
// sorted. It overwrites d's slices.
func (d *Data) Append(other Data) {
	names := slices.Concat(d.Names, other.Names)
	slices.Sort(names)
	names = slices.Compact(names)
	if d.Scores != nil || other.Scores != nil {
		d.Scores = append(d.scores(), other.scores()...)
	}
	contexts, events := d.Samples.Contexts, d.Samples.Events
	d.Samples.Contexts, d.Samples.Events = contexts[:0], events[:0]
	for _, part := range []struct {
		names            []string
		contexts, events []int32
	}{{d.Names, contexts, events}, {other.Names, other.Samples.Contexts, other.Samples.Events}} {
		to := renumber(part.names, names)
		d.Samples.Contexts = appendIDs(d.Samples.Contexts, part.contexts, to, names)
		d.Samples.Events = appendIDs(d.Samples.Events, part.events, to, names) // NO_EVENT stays what it is
	}
	d.Names = names
}

// scores has one score per sample.
func (d *Data) scores() []float64 {
	if d.Scores == nil {
		return slices.Repeat([]float64{interpreter.NoScore}, d.Samples.Rows())
	}
	return d.Scores
}
