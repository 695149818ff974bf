package decisions

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"time"

	"connect-deepcase/model/interpreter"
)

// format is written in each line. A reader refuses the journal of a newer one: it may mean something that an older program would get wrong.
const format = 1

// maxLine bounds a line: a context of 1,000 names of 4 KiB, and a reason.
const maxLine = 8 << 20

// maxText bounds By, Reason and Version, in bytes.
const maxText = 4096

// What callers can tell apart.
var (
	// ErrNewerFormat says that a newer program wrote the journal.
	ErrNewerFormat = errors.New("was written by a newer program: update this one")
	// ErrNoDecision says that no answer or mute has a number.
	ErrNoDecision = errors.New("the journal has no answer or mute of this number")
	// ErrUndone says that a decision was taken back before.
	ErrUndone = errors.New("it was undone before")
)

// record is a line of the journal. What a fold needs comes first, what people read comes after it. quickly knows the order of the fields.
type record struct {
	Format  int        `json:"format"`
	Number  uint64     `json:"number"`
	More    int        `json:"more,omitempty"` // lines that follow of those that were appended together: all of them count, or none
	At      time.Time  `json:"at"`
	Kind    Kind       `json:"kind"`
	By      string     `json:"by,omitempty"`
	Key     string     `json:"key,omitempty"`
	Scope   Scope      `json:"scope,omitempty"`
	Score   *float64   `json:"score,omitempty"`
	Until   *time.Time `json:"until,omitempty"`
	Undoes  uint64     `json:"undoes,omitempty"`
	Cluster *int       `json:"cluster,omitempty"`
	Version string     `json:"version,omitempty"`
	Old     *float64   `json:"old,omitempty"`
	Reason  string     `json:"reason,omitempty"`
	Event   string     `json:"event,omitempty"`
	Machine string     `json:"machine,omitempty"`
	Context []*string  `json:"context,omitempty"` // nil for NO_EVENT
}

var table = crc32.MakeTable(crc32.Castagnoli)

// A line ends with the CRC-32C of what is before the comma of this field.
const (
	checksumField = `,"crc32c":"`
	checksumEnd   = `"}`
	checksumSize  = len(checksumField) + 8 + len(checksumEnd)
)

// appendLine appends d as a line of the journal; more lines that belong to it follow.
func appendLine(to []byte, d Decision, more int) ([]byte, error) {
	r := record{Format: format, Number: d.Number, More: more, At: d.At.UTC(), Kind: d.Kind, By: d.By, Reason: d.Reason, Undoes: d.Undoes}
	if !d.Until.IsZero() {
		until := d.Until.UTC()
		r.Until = &until
	}
	switch d.Kind {
	case Answer, Mute:
		r.Key, r.Scope, r.Event, r.Machine = d.Key.String(), d.Scope, d.Subject.Event, d.Subject.Machine
		for _, name := range d.Subject.Context {
			if name == "" {
				r.Context = append(r.Context, nil)
			} else {
				r.Context = append(r.Context, &name)
			}
		}
		if d.Kind == Answer {
			r.Score = &d.Score
		}
	case Cluster:
		r.Score, r.Cluster, r.Version, r.Old, r.Event = &d.Score, &d.Cluster, d.Version, d.Old, d.Subject.Event
	}
	var line bytes.Buffer
	out := json.NewEncoder(&line)
	out.SetEscapeHTML(false)
	if err := out.Encode(r); err != nil {
		return to, err
	}
	text := bytes.TrimSuffix(line.Bytes(), []byte("}\n"))
	if len(text)+checksumSize > maxLine {
		return to, fmt.Errorf("decision of %d bytes: need at most %d", len(text), maxLine-checksumSize)
	}
	to = append(to, text...)
	to = append(to, checksumField...)
	to = fmt.Appendf(to, "%08x", crc32.Checksum(text, table))
	return append(to, checksumEnd+"\n"...), nil
}

// checked gives what the checksum of a line is of.
func checked(line []byte) (content []byte, err error) {
	line = bytes.TrimSuffix(line, []byte("\n"))
	at := len(line) - checksumSize
	if at < 0 || !bytes.HasPrefix(line[at:], []byte(checksumField)) || !bytes.HasSuffix(line, []byte(checksumEnd)) {
		return nil, errors.New("no checksum at its end")
	}
	var sum [4]byte
	if _, err := hex.Decode(sum[:], line[at+len(checksumField):len(line)-len(checksumEnd)]); err != nil || binary.BigEndian.Uint32(sum[:]) != crc32.Checksum(line[:at], table) {
		return nil, errors.New("its checksum is wrong")
	}
	return line[:at], nil
}

func wrongFormat(is int) error {
	if is > format {
		return fmt.Errorf("format %d, this program knows %d: it %w", is, format, ErrNewerFormat)
	}
	return fmt.Errorf("format %d: need %d", is, format)
}

// parseLine reads a line, and how many lines follow that belong to it. If a newer program wrote it, errors.Is(err, ErrNewerFormat).
func parseLine(line []byte, d *Decision) (more int, err error) {
	if _, err := checked(line); err != nil {
		return 0, err
	}
	var r record
	if err := json.Unmarshal(line, &r); err != nil {
		return 0, err
	}
	if r.Format != format {
		return 0, wrongFormat(r.Format)
	}
	*d, err = r.decision()
	return r.More, err
}

func (r *record) decision() (d Decision, err error) {
	d = Decision{Number: r.Number, At: r.At, Kind: r.Kind, By: r.By, Reason: r.Reason, Scope: r.Scope, Undoes: r.Undoes, Version: r.Version, Old: r.Old,
		Subject: Subject{Event: r.Event, Machine: r.Machine}}
	if r.Until != nil {
		d.Until = *r.Until
	}
	switch {
	case r.Score != nil:
		d.Score = *r.Score
	case r.Kind == Answer || r.Kind == Cluster: // 0 would be benign
		return d, errors.New("no score")
	}
	if r.At.IsZero() {
		return d, errors.New("no time")
	}
	if r.Cluster != nil {
		d.Cluster = *r.Cluster
	}
	if r.Key != "" {
		if d.Key, err = ParseKey(r.Key); err != nil {
			return d, err
		}
	}
	for _, name := range r.Context {
		if name == nil {
			d.Subject.Context = append(d.Subject.Context, "")
		} else {
			d.Subject.Context = append(d.Subject.Context, *name)
		}
	}
	return d, d.Validate()
}

// Validate says what is wrong with a decision, whoever made it. It does not look at Number and At, which Append gives.
func (d *Decision) Validate() error {
	for _, field := range []struct{ name, text string }{{"by", d.By}, {"reason", d.Reason}, {"version", d.Version}} {
		if len(field.text) > maxText {
			return fmt.Errorf("%s has %d bytes: need at most %d", field.name, len(field.text), maxText)
		}
	}
	switch d.Kind {
	case Answer, Mute:
		if _, err := ParseScope(string(d.Scope)); err != nil {
			return err
		}
		if d.Key == (Key{}) {
			return fmt.Errorf("%s: need a pattern", d.Kind)
		}
		if d.Kind == Mute && (d.Reason == "" || d.Until.IsZero()) {
			return errors.New("mute: need a reason and an expiry")
		}
	case Cluster:
		if d.Cluster < 0 || d.Version == "" {
			return fmt.Errorf("cluster %d of version %q: need a number of at least 0, and the version that has the score", d.Cluster, d.Version)
		}
	case Undo:
		if d.Undoes == 0 {
			return errors.New("undo: need the number of a decision")
		}
	default:
		return fmt.Errorf("kind %q: need one of %s, %s, %s, %s", d.Kind, Answer, Mute, Cluster, Undo)
	}
	withdrawn := d.Kind == Cluster && d.Score == interpreter.NoScore
	if math.IsNaN(d.Score) || math.IsInf(d.Score, 0) || d.Score < 0 && !withdrawn {
		return fmt.Errorf("score %v: need a number of at least 0", d.Score)
	}
	return nil
}
