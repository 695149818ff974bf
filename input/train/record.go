package train

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/jsontext"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/internal/spool"
)

// maxRecord is the most bytes of an event with its context.
const maxRecord = 8 << 20

// names is the number of bytes of all names in a record.
func names(r spool.Record) int {
	n := len(r.Machine) + len(r.Event) + len(r.ID)
	for _, name := range r.Context {
		n += len(name)
	}
	return n
}

// record reads the event of a message, with the context that deepcase_sequence gave it, if any.
func (t *taker) record(
	message *service.Message, reader mapping.Reader, labels mapping.LabelReader, index int,
) (r spool.Record, err error) {
	if err := message.GetError(); err != nil {
		return r, fmt.Errorf("failed before: %w", err)
	}
	if label, err := labels.Label(index); err != nil {
		r.Refused = err.Error()
	} else if label != field.NoLabel {
		r.Score = &label
	}
	r.Document, r.Templates = document(message), mapping.Templates(message)
	if content, err := mapping.Document(message); err == nil {
		s, err := t.target.Sequence(content)
		if err == nil && len(s.Context) != t.length {
			err = fmt.Errorf("document: %s.context has %d events, need %d", t.target, len(s.Context), t.length)
		}
		if err == nil {
			r.ID, err = reader.ID(index)
		}
		if !errors.Is(err, annotation.ErrNoSequence) {
			r.Machine, r.Event, r.Context = s.Machine, s.Event, s.Context
			r.Templates = cmp.Or(s.Templates, r.Templates)
			if at, err := reader.Time(index); err == nil { // it need not be there: it only tells events with one id apart
				r.Seconds, r.Nanos = at.Unix(), int64(at.Nanosecond())
			}
			return r, err
		}
	}
	e, err := reader.Event(index)
	r.Machine, r.Event, r.ID, r.Seconds, r.Nanos = e.Machine, e.Name, e.ID, e.Time.Unix(), int64(e.Time.Nanosecond())
	return r, err
}

// Bounds in bytes of a document that is kept as an example.
const (
	maxDocument  = 16 << 10
	maxBeginning = 1 << 10 // of one that is larger
)

// document is the content of a message for an analyst. If it is too large, the document says so and has its beginning.
func document(message *service.Message) json.RawMessage {
	content, _ := message.AsBytes() // never fails
	if len(content) > maxDocument {
		shown, _ := json.Marshal(struct { // text and a number can be
			Omitted string `json:"deepcase_omitted"`
			Bytes   int    `json:"bytes"`
			Begins  string `json:"begins"`
		}{"the document is larger than 16384 bytes", len(content), strings.ToValidUTF8(string(content[:maxBeginning]), "")})
		return shown
	}
	if jsontext.Valid(content) {
		return content
	}
	text, _ := json.Marshal(string(content)) // any text can be
	return text
}
