package spool

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"time"
)

// Record is an event as it is spooled.
type Record struct {
	Machine   string          `json:"machine,omitempty"`
	Event     string          `json:"event"`
	Seconds   int64           `json:"s,omitempty"` // since 1970
	Nanos     int64           `json:"n,omitempty"`
	ID        string          `json:"id,omitempty"`
	Score     *float64        `json:"score,omitempty"`
	Refused   string          `json:"refused,omitempty"`   // why the event's label was refused
	Context   []string        `json:"context,omitempty"`   // where the event came with one, "" for NO_EVENT
	Templates string          `json:"templates,omitempty"` // beginning of the checksum of those that named the event
	Document  json.RawMessage `json:"document,omitempty"`
}

// Time is when the event happened.
func (r *Record) Time() time.Time { return time.Unix(r.Seconds, r.Nanos).UTC() }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is the end of a line that begins with these bytes.
func checksum(line []byte) []byte {
	return fmt.Appendf(nil, `,"crc":"%08x"}`+"\n", crc32.Checksum(line, castagnoli))
}

// appendLine appends a record as a line of JSON. Its last member is crc, the CRC-32C of all bytes of the line before the comma in front of
// it, in eight hexadecimal digits.
func appendLine(lines *bytes.Buffer, r *Record) error {
	start := lines.Len()
	encoder := json.NewEncoder(lines)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		return err
	}
	lines.Truncate(lines.Len() - len("}\n"))
	lines.Write(checksum(lines.Bytes()[start:]))
	return nil
}

// parseLine reads a line back. Lines of older versions have no checksum.
func parseLine(line []byte, checked bool) (r Record, err error) {
	if checked {
		at := bytes.LastIndexByte(line, ',')
		if at < 0 || !bytes.Equal(line[at:], checksum(line[:at])) {
			return r, errors.New("its checksum is wrong")
		}
	}
	if err := json.Unmarshal(line, &r); err != nil {
		return r, fmt.Errorf("it is no record: %w", err)
	}
	if r.Event == "" {
		return r, errors.New("it has no event")
	}
	return r, nil
}
