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

	index field.Index // of the document without its annotation
	// What the annotation is known to have. It need not be read then.
	sequence *Sequence // nil if unknown
	verdict  verdict
}

// verdict is what a case needs to know of a verdict.
type verdict struct {
	known              bool
	status             model.Status
	score              float64
	cluster, hourlyMax int
}

func verdictOf(r *Result) verdict {
	v := verdict{known: true, status: r.Settled.Status, cluster: -1}
	if r.Verdict.Status == model.NoModel {
		return v
	}
	if v.status == model.Scored || v.status == model.Answered {
		v.score = r.Settled.Score
	}
	if r.Verdict.Cluster >= 0 {
		v.cluster = r.Verdict.Cluster
	}
	if r.writesHourlyMax() {
		v.hourlyMax = r.HourlyMax
	}
	return v
}

// OK is whether there is a document.
func (r *Raw) OK() bool { return r.text != nil }

// Raw finds the annotation in a text. It is ok if the text is a JSON object in UTF-8, on one line, in which the annotation is an object or can be
// added as one. The room is for what it finds there on its way, for FindJSON.
func (t Target) Raw(text []byte, room *field.Room) (r Raw, ok bool) {
	if bytes.IndexByte(text, '\n') >= 0 || bytes.IndexByte(text, '\r') >= 0 || !utf8.Valid(text) { // decoding and encoding changes these
		return r, false
	}
	object, index := text, room.Index(text)
	for depth, name := range t {
		var found []byte
		r.after = false
		times := 0
		valid := jsontext.EachMember(object, func(key, value []byte) {
			r.after = true
			if depth == 0 {
				room.Add(&index, key, value)
			}
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
			r.text, r.index = text, index.Without(t[0])
			return r, true
		}
		object = found
	}
	r.start = cap(text) - cap(object)
	r.end = r.start + len(object)
	r.text, r.index = text, index.Without(t[0])
	return r, true
}

// Annotated tells whether the document has an annotation, which may be empty.
func (r *Raw) Annotated() bool { return r.missing == nil }

// Text is the document.
func (r *Raw) Text() []byte { return r.text }

// Is tells whether a text is the document: the same bytes in memory, which nobody changes as long as they are there.
func (r *Raw) Is(text []byte) bool {
	return len(text) > 0 && len(text) == len(r.text) && &text[0] == &r.text[0]
}

// FindJSON is the value at a path of the document, as field.FindJSON gives it.
func (r *Raw) FindJSON(path string) json.RawMessage {
	if found, known := r.index.FindJSON(path); known {
		return found
	}
	return field.FindJSON(r.text, path)
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
	if r.sequence != nil {
		return *r.sequence, r.sequence.Event != ""
	}
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
	if ok = ok && whole; ok {
		r.sequence = &s
	}
	return s, ok
}

// Alert is that of a document, as Target.Alert reads it.
func (r *Raw) Alert() (a cases.Alert, ok bool) {
	if v := r.verdict; v.known && r.sequence != nil {
		a = cases.Alert{Machine: r.sequence.Machine, Event: r.sequence.Event, Status: v.status, Score: v.score, Cluster: v.cluster, HourlyMax: v.hourlyMax, JSON: r.text}
		return a, a.Machine != "" && a.Event != ""
	}
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

// WithSequence is Target.WriteSequence: the document with a sequence, which it refers to, and no verdict.
func (r *Raw) WithSequence(s *Sequence) Raw {
	var room [most]member
	to := r.with(nil, false, sequenceMembers(room[:0], s))
	to.sequence, to.verdict, to.noVerdict, to.noCase = s, verdict{}, true, true
	return to
}

// WithVerdict is Target.WriteVerdict: the document, which has a sequence, with a result.
func (r *Raw) WithVerdict(result *Result, explain bool) Raw {
	var room [most]member
	to := r.with(verdictNames, r.noVerdict, verdictMembers(room[:0], result, explain))
	to.verdict, to.noVerdict = verdictOf(result), false
	return to
}

// WithCase is Target.WriteCase: the document, which has a verdict, with its case.
func (r *Raw) WithCase(c *cases.Case) Raw {
	var room [most]member
	to := r.with(caseNames, r.noCase, caseMembers(room[:0], c))
	to.noCase = false
	return to
}

// with is the document with members in its annotation, in place of those of the old names; of all, if old is nil. If none is known to be one of
// these, the members are added.
func (r *Raw) with(old []string, none bool, members []member) (to Raw) {
	to = *r
	var room [1024]byte
	b := room[:0]
	if none {
		b = appendMembers(append(b, '{'), members)
		b[0] = ','
		to.text, to.end = slices.Concat(r.text[:r.end-1], b, r.text[r.end-1:]), r.end+len(b)
		return to
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
	to.start, to.missing = r.start+len(b), nil
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
	b = append(appendMembers(b, members), '}')
	to.end = r.start + len(b)
	for range len(r.missing) - 1 {
		b = append(b, '}')
	}
	to.text = slices.Concat(r.text[:r.start], b, r.text[r.end:])
	return to
}
