package syslog

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
)

const (
	framingAuto = "auto"
	framingNUL  = "nul"

	// excerptBytes is how much is kept of a message that is too long.
	excerptBytes = 1024
)

// problem is why a message was refused, and the label of the metric.
type problem string

const (
	tooLong   problem = "too_long"
	badCount  problem = "bad_count"
	cutOff    problem = "cut_off"
	badText   problem = "encoding"
	noProblem problem = ""
)

// counted matches the octet count of RFC 6587 and the priority after it. Without the priority it could be text that begins with a number.
var (
	counted    = regexp.MustCompile(`[1-9][0-9]{0,8} <[0-9]{1,3}>`)
	countFirst = regexp.MustCompile(`^` + counted.String())
)

// longestCount is the most bytes that counted matches.
const longestCount = 15

// framer cuts the bytes of a connection into messages (RFC 6587). How the bytes were divided into writes does not matter.
type framer struct {
	framing string
	max     int // bytes of a message
	emit    func(text []byte, why problem, details string)

	buffer       []byte // received, not emitted yet
	scanned      int    // bytes of the buffer known to hold no terminator
	afterCount   bool   // the message before had an octet count
	discard      int    // bytes of a message that was refused, still to come
	discardToEnd bool   // a message was refused, and its terminator is still to come
}

func (f *framer) write(chunk []byte) {
	f.buffer = append(f.buffer, chunk...)
	used := 0
	for used < len(f.buffer) {
		n := f.next(f.buffer[used:], false)
		if n == 0 {
			break
		}
		used, f.scanned = used+n, 0
	}
	if used > 0 {
		f.buffer = append(f.buffer[:0], f.buffer[used:]...)
	}
	if cap(f.buffer) > 1<<16 && len(f.buffer) < 1<<12 {
		f.buffer = bytes.Clone(f.buffer) // one long message must not hold its memory as long as the connection lives
	}
}

// close emits the last message if it came without an end.
func (f *framer) close() {
	for rest := f.buffer; len(rest) > 0; f.scanned = 0 {
		rest = rest[f.next(rest, true):]
	}
	f.buffer = nil
}

// next emits at most one message from the start of data, and gives the number of bytes used. 0 means that more must come first, which does
// not happen at the end of the connection.
func (f *framer) next(data []byte, end bool) int {
	switch {
	case f.discard > 0:
		n := min(f.discard, len(data))
		f.discard -= n
		return n
	case f.discardToEnd:
		at := f.terminator(data)
		if at < 0 {
			return len(data)
		}
		f.discardToEnd = false
		return at + 1
	case strings.IndexByte("\r\n\x00", data[0]) >= 0: // between two messages
		return 1
	}
	if f.framing == framingAuto {
		if countFirst.Match(data) {
			return f.counted(data, bytes.IndexByte(data, ' ')+1, end)
		} else if startsCount(data) && !end {
			return 0
		}
	}
	return f.terminated(data, end)
}

// startsCount reports whether data could be the start of an octet count and a priority.
func startsCount(data []byte) bool {
	digits := 0
	for digits <= 9 && digits < len(data) && isDigit(data[digits]) {
		digits++
	}
	if digits > 9 || digits > 0 && data[0] == '0' || digits == 0 && len(data) > 0 {
		return false
	}
	rest := data[digits:]
	for i, want := range []byte(" <") {
		if len(rest) <= i {
			return true
		}
		if rest[i] != want {
			return false
		}
	}
	priority := rest[2:]
	for _, b := range priority {
		if !isDigit(b) {
			return false
		}
	}
	return len(priority) <= 3
}

func isDigit(b byte) bool { return '0' <= b && b <= '9' }

// counted reads a message with an octet count; header is the length of the count and its space.
func (f *framer) counted(data []byte, header int, end bool) int {
	size := 0
	for _, digit := range data[:header-1] {
		size = size*10 + int(digit-'0')
	}
	have := data[header:]
	if size > f.max {
		keep := min(size, excerptBytes)
		if len(have) < keep && !end {
			return 0
		}
		keep = min(keep, len(have))
		f.refuse(have[:keep], tooLong, fmt.Sprintf("the message has %d bytes, need at most %d", size, f.max))
		f.discard, f.afterCount = size-keep, true
		return header + keep
	}
	switch {
	case len(have) >= size:
		f.message(have[:size])
		f.afterCount = true
		return header + size
	case end:
		f.refuse(have, cutOff, fmt.Sprintf("the connection ended within the message: %d of %d bytes came", len(have), size))
		return len(data)
	}
	return 0
}

// terminated reads a message that ends with a terminator.
func (f *framer) terminated(data []byte, end bool) int {
	limit := f.terminator(data[f.scanned:])
	found := limit >= 0
	if found {
		limit += f.scanned
	} else {
		limit = len(data)
	}
	// A count that was too small leaves the end of its message in front of the next count.
	if f.afterCount && !hasPriority(data) {
		from := max(0, f.scanned-longestCount) // what is before was looked at
		if at := counted.FindIndex(data[from:max(from, min(limit, f.max))]); at != nil {
			n := from + at[0]
			f.refuse(data[:min(n, excerptBytes)], badCount, fmt.Sprintf("%d bytes between two messages: the octet count before them was wrong", n))
			return n
		}
	}
	switch {
	case limit > f.max:
		f.refuse(data[:min(f.max, excerptBytes)], tooLong, fmt.Sprintf("the message has more than %d bytes", f.max))
		f.discardToEnd, f.afterCount = true, false
		return f.max
	case found:
		f.message(data[:limit])
		f.afterCount = false
		return limit + 1
	case end:
		f.message(data)
		return len(data)
	}
	f.scanned = len(data)
	return 0
}

func (f *framer) terminator(data []byte) int {
	if f.framing == framingNUL {
		return bytes.IndexByte(data, 0)
	}
	return bytes.IndexAny(data, "\n\x00")
}

func hasPriority(data []byte) bool {
	digits := 0
	for _, b := range data[1:] {
		if !isDigit(b) {
			return data[0] == '<' && digits > 0 && digits <= 3 && b == '>'
		}
		if digits++; digits > 3 {
			return false
		}
	}
	return data[0] == '<' // it may yet become one
}

// message emits a text without line ends around it, unless it is blank.
func (f *framer) message(text []byte) { f.refuse(text, noProblem, "") }

func (f *framer) refuse(text []byte, why problem, details string) {
	text = bytes.TrimRight(text, "\r\n\x00")
	if why == noProblem && len(bytes.TrimSpace(text)) == 0 {
		return
	}
	f.emit(bytes.Clone(text), why, details)
}
