// Package annotation knows the object that deepcase_sequence and deepcase_predict write into a document:
//
//	"deepcase": {"machine": "web-1", "event": "sshd: failed password", "context": [null, "sshd: invalid user"],
//	             "pattern": "5d1f7f0c8a4be2b1c9a0d37e6f42a815", "status": "scored", "score": 3, "cluster": 17, "confidence": 0.83,
//	             "distance": 0.021, "attention": [0, 0.71], "model": "20261123T141500Z-3f2a"}
//
// Documents are maps of decoded JSON, or Raw: bytes, which are annotated without being decoded. Errors say what is wrong with a document, and where
// in it.
package annotation

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/field"
	"connect-deepcase/model/decisions"
)

// Target is where a document has its annotation: the names of the objects that lead to it, and its own.
type Target []string

// ParseTarget reads names that are divided by dots.
func ParseTarget(path string) (Target, error) {
	t := Target(strings.Split(path, "."))
	if slices.Contains(t, "") {
		return nil, fmt.Errorf("%q: need names divided by single dots", path)
	}
	return t, nil
}

func (t Target) String() string { return strings.Join(t, ".") }

// Check says whether an annotation can be written into a document.
func (t Target) Check(document map[string]any) error { return checkObject(document, t...) }

// ErrNoSequence is in errors about documents without a context.
var ErrNoSequence = errors.New("no context there: is deepcase_sequence before this component, with the same target?")

// Sequence is an event with the events before it, as deepcase_sequence writes it.
type Sequence struct {
	Machine string
	Event   string
	Context []string // oldest first, "" for NO_EVENT
	// Templates is the beginning of the checksum of the templates that deepcase_template named the event by; "" if it did not.
	Templates string
}

// Subject is what people decide about.
func (s Sequence) Subject() decisions.Subject {
	return decisions.Subject{Event: s.Event, Context: s.Context, Machine: s.Machine}
}

// WriteSequence puts s into a document that passed Check. It removes an old verdict, which was about another context.
func (t Target) WriteSequence(document map[string]any, s Sequence) {
	object := objectAt(document, t...)
	clear(object)
	write(object, nil, sequenceMembers(nil, &s))
}

func sequenceMembers(members []member, s *Sequence) []member {
	members = append(members, member{"machine", &s.Machine}, member{"event", &s.Event}, member{"context", (*names)(&s.Context)})
	if s.Templates != "" {
		members = append(members, member{"templates", &s.Templates})
	}
	return members
}

// Sequence reads what WriteSequence wrote. An error names what is wrong with it.
func (t Target) Sequence(document map[string]any) (s Sequence, err error) {
	object := t.object(document)
	if object == nil {
		return s, fmt.Errorf("document: %s: %w", t, ErrNoSequence)
	}
	s.Machine, _ = object["machine"].(string)
	if s.Event, err = t.name(object, "event"); err != nil {
		return s, err
	}
	if object["templates"] != nil {
		var ok bool
		if s.Templates, ok = object["templates"].(string); !ok || !IsTemplates(s.Templates) {
			return s, fmt.Errorf("document: %s.templates is %s, need 16 hexadecimal digits in lower case", t, kind(object["templates"]))
		}
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

// object is the annotation of a document, nil if there is none.
func (t Target) object(document map[string]any) map[string]any {
	for _, part := range t {
		document, _ = document[part].(map[string]any)
	}
	return document
}

// name is a field of an annotation that must be a name.
func (t Target) name(object map[string]any, field string) (string, error) {
	name, ok := object[field].(string)
	if !ok || name == "" {
		return "", fmt.Errorf("document: %s.%s is %s, need a name", t, field, kind(object[field]))
	}
	return name, nil
}

// JSONSequence is Sequence for a document that is not decoded. The target may also be a single key with dots.
func (t Target) JSONSequence(document json.RawMessage) (Sequence, error) {
	var a struct {
		Machine, Event string
		Context        []*string
	}
	if err := json.Unmarshal(field.FindJSON(document, t.String()), &a); err != nil || a.Event == "" {
		return Sequence{}, fmt.Errorf("%s: no annotation of deepcase_sequence, with an event and its context", t)
	}
	s := Sequence{Machine: a.Machine, Event: a.Event, Context: make([]string, len(a.Context))}
	for i, name := range a.Context {
		if name != nil {
			s.Context[i] = *name
		}
	}
	return s, nil
}

// Document is decoded JSON as a document, which is an object.
func Document(content any) (map[string]any, error) {
	document, ok := content.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("document: need a JSON object, have %s", kind(content))
	}
	return document, nil
}

// Round keeps 4 decimals, because clustering does not look at more.
func Round(x float64) float64 { return math.Round(x*1e4) / 1e4 }

// checkObject says whether an object can be at the path. An error names what else is there.
func checkObject(document map[string]any, path ...string) error {
	for i, part := range path {
		next, ok := document[part].(map[string]any)
		if !ok && document[part] != nil {
			return fmt.Errorf("document: %s is %s, need an object", strings.Join(path[:i+1], "."), kind(document[part]))
		}
		document = next
	}
	return nil
}

// objectAt is the object at a path that passed checkObject. It creates missing objects on the way.
func objectAt(document map[string]any, path ...string) map[string]any {
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

func kind(v any) string {
	switch v := v.(type) {
	case nil:
		return "null or missing"
	case string:
		return "the text " + excerpt.Quote(v)
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
