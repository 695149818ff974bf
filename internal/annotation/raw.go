package annotation

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"

	"connect-deepcase/internal/cases"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/jsontext"
	"connect-deepcase/model"
)

// Raw is a document that is not decoded, with the place of its annotation. Documents are read and annotated so in a fraction of the time, and
// the rest of a document stays as it is written.
//
// Its methods know the usual documents alone. They are not ok for others, and for those that are wrong: decode these.
type Raw struct {
	text       []byte
	start, end int      // of the annotation, which is an object; if there is none, both are where the object belongs
	missing    []string // the names that lead to it and are not there
	after      bool     // whether it comes after another member, if it is missing
	// Whether the annotation is known to have members, and none of a verdict or of a case: then these are added behind the others.
	noVerdict, noCase bool
}

// OK is whether there is a document.
func (r *Raw) OK() bool { return r.text != nil }

// Raw finds the annotation in a text. It is ok if the text is a JSON object in UTF-8, on one line, in which the annotation is an object or can be
// added as one.
func (t Target) Raw(text []byte) (r Raw, ok bool) {
	if bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 || !utf8.Valid(text) { // decoding and encoding changes these
		return r, false
	}
	object := text
	for depth, name := range t {
		var found []byte
		r.after = false
		times := 0
		valid := jsontext.EachMember(object, func(key, value []byte) {
			r.after = true
			if string(field.KeyText(key)) == name {
				found = value
				times++
			}
		})
		switch {
		case !valid || times > 1 || times == 1 && found[0] != '{':
			return Raw{}, false
		case times == 0:
			r.missing = t[depth:]
			r.start = cap(text) - cap(object) + bytes.LastIndexByte(object, '}') // object is a piece of text
			r.end = r.start
			r.text = text
			return r, true
		}
		object = found
	}
	r.start = cap(text) - cap(object)
	r.end = r.start + len(object)
	r.text = text
	return r, true
}

func (r *Raw) object() []byte { return r.text[r.start:r.end] }

// fields are the values of an annotation, as they are written.
type fields struct{ machine, event, context, templates, status, score, cluster, hourlyMax []byte }

func (r *Raw) fields() (f fields, ok bool) {
	if r.missing != nil {
		return f, false
	}
	some, verdict, ofCase := false, false, false
	ok = jsontext.EachMember(r.object(), func(key, value []byte) {
		some = true
		switch name := string(field.KeyText(key)); name {
		case "machine":
			f.machine = value
		case "event":
			f.event = value
		case "context":
			f.context = value
		case "templates":
			f.templates = value
		case "status":
			f.status, verdict = value, true
		case "score":
			f.score, verdict = value, true
		case "cluster":
			f.cluster, verdict = value, true
		case "hourly_max":
			f.hourlyMax, verdict = value, true
		default:
			verdict = verdict || slices.Contains(verdictNames, name)
			ofCase = ofCase || slices.Contains(caseNames, name)
		}
	})
	r.noVerdict, r.noCase = some && !verdict, some && !ofCase
	return f, ok
}

// text is a value that is a text.
func text(value []byte) (s string, ok bool) {
	if len(value) == 0 || value[0] != '"' {
		return "", false
	}
	s, err := field.JSONText(value)
	return s, err == nil
}

// numberOf is a value that is a number, or the one that stands for a missing value.
func numberOf(value []byte, missing float64) (x float64, ok bool) {
	if value == nil {
		return missing, true
	}
	return number(json.Number(value))
}

// Sequence is that of a document.
func (r *Raw) Sequence() (s Sequence, ok bool) {
	f, ok := r.fields()
	if !ok || len(f.context) == 0 || f.context[0] != '[' {
		return s, false
	}
	if s.Machine, ok = text(f.machine); !ok {
		return s, false
	}
	if s.Event, ok = text(f.event); !ok || s.Event == "" {
		return s, false
	}
	if f.templates != nil {
		if s.Templates, ok = text(f.templates); !ok || !IsTemplates(s.Templates) {
			return s, false
		}
	}
	s.Context = make([]string, 0, bytes.Count(f.context, []byte{','})+1)
	whole := jsontext.EachElement(f.context, func(value []byte) {
		name, isText := text(value)
		ok = ok && (isText || value[0] == 'n')
		s.Context = append(s.Context, name)
	})
	return s, ok && whole
}

// Alert is that of a document, as Target.Alert reads it.
func (r *Raw) Alert() (a cases.Alert, ok bool) {
	f, ok := r.fields()
	if !ok {
		return a, false
	}
	if a.Machine, ok = text(f.machine); !ok || a.Machine == "" {
		return a, false
	}
	if a.Event, ok = text(f.event); !ok || a.Event == "" {
		return a, false
	}
	status, ok := text(f.status)
	if !ok {
		return a, false
	}
	var err error
	if a.Status, err = model.ParseStatus(status); err != nil {
		return a, false
	}
	if a.Status == model.Scored || a.Status == model.Answered {
		if a.Score, ok = numberOf(f.score, -1); !ok || a.Score < 0 {
			return a, false
		}
	}
	cluster, ok := numberOf(f.cluster, -1)
	hourlyMax, ok2 := numberOf(f.hourlyMax, 0)
	if !ok || !ok2 || f.cluster != nil && !isIndex(cluster) || !isIndex(hourlyMax) {
		return a, false
	}
	a.Cluster, a.HourlyMax = int(cluster), int(hourlyMax)
	a.JSON = r.text
	return a, true
}

// WithSequence is Target.WriteSequence: the document with a sequence and no verdict.
func (r *Raw) WithSequence(s Sequence) []byte { return r.with(nil, false, sequenceMembers(s)) }

// WithVerdict is Target.WriteVerdict: the document, which has a sequence, with a result.
func (r *Raw) WithVerdict(result Result, explain bool) []byte {
	return r.with(verdictNames, r.noVerdict, verdictMembers(result, explain))
}

// WithCase is Target.WriteCase: the document, which has a verdict, with its case.
func (r *Raw) WithCase(c cases.Case) []byte { return r.with(caseNames, r.noCase, caseMembers(c)) }

// with is the document with members in its annotation, in place of those of the old names; of all, if old is nil. If none is known to be one of
// these, the members are added.
func (r *Raw) with(old []string, none bool, members []member) []byte {
	var room [1024]byte
	b := room[:0]
	if none {
		b = appendMembers(append(b, '{'), members)
		b[0] = ','
		return slices.Concat(r.text[:r.end-1], b, r.text[r.end-1:])
	}
	if r.missing != nil && r.after {
		b = append(b, ',')
	}
	for i, name := range r.missing {
		if i > 0 {
			b = append(b, '{')
		}
		b = append(appendText(b, name), ':')
	}
	b = append(b, '{')
	if r.missing == nil && old != nil {
		jsontext.EachMember(r.object(), func(key, value []byte) {
			if slices.Contains(old, string(field.KeyText(key))) {
				return
			}
			if b[len(b)-1] != '{' {
				b = append(b, ',')
			}
			b = append(append(append(b, key...), ':'), value...)
		})
	}
	b = appendMembers(b, members)
	for range max(1, len(r.missing)) {
		b = append(b, '}')
	}
	return slices.Concat(r.text[:r.start], b, r.text[r.end:])
}
