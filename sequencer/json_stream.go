package sequencer

import (
	"bytes"
	"io"
	"slices"

	"connect-deepcase/internal/jsontext"
	"connect-deepcase/internal/textfile"
)

// json reads objects in arrays, or one after the other, behind some lines. It reads the elements of an array at the beginning one by one; a later
// array, or an object around one, is a record. What it cannot read it leaves to decode.
func (r *reader) json(in io.Reader, before int) error {
	s := &jsonStream{in: in, most: r.most, before: before}
	open := "" // what begins like the array that is open: "[" before its first element, "[0" behind one
	if at, first := s.peek(0); first == '[' {
		s.use(at + 1)
		open = "["
	}
	for !r.full() {
		at, first := s.peek(0)
		switch {
		case open != "" && first == ']':
			s.use(at + 1)
			open = ""
			continue
		case open == "[0" && first == ',':
			at, first = s.peek(at + 1)
		case open == "[0":
			first = 0
		case open == "" && first == 0 && s.err == io.EOF:
			return nil
		}
		end := 0
		if first == '{' || first == '[' {
			var err error
			if end, err = r.jsonStreamed(s, at); err != nil {
				return err
			}
		}
		switch {
		case end > 0:
			s.use(end)
		case s.long:
			return r.wrong(s.line(at), "", textfile.LongError{Most: r.most})
		default:
			return r.decode(io.MultiReader(bytes.NewReader(s.text), &pieces{in: s.in, err: s.err}), s.before, open)
		}
		if open == "[" {
			open = "[0" // as good as any element
		}
	}
	return nil
}

// jsonStreamed appends the rows of the value at a place, and gives its end, 0 if it is not valid or too long.
func (r *reader) jsonStreamed(s *jsonStream, at int) (end int, err error) {
	if end, err = r.jsonPrefix(s, at); end == 0 && err == nil && s.whole(at) {
		return r.jsonPrefix(s, at)
	}
	return end, err
}

// jsonPrefix is jsonStreamed for what is read so far.
func (r *reader) jsonPrefix(s *jsonStream, at int) (end int, err error) {
	text := s.text[at:]
	var found jsonFields
	var valid bool
	object := text[0] == '{'
	if e, _ := r.envelopes.Match(text); e.Start > 0 {
		object = false
	}
	if object {
		end, valid = r.paths.FindJSON(text, found[:])
	} else {
		end, valid = jsontext.End(text, 0)
	}
	switch {
	case !valid:
		return 0, nil
	case end > r.most:
		return 0, r.wrong(s.line(at), "", textfile.LongError{Most: r.most})
	case object:
		return at + end, r.jsonObject(text[:end], found, s.line(at))
	}
	return at + end, r.jsonValue(text[:end], s.line(at), 0)
}

// jsonStream is a text that is read step by step.
type jsonStream struct {
	in     io.Reader
	text   []byte // read and not used yet
	memory []byte // of text
	err    error  // why nothing comes after text
	most   int    // bytes of text in which a value may be that has not ended yet
	long   bool   // there are more
	before int    // line ends before text
}

// peek is where in the text the next byte is that is not space, and that byte, 0 if there is none.
func (s *jsonStream) peek(at int) (int, byte) {
	for {
		if at = jsontext.Space(s.text, at); at < len(s.text) {
			return at, s.text[at]
		}
		if !s.more() {
			return at, 0
		}
	}
}

// use goes on behind the first bytes.
func (s *jsonStream) use(n int) {
	s.before += bytes.Count(s.text[:n], []byte{'\n'})
	s.text = s.text[n:]
}

// line is the line of a place in the text.
func (s *jsonStream) line(at int) int { return 1 + s.before + bytes.Count(s.text[:at], []byte{'\n'}) }

// more reads more, if there is any and text is not too long.
func (s *jsonStream) more() bool {
	if s.long = s.err == nil && len(s.text) > s.most; s.long || s.err != nil {
		return false
	}
	if len(s.text) < len(s.memory) {
		s.memory = append(s.memory[:0], s.text...)
	}
	s.memory = slices.Grow(s.memory, pieceSize)
	var n int
	n, s.err = s.in.Read(s.memory[len(s.memory):cap(s.memory)])
	s.memory = s.memory[:len(s.memory)+n]
	s.text = s.memory
	return n > 0 || s.err == nil
}

// whole reads until the value at a place ends, and reports whether there is more of it than before.
func (s *jsonStream) whole(at int) bool {
	var scan jsontext.Scan
	start := len(s.text)
	for {
		n, done, err := scan.Feed(s.text[at:])
		if at += n; done || err != nil {
			return at > start
		}
		if !s.more() {
			return false
		}
	}
}
