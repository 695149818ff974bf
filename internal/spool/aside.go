package spool

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"connect-deepcase/internal/disk"
)

// Files beside the segments, for people to read.
const (
	RejectedFile = "rejected.ndjson" // messages that no event could be read from
	DamagedFile  = "damaged.ndjson"  // what the last reading found damaged, of those that found any

	fullRejectedFile = "rejected.1.ndjson"
)

// Bounds of what is set aside, in bytes.
const (
	maxAside   = 32 << 20 // of each file
	maxContent = 64 << 10 // of a message
)

// Rejected is a message that no event could be read from.
type Rejected struct {
	Error   string `json:"error"`
	Text    string `json:"text,omitempty"`    // its content
	Content []byte `json:"content,omitempty"` // its content in base64, where it is not UTF-8
	Bytes   int    `json:"bytes,omitempty"`   // of its content, where only the first 65,536 are kept
}

// NewRejected is a message's content and why it was rejected.
func NewRejected(content []byte, cause error) Rejected {
	r := Rejected{Error: cause.Error()}
	if len(content) > maxContent {
		r.Bytes = len(content)
		content = content[:maxContent]
	}
	if text := strings.ToValidUTF8(string(content), ""); utf8.Valid(content) || r.Bytes > 0 && len(content)-len(text) < utf8.UTFMax {
		r.Text = text // less the letter that was cut
	} else {
		r.Content = append([]byte(nil), content...)
	}
	return r
}

// Reject appends messages that no event could be read from to RejectedFile. A full file is renamed to rejected.1.ndjson and replaces the
// previous one, so that the last 32 to 64 MiB are kept.
func (s *Spool) Reject(messages []Rejected) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []byte
	for _, m := range messages {
		line, err := json.Marshal(m)
		if err != nil {
			return err
		}
		if len(lines)+len(line) >= maxAside {
			if err := s.reject(lines); err != nil {
				return err
			}
			lines = lines[:0]
		}
		lines = append(append(lines, line...), '\n')
	}
	return s.reject(lines)
}

// reject appends lines, at most maxAside bytes, to RejectedFile.
func (s *Spool) reject(lines []byte) error {
	path := filepath.Join(s.dir, RejectedFile)
	info, err := os.Stat(path)
	fresh := err != nil
	if err == nil && info.Size()+int64(len(lines)) > maxAside {
		fresh = true
		if err := os.Rename(path, filepath.Join(s.dir, fullRejectedFile)); err != nil {
			return err
		}
	}
	file, err := disk.OpenOwn(path, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return err
	}
	_, err = file.Write(lines)
	if err = errors.Join(err, file.Sync(), file.Close()); err == nil && fresh {
		err = disk.SyncDir(s.dir)
	}
	return err
}

// damagedFile writes DamagedFile. It creates the file at the first damaged line.
type damagedFile struct {
	file  *os.File
	bytes int
}

// add keeps a line of a segment, unless the file is full.
func (d *damagedFile) add(dir string, g segment, offset int64, line []byte, cause error) (err error) {
	if d.file == nil {
		if d.file, err = disk.OpenOwn(filepath.Join(dir, DamagedFile), os.O_WRONLY|os.O_TRUNC); err != nil {
			return err
		}
	}
	content, err := json.Marshal(struct {
		Segment string `json:"segment"`
		Offset  int64  `json:"offset"`
		Rejected
	}{g.name(), offset, NewRejected(line, cause)})
	if err != nil {
		return err
	}
	if d.bytes += len(content) + 1; d.bytes > maxAside {
		return nil
	}
	_, err = d.file.Write(append(content, '\n'))
	return err
}

func (d *damagedFile) close(dir string) error {
	if d.file == nil {
		return nil
	}
	return errors.Join(d.file.Sync(), d.file.Close(), disk.SyncDir(dir))
}
