package jsontext

import "encoding/json"

// Layouts know how the objects of a source are laid out. The layout of an object is its text without its strings and numbers: its keys, brackets and
// spaces, and true, false and null. Most objects of a source have one of a few layouts, and to compare an object with these is faster than to read
// it. The zero value knows none. Layouts are for one goroutine.
type Layouts struct {
	start        step // is before the first value
	bytes        int  // of memory
	hits, misses int  // of Find
	ends         []int
}

// step is what comes in an object up to the end of its next value. A layout is a path of steps.
type step struct {
	text   string // before the value; a string's quote belongs to it
	kind   valueKind
	after  []*step // that may come next
	places []place // behind the last step: of what was found
}

type valueKind byte

const (
	stringValue valueKind = iota
	numberValue
	literalValue // true, false or null, with which the text ends
	noValue      // the text ends the object
)

// place is a range of an object. Its ends are counted from the ends of the nearest values before them, 0 being the beginning of the object.
type place struct{ from, fromMore, to, toMore int }

// Objects whose keys are data have a layout each, which costs time and memory for nothing. These are the bounds.
const (
	maxLayoutBytes = 1 << 20
	maxStepsAfter  = 16    // one step
	maxMisses      = 1_000 // more than hits
	stepBytes      = 200   // of a step without its text, about
)

// Find finds, in the object that a text begins with, what was found in an object of the same layout, from which Learn learnt. It gives the end of the
// object. It is false if the layout is not known; then found may have anything.
func (l *Layouts) Find(text []byte, found []json.RawMessage) (end int, ok bool) {
	if l.useless() {
		return 0, false
	}
	l.ends = append(l.ends[:0], 0)
	at, s := 0, &l.start
	for s.kind != noValue {
		if at, s = s.next(text, at); s == nil {
			l.misses++
			return 0, false
		}
		l.ends = append(l.ends, at)
	}
	l.hits++
	for i, p := range s.places {
		found[i] = nil
		if p != (place{}) {
			found[i] = text[l.ends[p.from]+p.fromMore : l.ends[p.to]+p.toMore]
		}
	}
	return at, true
}

// useless reports whether the source has too many layouts.
func (l *Layouts) useless() bool { return l.misses > l.hits+maxMisses }

// next is the step that a text has at a place, and where it ends; nil if it is not known.
func (s *step) next(text []byte, at int) (end int, next *step) {
	for i, next := range s.after {
		end, ok := at+len(next.text), true
		if end > len(text) || string(text[at:end]) != next.text {
			continue
		}
		switch next.kind {
		case stringValue:
			end, _, ok = quoted(text, end)
		case numberValue:
			end, ok = number(text, end)
		}
		if !ok {
			continue
		}
		if i > 0 { // what comes often gets to the front
			s.after[i-1], s.after[i] = next, s.after[i-1]
		}
		return end, next
	}
	return 0, nil
}

// Learn takes up the layout of a valid object, and where in it something was found. What was found are parts of the object; nil is nothing.
func (l *Layouts) Learn(object []byte, found []json.RawMessage) {
	if l.useless() {
		return
	}
	l.ends = append(l.ends[:0], 0)
	last, from := &l.start, 0
	add := func(textEnd, end int, kind valueKind) (known bool) {
		last = l.add(last, object[from:textEnd], kind)
		l.ends = append(l.ends, end)
		from = end
		return last != nil
	}
	for i := 0; i < len(object); {
		end, known := i+1, true
		switch c := object[i]; {
		case c == '"':
			end, _, _ = quoted(object, i+1)
			if object[space(object, end)] != ':' { // it is not a key
				known = add(i+1, end, stringValue)
			}
		case c == '-' || digit(c):
			end, _ = number(object, i)
			known = add(i, end, numberValue)
		case c == 't' || c == 'n':
			end = i + len("true")
			known = add(end, end, literalValue)
		case c == 'f':
			end = i + len("false")
			known = add(end, end, literalValue)
		}
		if !known {
			return
		}
		i = end
	}
	if !add(len(object), len(object), noValue) {
		return
	}
	last.places = make([]place, len(found))
	for i, part := range found {
		if part != nil {
			last.places[i] = l.place(cap(object)-cap(part), len(part)) // parts have the end of their memory in common
		}
	}
}

// add is a step after another one, a new one if it is not known. It is nil if there are too many.
func (l *Layouts) add(s *step, text []byte, kind valueKind) *step {
	for _, next := range s.after {
		if next.text == string(text) && next.kind == kind {
			return next
		}
	}
	bytes := l.bytes + len(text) + stepBytes
	if bytes > maxLayoutBytes || len(s.after) == maxStepsAfter {
		return nil
	}
	l.bytes = bytes
	next := &step{text: string(text), kind: kind}
	s.after = append(s.after, next)
	return next
}

// place is that of a part of the object whose ends of values are known.
func (l *Layouts) place(start, length int) (p place) {
	for i, end := range l.ends {
		if end <= start {
			p.from, p.fromMore = i, start-end
		}
		if end <= start+length {
			p.to, p.toMore = i, start+length-end
		}
	}
	return p
}
