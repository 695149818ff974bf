// Package alert reads machine, event and time out of messages, and the object that annotates an alert in and out of its document.
package alert

import (
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/field"
	"connect-deepcase/sequencer"
)

// Fields that say where a message holds what a context is made of.
const (
	FieldMachine   = "machine"
	FieldEvent     = "event"
	FieldTimestamp = "timestamp"
	FieldID        = "id"
)

// MaxName bounds the bytes of a machine, an event name and an id: longer ones are mistakes in a mapping (a whole log line, say), and
// windows keep names in memory.
const MaxName = 4096

// perMessage lints a field that would be the same for every message: most often an interpolation whose ${! } was forgotten.
const perMessage = `root = if this.string() != "" && !this.string().contains("${!") { "the same for every message: needs an interpolation such as ${! json(\"%s\") }" }`

// MappingFields are the config fields that NewMapping reads.
func MappingFields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewInterpolatedStringField(FieldMachine).
			Description("The entity whose events form one stream: a host, a user, an address. A value that is empty or `null` is an error of the message.").
			Example(`${! json("host.name") }`).
			Default(`${! json("machine") }`),
		service.NewInterpolatedStringField(FieldEvent).
			Description("The name of the type of event: a rule name or an event code, not a whole log line. At most 4096 bytes; a value that is empty or `null` is an error of the message.").
			Example(`${! json("rule.name") }`).
			Example(`${! json("alert.signature_id") }`).
			LintRule(fmt.Sprintf(perMessage, FieldEvent)).
			Default(`${! json("event") }`),
		service.NewInterpolatedStringField(FieldTimestamp).
			Description("When the event happened, between the years 1678 and 2262. Either a number, the time since 1970: with up to 11 digits before its point it is seconds, with up to 14 milliseconds, with up to 17 microseconds, else nanoseconds; it may have a fraction and an exponent. Or RFC 3339, such as `2006-01-02T15:04:05.999Z`, where a space may stand for the `T`, slashes for the dashes of the date and a comma for the point, and the seconds or the whole time of day may be left out. The zone is `Z`, `UTC`, `GMT`, or an offset such as `+01:00`, `+0100` or `+01`, with or without a space before it; a time without a zone is UTC. Other forms, such as names of months or other zones, are an error of the message.").
			Example(`${! json("@timestamp") }`).
			Default(`${! json("timestamp") }`),
		service.NewInterpolatedStringField(FieldID).
			Description("What tells this event from all others of its machine, so that an event that is delivered twice is recognised: by the same `id`, name and time. Empty or `null`: no event is taken for another. Metadata that is missing is `null`, and two of them are `null/null`, which is not empty.").
			Example(`${! meta("kafka_topic") }/${! meta("kafka_partition") }/${! meta("kafka_offset") }`).
			Example(`${! json("event.id") }`).
			LintRule(fmt.Sprintf(perMessage, FieldID)).
			Default(""),
	}
}

// Mapping says where a message holds machine, event, time and id.
type Mapping struct {
	machine, event, timestamp, id *service.InterpolatedString
}

// NewMapping reads the fields of MappingFields.
func NewMapping(conf *service.ParsedConfig) (*Mapping, error) {
	m := &Mapping{}
	for name, field := range map[string]**service.InterpolatedString{
		FieldMachine: &m.machine, FieldEvent: &m.event, FieldTimestamp: &m.timestamp, FieldID: &m.id,
	} {
		var err error
		if *field, err = conf.FieldInterpolatedString(name); err != nil {
			return nil, err
		}
		switch text, static := (*field).Static(); {
		case static && text == "" && name != FieldID:
			return nil, fmt.Errorf("field '%s' is empty: need an interpolation such as ${! json(\"%s\") }", name, name)
		case static && text != "" && (name == FieldEvent || name == FieldID):
			return nil, fmt.Errorf("field '%s': %q is the same for every message: need an interpolation such as ${! json(\"%s\") }",
				name, Excerpt(text), Excerpt(text))
		}
	}
	return m, nil
}

// Reader reads the events of a batch.
type Reader struct {
	machine, event, timestamp, id *service.MessageBatchInterpolationExecutor
}

// Over makes the mapping ready for a batch.
func (m *Mapping) Over(batch service.MessageBatch) Reader {
	return Reader{
		machine:   batch.InterpolationExecutor(m.machine),
		event:     batch.InterpolationExecutor(m.event),
		timestamp: batch.InterpolationExecutor(m.timestamp),
		id:        batch.InterpolationExecutor(m.id),
	}
}

// Event reads the event of a message of the batch. An error names the field and what was found there.
func (r Reader) Event(index int) (e sequencer.Event, err error) {
	if e.Machine, err = Resolve(FieldMachine, r.machine, index); err != nil {
		return e, err
	}
	if e.Machine == "" {
		return e, fmt.Errorf("%s: empty or missing, need a name", FieldMachine)
	}
	if e.Name, err = Resolve(FieldEvent, r.event, index); err != nil {
		return e, err
	}
	if e.Name == "" {
		return e, fmt.Errorf("%s: empty or missing, need a name", FieldEvent)
	}
	if e.ID, err = r.ID(index); err != nil {
		return e, err
	}
	e.Time, err = r.Time(index)
	return e, err
}

// Time reads when the event of a message of the batch happened.
func (r Reader) Time(index int) (at time.Time, err error) {
	text, err := Resolve(FieldTimestamp, r.timestamp, index)
	if err != nil {
		return at, err
	}
	if text == "" {
		return at, fmt.Errorf("%s: empty or missing, need RFC 3339 or the time since 1970", FieldTimestamp)
	}
	if at, err = field.ParseTime(text); err != nil {
		return at, fmt.Errorf("%s: %w", FieldTimestamp, err)
	}
	return at, nil
}

// ID reads the id of a message of the batch, "" where it has none.
func (r Reader) ID(index int) (string, error) { return Resolve(FieldID, r.id, index) }

// Resolve gives the text of an interpolation: "" where there is none, and always in UTF-8, so that a name in a window equals the same
// name after a way through JSON.
func Resolve(field string, x *service.MessageBatchInterpolationExecutor, index int) (string, error) {
	text, err := x.TryString(index)
	if err != nil {
		return "", fmt.Errorf("%s: %w", field, err)
	}
	if text == "null" || strings.TrimSpace(text) == "" {
		return "", nil
	}
	if len(text) > MaxName {
		return "", fmt.Errorf("%s: %q… has %d bytes, need at most %d", field, Excerpt(text), len(text), MaxName)
	}
	if !utf8.ValidString(text) {
		text = strings.ToValidUTF8(text, "\uFFFD")
	}
	return text, nil
}

// Excerpt shortens text for an error or a log line.
func Excerpt(text string) string {
	const most = 40
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}
