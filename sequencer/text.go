package sequencer

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"time"

	"connect-deepcase/internal/field"
	"connect-deepcase/internal/textfile"
)

// text reads a machine a line.
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
		number := r.rows
		if r.opts.PerFile {
			number = line - 1
		}
		machine := r.prefix + strconv.Itoa(number)
		for event := range strings.FieldsSeq(events) {
			if err := field.Event(event); err != nil {
				return r.wrong(line, "event", err)
			}
			r.table.Append(Event{Machine: machine, Name: event, Time: time.Unix(r.events, 0)})
			r.events++
		}
		r.rows++
	}
	return nil
}
