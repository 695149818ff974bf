// Package mapping reads events out of messages: the config fields that say where a message has its machine, event, time, id and label, and
// what these fields give for each message.
package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/field"
	"connect-deepcase/sequencer"
)

// Names of the Fields.
const (
	fieldMachine      = "machine"
	fieldEvent        = "event"
	FieldTimestamp    = "timestamp"
	FieldID           = "id"
	fieldTimeFormat   = "time_format"
	fieldPlaceholders = "placeholders"
	fieldNormalize    = "normalize_machine"
)

// perMessage lints a field that is the same for every message. Most often its ${! } was forgotten.
const perMessage = `root = if this.string() != "" && !this.string().contains("${!") { "the same for every message: needs an interpolation such as ${! json(\"%s\") }" }`

// Fields are the config fields that New reads.
func Fields() []*service.ConfigField {
	return slices.Concat([]*service.ConfigField{
		service.NewInterpolatedStringField(fieldMachine).
			Description("The entity whose events belong together: a host, a user or an address. A text or a number of at most 4096 bytes of UTF-8; a list of one value counts as that value. An event is refused if its machine is missing, empty, one of the `placeholders`, another list, an object or a boolean. The page docs/events.md has all rules.\n\n`${! json(\"a.b\") }` with nothing else in the braces reads the key `a.b`, or else the key `b` in `a`. In a larger expression `json(\"a.b\")` reads nested keys only; use `json().deepcase_field(\"a.b\")` there. If a field has several parts, each of them must have a value.").
			Example(`${! json("host.name") }`).
			Default(`${! json("machine") }`),
		service.NewInterpolatedStringField(fieldEvent).
			Description("The name of the event, which says what kind of thing happened: a rule name or an event code, not a whole log line. It follows the rules of `machine`, without the placeholders.").
			Example(`${! json("rule.name") }`).
			Example(`${! json("alert.signature_id") }`).
			LintRule(fmt.Sprintf(perMessage, fieldEvent)).
			Default(`${! json("event") }`),
	}, TimeFields(), []*service.ConfigField{
		service.NewStringListField(fieldPlaceholders).
			Description("Texts that stand for an unknown machine, in upper or lower case. An event with such a machine is refused, because events of many unknown machines would look like those of one. An empty list refuses none.").
			Advanced().
			Default(field.PlaceholderWords()),
		service.NewBoolField(fieldNormalize).
			Description("Whether names that differ only in upper and lower case, or by a dot at the end, are the same machine. `WEB-1.example.org.` then becomes `web-1.example.org`, also in the document. Use the same setting for learning and for scoring. Windows that a cache has under other names are not found again.").
			Advanced().
			Default(false),
	})
}

// TimeFields are those of Fields that say when an event happened and what its id is. NewTimes reads them.
func TimeFields() []*service.ConfigField {
	return slices.Insert(TimestampFields(), 1,
		service.NewInterpolatedStringField(FieldID).
			Description("What tells this event from all other events of its machine. An event that is delivered twice is recognised by its `id`, name and time. If the id is empty, missing or a placeholder such as `null` or `-`, the event counts each time it arrives. The same is true if one of several parts is missing, such as metadata that the source does not set; that is logged once. The id of a rule or of a scan is not the id of an event.").
			Example(`${! meta("kafka_topic") }/${! meta("kafka_partition") }/${! meta("kafka_offset") }`).
			Example(`${! json("event.id") }`).
			LintRule(fmt.Sprintf(perMessage, FieldID)).
			Default(""),
	)
}

// TimestampFields are those of TimeFields that say when an event happened. NewTimestamps reads them.
func TimestampFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewInterpolatedStringField(FieldTimestamp).
			Description("When the event happened, between the years 1678 and 2262. `time_format` says how it is written. By default it is one of these:\n\n- RFC 3339, such as `2006-01-02T15:04:05.999Z`. It may have a space in place of the `T`, slashes in the date and a comma in place of the point, and it may lack the seconds or the time of day. The zone is `Z`, `UTC`, `GMT` or an offset such as `+01:00`, `+0100` or `+01`, with or without a space before it. A time without a zone is UTC.\n- A number, the time since 1970. With 10 digits before its point it is in seconds, with 13 in milliseconds, with 16 in microseconds, with 19 in nanoseconds. It may have a fraction and an exponent. Numbers of up to three digits are seconds, too, so that small examples can count from 0.\n\nAn event is refused if its time has another form, or is any other number, which may be a year or a date.").
			Example(`${! json("@timestamp") }`).
			Default(`${! json("timestamp") }`),
		service.NewStringField(fieldTimeFormat).
			Description("How `timestamp` is written: `auto`; `seconds`, `milliseconds`, `microseconds` or `nanoseconds` since 1970, with any number of digits; `filetime`, units of 100 ns since 1601, as in Windows; `excel`, days since 1899-12-30, as in spreadsheets; or a layout with the `%` directives of strptime, which must have the year. A time without a zone is UTC.").
			Example("filetime").
			Example("%d/%b/%Y:%H:%M:%S %z").
			Advanced().
			Default("auto"),
	}
}

// Mapping says where a message has its machine, event, time and id.
type Mapping struct {
	machine, event, timestamp, id expression

	format       field.TimeFormat
	alone        bool // the time is all that is read of a document
	placeholders field.Placeholders
	normalize    bool
	log          *service.Logger
	noID         sync.Once
}

// New reads Fields.
func New(conf *service.ParsedConfig, log *service.Logger) (*Mapping, error) {
	m, err := NewTimes(conf, log)
	if err != nil {
		return nil, err
	}
	if m.machine, err = perMessageExpression(conf, fieldMachine); err != nil {
		return nil, err
	}
	if m.event, err = perMessageExpression(conf, fieldEvent); err != nil {
		return nil, err
	}
	words, err := conf.FieldStringList(fieldPlaceholders)
	if err != nil {
		return nil, err
	}
	m.placeholders = field.NewPlaceholders(words)
	if m.normalize, err = conf.FieldBool(fieldNormalize); err != nil {
		return nil, err
	}
	return m, nil
}

// NewTimes reads TimeFields. Its readers have Time and ID only.
func NewTimes(conf *service.ParsedConfig, log *service.Logger) (*Mapping, error) {
	m, err := NewTimestamps(conf)
	if err != nil {
		return nil, err
	}
	m.log, m.alone = log, false
	m.id, err = perMessageExpression(conf, FieldID)
	return m, err
}

// NewTimestamps reads TimestampFields. Its readers have Time only. They leave documents as bytes, and do not find out
// whether they are valid JSON.
func NewTimestamps(conf *service.ParsedConfig) (*Mapping, error) {
	m := &Mapping{alone: true}
	var err error
	if m.timestamp, err = perMessageExpression(conf, FieldTimestamp); err != nil {
		return nil, err
	}
	format, err := conf.FieldString(fieldTimeFormat)
	if err != nil {
		return nil, err
	}
	if m.format, err = field.ParseTimeFormat(format); err != nil {
		return nil, fmt.Errorf("field '%s': %w", fieldTimeFormat, err)
	}
	return m, nil
}

// perMessageExpression reads a field that must not be empty, unless it is the id, nor the same for all messages if it tells events apart.
func perMessageExpression(conf *service.ParsedConfig, name string) (x expression, err error) {
	if x, err = newExpression(conf, name); err != nil {
		return x, err
	}
	switch text, static := x.static(); {
	case static && text == "" && name != FieldID:
		return x, fmt.Errorf("field '%s' is empty: need an interpolation such as ${! json(\"%s\") }", name, name)
	case static && text != "" && (name == fieldEvent || name == FieldID):
		return x, fmt.Errorf("field '%s': %s is the same for every message: need an interpolation such as ${! json(\"%s\") }",
			name, excerpt.Quote(text), excerpt.Of(text, excerpt.Short))
	}
	return x, nil
}

// Reader reads the events of a batch.
type Reader struct {
	mapping                       *Mapping
	machine, event, timestamp, id evaluation
}

// Over makes the mapping ready for a batch.
func (m *Mapping) Over(batch service.MessageBatch) Reader {
	r := Reader{
		mapping:   m,
		machine:   m.machine.over(batch, fieldMachine),
		event:     m.event.over(batch, fieldEvent),
		timestamp: m.timestamp.over(batch, FieldTimestamp),
		id:        m.id.over(batch, FieldID),
	}
	r.timestamp.alone = m.alone
	return r
}

// OverRaw is Over for a batch with the documents of those of its messages that need not be decoded. They have to be there when their messages are
// read. Texts of events may be in the memory of the documents.
func (m *Mapping) OverRaw(batch service.MessageBatch, raws []annotation.Raw) Reader {
	r := m.Over(batch)
	for _, e := range []*evaluation{&r.machine, &r.event, &r.timestamp, &r.id} {
		e.raws = raws
	}
	return r
}

// Event reads the event of a message of the batch. An error names the field, the path that was read, and what was found there.
func (r Reader) Event(index int) (e sequencer.Event, err error) {
	if e.Machine, err = r.machine.name(index); err != nil {
		return e, err
	}
	if err := field.Machine(e.Machine, r.mapping.placeholders); err != nil {
		return e, r.machine.wrong("", err)
	}
	if r.mapping.normalize {
		e.Machine = field.NormalMachine(e.Machine)
	}
	if e.Name, err = r.event.name(index); err != nil {
		return e, err
	}
	if err := field.Event(e.Name); err != nil {
		return e, r.event.wrong("", err)
	}
	if e.ID, err = r.ID(index); err != nil {
		return e, err
	}
	e.Time, err = r.Time(index)
	return e, err
}

// Time reads when the event of a message of the batch happened.
func (r Reader) Time(index int) (at time.Time, err error) {
	text, ok := r.timestamp.view(index)
	if !ok {
		var v any
		if v, err = r.timestamp.value(index); err != nil {
			return at, err
		}
		text, err = field.Text(v)
	}
	switch {
	case errors.Is(err, field.ErrMissing):
		err = fmt.Errorf("%w: want a time", err)
	case err == nil && strings.TrimSpace(text) == "":
		err = errors.New("is empty: want a time")
	case err == nil:
		at, err = r.mapping.format.Parse(text)
	}
	if err != nil {
		return at, r.timestamp.wrong("", err)
	}
	return at, nil
}

// ID reads the id of a message of the batch, "" if it has none.
func (r Reader) ID(index int) (string, error) {
	if len(r.id.parts) == 0 {
		return "", nil
	}
	id, err := r.id.name(index)
	if errors.Is(err, field.ErrMissing) {
		if len(r.id.parts) > 1 {
			r.mapping.noID.Do(func() {
				r.mapping.log.Warnf("An event has no id, so it will not be recognised if it comes twice: %v (further events are not logged)", err)
			})
		}
		return "", nil
	} else if err != nil {
		return "", err
	}
	if id, err = field.ID(id); err != nil {
		return "", r.id.wrong("", err)
	}
	return id, nil
}
