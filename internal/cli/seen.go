package cli

import (
	"bytes"
	"encoding/json"
	"time"

	"connect-deepcase/sequencer"
)

// seen is on which machine and when the event of a row was, as far as the input says it.
func (q *sequences) seen(row int) (machine string, at time.Time) {
	if q.Machine != nil {
		machine = q.Machines[q.Machine[row]]
	}
	if q.Times != nil {
		at = time.Unix(0, q.Times[row]).UTC()
	}
	return machine, at
}

// document is a row as the example of a cluster.
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
	if out.Encode(d) != nil { // a time of another age
		return nil
	}
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}
