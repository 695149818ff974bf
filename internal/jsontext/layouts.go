package jsontext

import "encoding/json"

// Layouts know the layouts of the objects that a source has sent. The layout of an object is its text without the values that are strings or numbers:
// its keys, brackets and spaces, and true, false and null. Most objects of a source have one of a few layouts, and it is faster to compare an object
// with these than to read it. The zero value knows none. Layouts are for one goroutine.
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
	places []place // of what was found; nil but for the last step of a layout
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
	maxStepsAfter  = 16    // steps that may come after one step
	maxMisses      = 1_000 // how many more misses than hits there may be
	stepBytes      = 200   // what a step takes without its text, about
)

// Find reads the object that a text begins with, if its layout is known. found gets the parts that Learn was given for this layout, as they are in this
// object, and end is where the object ends. If ok is false, found stays as it is.
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
		if i > 0 { // frequent steps move to the front
			s.after[i-1], s.after[i] = next, s.after[i-1]
		}
		return end, next
	}
	return 0, nil
}

// Learn remembers the layout of a valid object, and where in it the parts are that were found; nil is for a part that the object does not have.
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
		case c == 't' || c == 'f' || c == 'n':
			end, _ = value(object, i, 0)
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
			last.places[i] = l.place(cap(object)-cap(part), len(part)) // the memory of both ends at the same place
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
