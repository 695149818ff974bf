package contextbuilder

import (
	"errors"
	"fmt"
)

// Check checks that w has the sizes of its Config.
func (w *Weights) Check() error {
	if w == nil {
		return errors.New("no weights")
	}
	if err := w.Config.Validate(); err != nil {
		return err
	}
	for _, t := range w.Tensors() {
		size := 1
		for _, n := range t.Shape {
			size *= n
		}
		if len(t.Data) != size {
			return fmt.Errorf("tensor %q has %d numbers, shape %v needs %d", t.Name, len(t.Data), t.Shape, size)
		}
	}
	return nil
}

// CheckContexts counts the rows of contexts (n×Length), and returns an error for ids that are out of range.
func (c Config) CheckContexts(contexts []int32) (rows int, err error) {
	if len(contexts)%c.Length != 0 {
		return 0, fmt.Errorf("contexts: %d ids are not a whole number of contexts of %d events", len(contexts), c.Length)
	}
	return len(contexts) / c.Length, c.checkIDs("context", contexts, c.Length)
}

// CheckSamples checks that s has contexts of the network's length, and one event per step for each.
func (c Config) CheckSamples(s Samples, steps int) (rows int, err error) {
	if s.Length != c.Length {
		return 0, fmt.Errorf("samples have contexts of %d events, the network takes %d", s.Length, c.Length)
	}
	if rows, err = c.CheckContexts(s.Contexts); err != nil {
		return 0, err
	}
	if steps > max(1, len(s.Events)) || len(s.Events) != rows*steps {
		return 0, fmt.Errorf("samples have %d contexts and %d events, need %d per context", rows, len(s.Events), steps)
	}
	return rows, c.checkIDs("event", s.Events, steps)
}

// maxSteps keeps a mistyped number from exhausting memory.
const maxSteps = 10_000

// CheckSteps checks how many events in advance are to be predicted.
func CheckSteps(steps int) error {
	if steps < 1 || steps > maxSteps {
		return fmt.Errorf("steps: %d is not in 1 to %d", steps, maxSteps)
	}
	return nil
}

func (c Config) checkIDs(what string, ids []int32, width int) error {
	for i, id := range ids {
		if uint32(id) >= uint32(c.Events) { // or negative
			return fmt.Errorf("row %d: %s holds id %d, need 0 to %d", i/width, what, id, c.Events-1)
		}
	}
	return nil
}
