package cpu

import (
	"errors"
	"fmt"

	"connect-deepcase/model/contextbuilder"
)

// checkWeights finds out whether w has the sizes that its Config says.
func checkWeights(w *contextbuilder.Weights) error {
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

// checkContexts counts the rows of contexts and finds ids that are none.
func checkContexts(c contextbuilder.Config, contexts []int32) (rows int, err error) {
	if len(contexts)%c.Length != 0 {
		return 0, fmt.Errorf("contexts: %d ids are no whole number of contexts of %d", len(contexts), c.Length)
	}
	return len(contexts) / c.Length, checkIDs("context", contexts, c.Length, c.Events)
}

// checkSamples finds out whether s has contexts of the network's length and as many events for each as there are steps.
func checkSamples(c contextbuilder.Config, s contextbuilder.Samples, steps int) (rows int, err error) {
	if s.Length != c.Length {
		return 0, fmt.Errorf("samples have contexts of %d events, the network takes %d", s.Length, c.Length)
	}
	if rows, err = checkContexts(c, s.Contexts); err != nil {
		return 0, err
	}
	if steps > max(1, len(s.Events)) || len(s.Events) != rows*steps {
		return 0, fmt.Errorf("samples have %d contexts and %d events, need %d a context", rows, len(s.Events), steps)
	}
	return rows, checkIDs("event", s.Events, steps, c.Events)
}

func checkIDs(what string, ids []int32, width, events int) error {
	for i, id := range ids {
		if id < 0 || int(id) >= events {
			return fmt.Errorf("row %d: %s holds id %d, need 0 to %d", i/width, what, id, events-1)
		}
	}
	return nil
}
