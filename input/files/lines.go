package files

import (
	"bytes"
	"fmt"
	"io"
)

func errTooLong(most int) error {
	return fmt.Errorf("is longer than %d bytes (%s): left out", most, fieldMaxLine)
}

// lines cuts a text into lines; blank ones are left out.
type lines struct {
	*text
	max     int
	skipped *piece // the beginning of a line that is too long, the rest of which is being left out
}

func (l *lines) next() (piece, error) {
	for scanned := 0; ; {
		n := bytes.IndexByte(l.buf[scanned:], '\n')
		if n < 0 {
			if scanned = len(l.buf); scanned > l.max || l.skipped != nil {
				l.skip(scanned)
				scanned = 0
			}
			err := l.fill()
			if err == nil {
				continue
			}
			if err != io.EOF || len(l.buf) == 0 && l.skipped == nil {
				return l.ended(err)
			}
			n, scanned = len(l.buf), 0
		} else {
			n, scanned = scanned+n+1, 0
		}
		line := l.line
		if n > l.max+1 || l.skipped != nil {
			l.skip(n)
			p := *l.skipped
			l.skipped = nil
			return p, nil
		}
		content := l.take(n)
		content = bytes.TrimSuffix(bytes.TrimSuffix(content, []byte{'\n'}), []byte{'\r'})
		if len(bytes.TrimSpace(content)) == 0 {
			continue
		}
		return piece{content: content, line: line, err: l.encoding.Check(content)}, nil
	}
}

// skip drops n bytes of a line that is too long, and keeps its beginning.
func (l *lines) skip(n int) {
	if l.skipped == nil {
		l.skipped = &piece{content: bytes.Clone(l.buf[:min(excerpt, l.max)]), line: l.line, err: errTooLong(l.max)}
	}
	l.take(n)
}
