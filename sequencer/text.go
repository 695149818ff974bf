package sequencer

import (
	"bufio"
	"cmp"
	"errors"
	"io"
	"strconv"
	"strings"
	"time"

	"connect-deepcase/internal/field"
	"connect-deepcase/internal/textfile"
)

// text reads one machine per line.
func (r *reader) text(in *bufio.Reader) error {
	for line := 1; !r.full(); line++ {
		text, err := textfile.ReadLine(in, r.most)
		events := string(text)
		if err != nil && err != io.EOF {
			return r.wrong(line, "", err)
		}
		if events == "" {
			return nil
		}
		if strings.Contains(strings.TrimRight(events, "\r\n"), "\r") {
			return r.wrong(line, "", errors.New("has a line end of CR alone, so that machines would become one: want LF or CRLF"))
		}
		number := r.rows
		if r.opts.PerFile {
			number = line - 1
		}
		machine := r.prefix + strconv.Itoa(number)
		for event := range strings.FieldsSeq(events) {
			if err := cmp.Or(r.decoded(event), field.Event(event)); err != nil {
				return r.wrong(line, "event", err)
			}
			r.table.Append(Event{Machine: machine, Name: event, Time: time.Unix(r.events, 0)})
			r.events++
		}
		r.rows++
	}
	return nil
}
