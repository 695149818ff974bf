package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"connect-deepcase/internal/report"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/sequencer"
)

// sequences are events with their contexts, and what a context is.
type sequences struct {
	*sequencer.Sequences
	Timeout time.Duration
	Source  sequencer.Format // of the files that were read; "" if it is not known
}

// data is what a model learns from or answers. Its scores are the labels.
func (q *sequences) data() model.Data {
	return model.NewData(q.Names, q.Length, q.Contexts, q.Events, q.Labels)
}

// source is what clusters show of their events.
func (q *sequences) source() model.Source {
	source := model.Source{Document: q.document}
	if q.Machine != nil {
		source.Seen = q.seen
	}
	return source
}

// unlabelled is data without the labels.
func (q *sequences) unlabelled() model.Data {
	d := q.data()
	d.Scores = nil
	return d
}

// seen says on which machine and when the event of a row happened, as far as the input says so.
func (q *sequences) seen(row int) (machine string, at time.Time) {
	if q.Machine != nil {
		machine = q.Machines[q.Machine[row]]
	}
	if q.Times != nil {
		at = time.Unix(0, q.Times[row]).UTC()
	}
	return machine, at
}

// labeller gives clusters scores by the answers to the patterns of their rows.
func (q *sequences) labeller(rows *model.Assignment, s interpreter.Strategy) labeller {
	return func(look decisions.Look, m *model.Model) (*model.Model, int, error) {
		return look.Label(m, rows, s, func(row int) (decisions.Subject, bool) { return q.subject(row), true })
	}
}

// subject is what an answer to a row is about.
func (q *sequences) subject(row int) decisions.Subject {
	machine, _ := q.seen(row)
	return decisions.Subject{Event: q.Names[q.Events[row]], Context: q.Context(row), Machine: machine}
}

// document is a row in the form of an example of a cluster.
func (q *sequences) document(row int) json.RawMessage {
	d := struct {
		Timestamp time.Time `json:"timestamp,omitzero"`
		Machine   string    `json:"machine,omitempty"`
		Event     string    `json:"event"`
		Label     *float64  `json:"label,omitempty"`
		Context   []*string `json:"context"`
	}{Event: q.Names[q.Events[row]]}
	d.Machine, d.Timestamp = q.seen(row)
	if q.Labels != nil && q.Labels[row] != sequencer.NoLabel {
		d.Label = &q.Labels[row]
	}
	for _, id := range q.Contexts[row*q.Length : (row+1)*q.Length] {
		if int(id) == len(q.Names) {
			d.Context = append(d.Context, nil)
			continue
		}
		d.Context = append(d.Context, &q.Names[id])
	}
	var text bytes.Buffer
	out := json.NewEncoder(&text)
	out.SetEscapeHTML(false)
	if out.Encode(d) != nil { // a year that JSON cannot hold
		return nil
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}

const shownSequences = 20 // at each end

// show prints the first and the last sequences, and how many there are.
func (q *sequences) show(w io.Writer) error {
	name := func(id int32) string {
		if int(id) == len(q.Names) {
			return noEvent
		}
		return report.Visible(q.Names[id])
	}
	b := bufio.NewWriter(w)
	for row, event := range q.Events {
		if hidden := len(q.Events) - 2*shownSequences; row >= shownSequences && row < shownSequences+hidden {
			if row == shownSequences {
				fmt.Fprintf(b, "⋮ %d more\n", hidden)
			}
			continue
		}
		var context []string
		for _, id := range q.Contexts[row*q.Length : (row+1)*q.Length] {
			context = append(context, name(id))
		}
		fmt.Fprintf(b, "[%s] --> %s", strings.Join(context, ", "), name(event))
		if q.Labels != nil && q.Labels[row] != sequencer.NoLabel {
			fmt.Fprintf(b, "  [%s]", report.Number(q.Labels[row]))
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintf(b, "\nFound %d sequences of context length %d, %d distinct events\n", len(q.Events), q.Length, len(q.Names))
	return b.Flush()
}
