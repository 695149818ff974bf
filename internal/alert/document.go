package alert

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// FieldTarget names the config field of a Target.
const FieldTarget = "target"

// TargetField is the config field that NewTarget reads.
func TargetField() *service.ConfigField {
	return service.NewStringField(FieldTarget).
		Description("The path of the object in the document that holds context and verdict, its parts divided by dots.").
		Example("security.deepcase").
		LintRule(`root = if this == "" || this.split(".").any(part -> part == "") { "target needs names divided by single dots" }`).
		Default("deepcase")
}

// Target is where a document holds the object that annotates it.
type Target []string

// NewTarget reads the field of TargetField.
func NewTarget(conf *service.ParsedConfig) (Target, error) {
	path, err := conf.FieldString(FieldTarget)
	if err != nil {
		return nil, err
	}
	t := Target(strings.Split(path, "."))
	for _, part := range t {
		if part == "" {
			return nil, fmt.Errorf("field '%s': %q: need names divided by single dots", FieldTarget, path)
		}
	}
	return t, nil
}

func (t Target) String() string { return strings.Join(t, ".") }

// ErrNoSequence is in errors about documents without a context.
var ErrNoSequence = errors.New("no context there: is deepcase_sequence before this component, with the same target?")

// Document is a message's document, to be read only.
func Document(m *service.Message) (map[string]any, error) {
	content, err := m.AsStructured()
	if err != nil {
		return nil, fmt.Errorf("document: not JSON: %w", err)
	}
	document, ok := content.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("document: need a JSON object, have %s", kind(content))
	}
	return document, nil
}

// Mutable is a message's document, to be changed. Where Document found one, there is one.
func Mutable(m *service.Message) map[string]any {
	content, _ := m.AsStructuredMut()
	document, _ := content.(map[string]any)
	return document
}

// Check says whether an object can be at the path: an error names what else is there.
func Check(document map[string]any, path ...string) error {
	for i, part := range path {
		next, ok := document[part].(map[string]any)
		if !ok && document[part] != nil {
			return fmt.Errorf("document: %s is %s, need an object", strings.Join(path[:i+1], "."), kind(document[part]))
		}
		document = next
	}
	return nil
}

// Object is the object at a path that passed Check; it and those above it are made where missing.
func Object(document map[string]any, path ...string) map[string]any {
	for _, part := range path {
		next, ok := document[part].(map[string]any)
		if !ok {
			next = map[string]any{}
			document[part] = next
		}
		document = next
	}
	return document
}

// Sequence is an event with the events before it, as deepcase_sequence writes it.
type Sequence struct {
	Machine string
	Event   string
	Context []string // oldest first, "" for NO_EVENT
}

// Write puts s into a document that passed Check. A verdict that was there speaks of another context and goes.
func (t Target) Write(document map[string]any, s Sequence) {
	object := Object(document, t...)
	clear(object)
	context := make([]any, len(s.Context))
	for i, name := range s.Context {
		if name != "" {
			context[i] = name
		}
	}
	object["machine"], object["event"], object["context"] = s.Machine, s.Event, context
}

// Sequence reads what Write wrote. An error names what is wrong with it.
func (t Target) Sequence(document map[string]any) (s Sequence, err error) {
	var at any = document
	for _, part := range t {
		object, _ := at.(map[string]any)
		at = object[part]
	}
	object, ok := at.(map[string]any)
	if !ok {
		return s, fmt.Errorf("document: %s: %w", t, ErrNoSequence)
	}
	s.Machine, _ = object["machine"].(string)
	if s.Event, ok = object["event"].(string); !ok || s.Event == "" {
		return s, fmt.Errorf("document: %s.event is %s, need a name", t, kind(object["event"]))
	}
	if object["context"] == nil {
		return s, fmt.Errorf("document: %s: %w", t, ErrNoSequence)
	}
	context, ok := object["context"].([]any)
	if !ok {
		return s, fmt.Errorf("document: %s.context is %s, need a list of names", t, kind(object["context"]))
	}
	s.Context = make([]string, len(context))
	for i, name := range context {
		if s.Context[i], ok = name.(string); !ok && name != nil {
			return s, fmt.Errorf("document: %s.context[%d] is %s, need a name or null", t, i, kind(name))
		}
	}
	return s, nil
}

func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "null or missing"
	case string:
		return fmt.Sprintf("the text %q", Excerpt(v))
	case bool:
		return "a boolean"
	case json.Number, float64, int64, int, uint64:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return fmt.Sprintf("a %T", v)
}
