// Package field has the rules for the values of an event: its machine, name, time, id and label, and the path to each of them in a document.
// The command line and the pipelines use these rules, and refuse the same values in the same words. docs/events.md is their page for users.
//
// An error says what is wrong with a value and what would be right, but not where the value is: callers put that before the error.
package field

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unsafe"
)

// ErrMissing says that a document has no value at a path, or null.
var ErrMissing = errors.New("is missing or null")

// One unwraps a list of one value: for search servers, such a list is the value.
func One(v any) any {
	for {
		list, ok := v.([]any)
		if !ok || len(list) != 1 {
			return v
		}
		v = list[0]
	}
}

// Text is a decoded value as text: a string, or a number as it is written. A list of one value is that value. The error is ErrMissing if the
// value is missing, and names the kind of any other value (a list, an object, a boolean).
func Text(v any) (string, error) {
	switch v := One(v).(type) {
	case nil:
		return "", ErrMissing
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	case json.Number:
		return v.String(), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case uint64:
		return strconv.FormatUint(v, 10), nil
	case int:
		return strconv.Itoa(v), nil
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case time.Time:
		return v.Format(time.RFC3339Nano), nil
	case bool:
		return "", wrongKind("the boolean " + strconv.FormatBool(v))
	case []any:
		return "", wrongKind(fmt.Sprintf("a list of %d", len(v)))
	case map[string]any:
		return "", errObject
	default:
		return "", wrongKind(fmt.Sprintf("a %T", v))
	}
}

// JSONText is Text for a valid JSON value that is not decoded; an empty one is missing.
func JSONText(value json.RawMessage) (string, error) {
	text, err := JSONView(value)
	return strings.Clone(text), err
}

// JSONView is JSONText without a copy: the text may be in the memory of the value, and is valid as long as that does not change.
func JSONView(value json.RawMessage) (string, error) {
	value = oneJSON(value)
	if len(value) == 0 {
		return "", ErrMissing
	}
	switch value[0] {
	case 'n':
		return "", ErrMissing
	case '"':
		if len(value) < 2 || bytes.IndexByte(value, '\\') >= 0 {
			return unquote(value), nil
		}
		return view(value[1 : len(value)-1]), nil
	case 't', 'f':
		return "", wrongKind("the boolean " + string(value))
	case '[':
		n := 0
		for range elements(value) {
			n++
		}
		return "", wrongKind(fmt.Sprintf("a list of %d", n))
	case '{':
		return "", errObject
	}
	return view(value), nil
}

// view is a text in the memory of b.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// oneJSON is One for a valid JSON value.
func oneJSON(value json.RawMessage) json.RawMessage {
	for len(value) > 0 && value[0] == '[' {
		var only json.RawMessage
		n := 0
		for element := range elements(value) {
			only = element
			if n++; n > 1 {
				return value
			}
		}
		if n == 0 {
			return value
		}
		value = only
	}
	return value
}

var errObject = wrongKind("an object (a longer path leads into it)")

func wrongKind(kind string) error { return errors.New("is " + kind + ": want a text or a number") }
