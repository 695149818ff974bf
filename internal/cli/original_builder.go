package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/original"
	"connect-deepcase/sequencer"
)

func eventsOrderFlags() []ucli.Flag {
	return []ucli.Flag{
		&ucli.StringFlag{Category: categoryBuilder, Name: "events-order", Value: "auto",
			Usage: "`ORDER` in which the original numbered the events of its builder file: number (2 before 10) or text (\"10\" before \"2\"); " +
				"auto works out what its csv and txt readers did"},
		stringFlag(categoryBuilder, "events-mapping", "JSON `FILE` of the original's mapping, {\"0\": \"first event\", …}, for its builder file: "+
			"json.dump({int(i): str(e) for i, e in mapping.items()}, file)"),
	}
}

// sources are the formats that the original reads.
var sources = map[sequencer.Format]original.Source{sequencer.CSV: original.SourceCSV, sequencer.Text: original.SourceText}

// adopt makes a model from a network of the original. Its file has no vocabulary: that comes from the sequences, in the original's order,
// or from --events-mapping.
func (s *session) adopt(w *contextbuilder.Weights, q *sequences, p model.Params) (*model.Model, error) {
	names, err := s.originalNames(w, q)
	if err != nil {
		return nil, fmt.Errorf("--load-builder: %w", err)
	}
	m, err := model.FromNetwork(names, w, p)
	if err != nil {
		return nil, fmt.Errorf("--load-builder: %w", err)
	}
	return m, nil
}

func (s *session) originalNames(w *contextbuilder.Weights, q *sequences) ([]string, error) {
	order, mapping := s.flags.String("events-order"), s.flags.String("events-mapping")
	if mapping != "" {
		if s.flags.IsSet("events-order") {
			return nil, usagef("--events-order and --events-mapping: give one of them")
		}
		return s.mappedNames(mapping, q)
	}
	limit, err := s.eventLimit()
	if err != nil {
		return nil, err
	}
	// The original's --events makes a network with room for more events. The user has to say so.
	if events := len(q.Names) + 1; w.Config.Events != events && w.Config.Events != limit {
		return nil, fmt.Errorf("the network has %d events, the input has %d including NO_EVENT: give the events that it was trained with "+
			"(or --events %[1]d, if it was trained with that, or the original's mapping with --events-mapping)", w.Config.Events, events)
	}
	by := original.Order(order)
	if order == "auto" {
		source, known := sources[q.Source]
		if !known {
			source = original.SourceOther
		}
		by, err = original.OrderOf(q.Names, source)
		if errors.Is(err, original.ErrUnknownOrder) {
			return nil, fmt.Errorf("%w: say which with --events-order number or --events-order text, or give the original's mapping with --events-mapping", err)
		} else if err != nil {
			return nil, err
		}
		if by == original.ByNumber {
			s.note("the events are numbers: they are taken in the order of their values, as the original does (--events-order)")
		}
	} else if by != original.ByNumber && by != original.ByText {
		return nil, usagef("--events-order: %q is not one of auto, number, text", order)
	}
	names, err := original.Sort(q.Names, by)
	if err != nil {
		return nil, fmt.Errorf("%w, or give the original's mapping with --events-mapping", err)
	}
	return names, nil
}

const originalNoEvent = "-1337" // the last entry of the original's mapping

// mappedNames reads the original's mapping. It must have at least one event of the input.
func (s *session) mappedNames(path string, q *sequences) ([]string, error) {
	content, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("--events-mapping: %w", err)
	}
	var mapping map[string]any
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber() // 2.0 and 2 are different names
	if err := decoder.Decode(&mapping); err != nil {
		return nil, fmt.Errorf(`--events-mapping: %s: %w: need a JSON object, {"0": "first event", …}`, path, err)
	}
	names := make([]string, len(mapping))
	known := map[string]bool{}
	for i := range names {
		id := strconv.Itoa(i)
		switch name := mapping[id].(type) {
		case string:
			names[i] = name
		case json.Number:
			names[i] = name.String()
		case nil:
			return nil, fmt.Errorf("--events-mapping: %s: none of the %d entries is %q: need one for each number from 0", path, len(mapping), id)
		default:
			return nil, fmt.Errorf("--events-mapping: %s: entry %q is %v, need a text or a number", path, id, name)
		}
		known[names[i]] = true
	}
	if last := len(names) - 1; last >= 0 && names[last] == originalNoEvent {
		names = names[:last]
	}
	without := 0
	for _, name := range q.Names {
		if !known[name] {
			without++
		}
	}
	switch {
	case without == len(q.Names):
		return nil, fmt.Errorf("--events-mapping: %s: it has no event of the input, such as %q", path, q.Names[0])
	case without > 0:
		s.note("%d of %d distinct events of the input are not in %s: the builder does not know them", without, len(q.Names), path)
	}
	return names, nil
}
