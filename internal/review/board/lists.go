package board

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strconv"
	"unicode/utf8"
)

// The two lists of an annotation are most of what Read reads. encoding/json has checked them before it hands them over.

// nameList is a list of names and nulls, which are "".
type nameList []string

func (l *nameList) UnmarshalJSON(text []byte) error {
	if !bytes.HasPrefix(text, []byte{'['}) || bytes.IndexByte(text, '\\') >= 0 || !utf8.Valid(text) {
		return l.read(text)
	}
	list := make(nameList, 0, 1+bytes.Count(text, []byte{','}))
	for rest := text[1:]; ; {
		switch c := rest[0]; {
		case c == '"':
			end := 1 + bytes.IndexByte(rest[1:], '"')
			list = append(list, string(rest[1:end]))
			rest = rest[end+1:]
		case c == 'n':
			list = append(list, "")
			rest = rest[len("null"):]
		case c == ']':
			*l = list
			return nil
		case c == ',' || c <= ' ':
			rest = rest[1:]
		default:
			return l.read(text)
		}
	}
}

// read reads a list with escapes, and finds out what is wrong with what is none.
func (l *nameList) read(text []byte) error {
	var names []*string
	if err := json.Unmarshal(text, &names); err != nil || names == nil {
		return err
	}
	*l = make(nameList, len(names))
	for i, name := range names {
		if name != nil {
			(*l)[i] = *name
		}
	}
	return nil
}

// numberList is a list of numbers.
type numberList []float64

func (l *numberList) UnmarshalJSON(text []byte) error {
	if !bytes.HasPrefix(text, []byte{'['}) {
		return json.Unmarshal(text, (*[]float64)(l))
	}
	list := make(numberList, 0, 1+bytes.Count(text, []byte{','}))
	for part := range bytes.SplitSeq(text[1:len(text)-1], []byte{','}) {
		part = bytes.TrimSpace(part)
		if len(part) == 0 { // an empty list
			break
		}
		x, err := strconv.ParseFloat(string(part), 64)
		if err != nil {
			return &json.UnmarshalTypeError{Value: "value " + string(part), Type: reflect.TypeFor[float64]()}
		}
		list = append(list, x)
	}
	*l = list
	return nil
}
