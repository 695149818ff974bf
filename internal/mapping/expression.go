package mapping

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/field"
)

// expression is an interpolated field whose values keep their kind; Benthos turns a list, an object and null into text. If a field is a
// single interpolation, its value is that of the interpolation. If a field has several parts, each must be a text or a number.
type expression struct {
	parts []part
}

// part is a text, a path in the document, or a query.
type part struct {
	text  string // for a path or a query: its name in errors
	path  string
	query *bloblang.Executor
}

// aPath is an interpolation that only reads a path. A path with * has several values, and is left to Bloblang.
var aPath = regexp.MustCompile(`^(?:json\(\s*"([^"\\*]+)"\s*\)|(?:json\(\)|this)\.` + fieldMethod + `\(\s*"([^"\\]+)"\s*\))$`)

// newExpression reads a field that Benthos took for an interpolated string.
func newExpression(conf *service.ParsedConfig, name string) (x expression, err error) {
	if _, err := conf.FieldInterpolatedString(name); err != nil {
		return x, err
	}
	rest, err := conf.FieldString(name)
	if err != nil {
		return x, err
	}
	for rest != "" {
		start := strings.Index(rest, "${")
		switch {
		case start < 0:
			x.addText(rest)
			return x, nil
		case start > 0:
			x.addText(rest[:start])
			rest = rest[start:]
		case strings.HasPrefix(rest, "${{!") && strings.Contains(rest, "}}"):
			escaped, after, _ := strings.Cut(rest[len("${{!"):], "}}")
			x.addText("${!" + escaped + "}")
			rest = after
		case strings.HasPrefix(rest, "${!"):
			p, length, err := newQuery(rest)
			if err != nil {
				return x, fmt.Errorf("field '%s': %w", name, err)
			}
			x.parts = append(x.parts, p)
			rest = rest[length:]
		default:
			x.addText("$")
			rest = rest[1:]
		}
	}
	return x, nil
}

func (x *expression) addText(text string) {
	if last := len(x.parts) - 1; last >= 0 && x.parts[last].static() {
		x.parts[last].text += text
		return
	}
	x.parts = append(x.parts, part{text: text})
}

// newQuery reads the interpolation that a text begins with. It ends at the first brace before which the query can be parsed, because strings
// and blocks in the query must be closed.
func newQuery(text string) (p part, length int, err error) {
	for i := range len(text) {
		if text[i] != '}' {
			continue
		}
		query := strings.TrimSpace(text[len("${!"):i])
		if found := aPath.FindStringSubmatch(query); found != nil {
			path := found[1] + found[2]
			return part{text: path, path: path}, i + 1, nil
		}
		var parsed *bloblang.Executor
		// A list, because a text would become the content of a message.
		if parsed, err = bloblang.GlobalEnvironment().Parse("root = [" + query + "]"); err == nil {
			return part{text: query, query: parsed}, i + 1, nil
		}
	}
	return p, 0, err
}

func (p part) static() bool { return p.path == "" && p.query == nil }

// static is the text of an expression, and whether it is the same for every message.
func (x expression) static() (string, bool) {
	switch {
	case len(x.parts) == 0:
		return "", true
	case len(x.parts) == 1 && x.parts[0].static():
		return x.parts[0].text, true
	}
	return "", false
}

// evaluation is an expression over a batch.
type evaluation struct {
	field   string
	parts   []part
	batch   service.MessageBatch
	queries []*service.MessageBatchBloblangExecutor // by part, nil for others
	alone   bool                                    // nothing else needs the document decoded
	raws    []annotation.Raw                        // the documents of messages that are not decoded, or nil
}

func (x expression) over(batch service.MessageBatch, name string) evaluation {
	e := evaluation{field: name, parts: x.parts, batch: batch}
	for i, p := range x.parts {
		if p.query != nil {
			if e.queries == nil {
				e.queries = make([]*service.MessageBatchBloblangExecutor, len(x.parts))
			}
			e.queries[i] = batch.BloblangExecutor(p.query)
		}
	}
	return e
}

// value is the expression's value for a message.
func (e evaluation) value(index int) (any, error) {
	if len(e.parts) == 1 {
		return e.part(0, index)
	}
	var all strings.Builder
	for i := range e.parts {
		v, err := e.part(i, index)
		if err != nil {
			return nil, err
		}
		text, err := nameText(v)
		if err != nil {
			return nil, e.wrong(e.parts[i].text, err)
		}
		all.WriteString(text)
	}
	return all.String(), nil
}

func (e evaluation) part(i, index int) (any, error) {
	p := e.parts[i]
	switch {
	case p.path != "":
		if raw := e.raw(index); raw != nil {
			if v, ok := ofValid(raw.FindJSON(p.path)); ok {
				return v, nil
			}
		} else if v, ok := e.inBytes(e.batch[index], p.path); ok {
			return v, nil
		}
		content, err := e.batch[index].AsStructured()
		if err != nil {
			return nil, fmt.Errorf("document: not JSON: %w", err)
		}
		return field.Find(content, p.path), nil
	case p.query != nil:
		return e.ask(i, index)
	}
	return p.text, nil
}

// inBytes reads the value at a path out of a message's bytes. It decodes no other value, which saves most of the time if nobody else needs the
// document decoded.
func (e evaluation) inBytes(message *service.Message, path string) (v any, ok bool) {
	if !e.alone {
		return nil, false
	}
	content, err := message.AsBytes()
	if err != nil {
		return nil, false
	}
	return ofAny(field.FindJSON(content, path))
}

// raw is the document of a message that is not decoded, or nil.
func (e evaluation) raw(index int) *annotation.Raw {
	if e.raws == nil || !e.raws[index].OK() || e.batch[index].HasStructured() {
		return nil
	}
	return &e.raws[index]
}

// view is the value as field.Text gives it, if it is a text or a number in a document that is not decoded. It may be in the memory of the document.
func (e evaluation) view(index int) (text string, ok bool) {
	if len(e.parts) != 1 || e.parts[0].path == "" {
		return "", false
	}
	raw := e.raw(index)
	if raw == nil {
		return "", false
	}
	found := raw.FindJSON(e.parts[0].path)
	if len(found) == 0 || found[0] != '"' && found[0] != '-' && (found[0] < '0' || found[0] > '9') {
		return "", false
	}
	text, err := field.JSONView(found)
	return text, err == nil
}

// ofAny is a value that was found in a document. It is not ok if it is no text or number. It may be ok if the document is not valid JSON, which its
// reader has to find out.
func ofAny(found json.RawMessage) (v any, ok bool) {
	switch {
	case len(found) == 0:
		return nil, false
	case found[0] == '"':
		var text string
		err := json.Unmarshal(found, &text)
		return text, err == nil
	case found[0] == '-' || found[0] >= '0' && found[0] <= '9':
		return json.Number(found), json.Valid(found) // as Benthos does
	}
	return nil, false
}

// ofValid is ofAny for a valid document. It is ok for every value, also for one that is missing.
func ofValid(found json.RawMessage) (v any, ok bool) {
	switch {
	case len(found) == 0:
		return nil, true
	case found[0] == '"':
		text, err := field.JSONText(found)
		return text, err == nil
	}
	decoder := json.NewDecoder(bytes.NewReader(found))
	decoder.UseNumber() // as Benthos does
	err := decoder.Decode(&v)
	return v, err == nil
}

func (e evaluation) ask(i, index int) (any, error) {
	answer, err := e.queries[i].Query(index)
	if err != nil {
		return nil, e.wrong(e.parts[i].text, err)
	}
	content, err := answer.AsStructured()
	if err != nil {
		return nil, e.wrong(e.parts[i].text, err)
	}
	list, _ := content.([]any)
	if len(list) == 0 { // deleted()
		return nil, nil
	}
	return list[0], nil
}

// wrong adds to an error the field that it is about, and the part of the field.
func (e evaluation) wrong(part string, err error) error {
	if part == "" && len(e.parts) == 1 && !e.parts[0].static() {
		part = e.parts[0].text
	}
	if part == "" || part == e.field {
		return fmt.Errorf("%s: %w", e.field, err)
	}
	return fmt.Errorf("%s: %s: %w", e.field, excerpt.Of(part, excerpt.Short), err)
}

// name is the value as a text that can be a name.
func (e evaluation) name(index int) (string, error) {
	if text, ok := e.view(index); ok {
		return text, nil
	}
	v, err := e.value(index)
	if err != nil {
		return "", err
	}
	text, err := nameText(v)
	if err != nil {
		return "", e.wrong("", err)
	}
	return text, nil
}

// nameText refuses numbers that may have changed: Bloblang turns an integer above int64 into the nearest float.
func nameText(v any) (string, error) {
	v = field.One(v)
	if number, ok := v.(float64); ok && math.Abs(number) >= 1<<53 {
		return "", fmt.Errorf("is the number %g, which is not exact any more: read it with json(\"…\") and nothing else", number)
	}
	text, err := field.Text(v)
	if errors.Is(err, field.ErrMissing) {
		err = fmt.Errorf("%w: want a name", err)
	}
	return text, err
}
