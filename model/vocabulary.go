package model

import (
	"errors"
	"fmt"
	"slices"

	"connect-deepcase/model/contextbuilder"
)

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
			return fmt.Errorf("names: %q is there twice", name)
		}
		seen[name] = true
	}
	return nil
}

// validate checks that the parts of d fit together and that all ids are in range.
func (d Data) validate(length int) error {
	s := d.Samples
	if s.Rows() == 0 {
		return errors.New("there are no samples")
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

// translate gives d's samples in ids over names: an event that names lacks is NO_EVENT (len(names)) inside contexts and unknown
// otherwise, and so is NO_EVENT as an event.
func (d Data) translate(names []string) contextbuilder.Samples {
	to, from := make([]int32, len(d.Names)+1), idsByName(names)
	for id, name := range d.Names {
		known, there := from[name]
		if !there {
			known = unknown
		}
		to[id] = known
	}
	to[len(d.Names)] = unknown
	s := contextbuilder.Samples{Length: d.Samples.Length, Contexts: d.Samples.Contexts, Events: make([]int32, len(d.Samples.Events))}
	for i, id := range d.Samples.Events {
		s.Events[i] = to[id]
	}
	if slices.Equal(d.Names, names) {
		return s // the contexts are the same, and may be many
	}
	s.Contexts = make([]int32, len(d.Samples.Contexts))
	for i, id := range d.Samples.Contexts {
		if s.Contexts[i] = to[id]; s.Contexts[i] == unknown {
			s.Contexts[i] = int32(len(names))
		}
	}
	return s
}
