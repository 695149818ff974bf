package annotation

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"connect-deepcase/model/decisions"
)

// member is a field of an annotation. Its value is a pointer to a text, a number, names or shares, which costs no memory; a boolean, something
// with a name, or an object.
type member struct {
	name  string
	value any
}

// names are a list of names of events, "" for null.
type names []string

// shares are a list of numbers that are rounded, and rounded is one.
type (
	shares  []float32
	rounded float64
)

// most is how many members one processor writes.
const most = 16

// write puts members into an object, from which it removes those of the old names.
func write(object map[string]any, old []string, members []member) {
	for _, name := range old {
		delete(object, name)
	}
	for _, m := range members {
		switch value := m.value.(type) {
		case *string:
			object[m.name] = *value
		case *int:
			object[m.name] = int64(*value)
		case *float64:
			object[m.name] = *value
		case *rounded:
			object[m.name] = Round(float64(*value))
		case *names:
			list := make([]any, len(*value))
			for i, name := range *value {
				if name != "" {
					list[i] = name
				}
			}
			object[m.name] = list
		case *shares:
			list := make([]any, len(*value))
			for i, share := range *value {
				list[i] = Round(float64(share))
			}
			object[m.name] = list
		case fmt.Stringer:
			object[m.name] = value.String()
		default:
			object[m.name] = value
		}
	}
}

// appendMembers appends members as JSON, with commas between them, and before the first one if b does not end with a brace.
func appendMembers(b []byte, members []member) []byte {
	for _, m := range members {
		if b[len(b)-1] != '{' {
			b = append(b, ',')
		}
		b = append(appendText(b, m.name), ':')
		switch value := m.value.(type) {
		case *string:
			b = appendText(b, *value)
		case bool:
			b = strconv.AppendBool(b, value)
		case *int:
			b = strconv.AppendInt(b, int64(*value), 10)
		case *float64:
			b = appendNumber(b, *value)
		case *rounded:
			b = appendNumber(b, Round(float64(*value)))
		case *names:
			b = appendList(b, *value, func(b []byte, name string) []byte {
				if name == "" {
					return append(b, "null"...)
				}
				return appendText(b, name)
			})
		case *shares:
			b = appendList(b, *value, func(b []byte, share float32) []byte { return appendNumber(b, Round(float64(share))) })
		case *decisions.Key:
			b = append(hex.AppendEncode(append(b, '"'), value[:]), '"')
		case fmt.Stringer:
			b = appendText(b, value.String())
		default:
			b = appendJSON(b, value)
		}
	}
	return b
}

func appendList[T any](b []byte, list []T, value func(b []byte, v T) []byte) []byte {
	b = append(b, '[')
	for i, v := range list {
		if i > 0 {
			b = append(b, ',')
		}
		b = value(b, v)
	}
	return append(b, ']')
}

func appendText(b []byte, text string) []byte {
	plain := true
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			plain = false
			break
		}
	}
	if !plain {
		return appendJSON(b, text)
	}
	return append(append(append(b, '"'), text...), '"')
}

// appendNumber writes a finite number as encoding/json does.
func appendNumber(b []byte, x float64) []byte {
	if size := math.Abs(x); size != 0 && size < 1e-6 || size >= 1e21 {
		return appendJSON(b, x)
	}
	return strconv.AppendFloat(b, x, 'f', -1, 64)
}

// appendJSON writes any value as Benthos does.
func appendJSON(b []byte, value any) []byte {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value) // what annotations have can always be
	return append(b, bytes.TrimSuffix(text.Bytes(), []byte{'\n'})...)
}
