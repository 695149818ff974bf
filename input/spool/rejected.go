package spool

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"unicode/utf8"
)

// mostRejected bounds the bytes of a file of rejected messages; there are at most two.
const mostRejected = 32 << 20

// Rejected is a message that no event could be read from.
type Rejected struct {
	Error   string `json:"error"`
	Text    string `json:"text,omitempty"`    // its content
	Content []byte `json:"content,omitempty"` // its content in base64, where it is not UTF-8
}

// NewRejected is a message's content and why it was rejected.
func NewRejected(content []byte, cause error) Rejected {
	if utf8.Valid(content) {
		return Rejected{Error: cause.Error(), Text: string(content)}
	}
	return Rejected{Error: cause.Error(), Content: content}
}

// Reject keeps messages that no event could be read from in rejected.ndjson, for a person to look at. When that is full it becomes
// rejected.1.ndjson, whose messages go.
func (s *Spool) Reject(messages []Rejected) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	path := filepath.Join(s.dir, "rejected.ndjson")
	if info, err := os.Stat(path); err == nil && info.Size() > mostRejected {
		if err := os.Rename(path, filepath.Join(s.dir, "rejected.1.ndjson")); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(file)
	for _, m := range messages {
		if err := encoder.Encode(m); err != nil {
			return errors.Join(err, file.Close())
		}
	}
	return errors.Join(file.Sync(), file.Close())
}
