package textfile

import (
	"fmt"
	"slices"
	"strings"
)

// Header holds the names of a csv text's columns, without the spaces around them. A name may be empty.
type Header []string

// NewHeader takes the first record of a csv text.
func NewHeader(record []string) Header {
	h := make(Header, len(record))
	for i, name := range record {
		h[i] = strings.TrimSpace(name)
	}
	return h
}

// Column is the place of the column of a name, -1 if there is none. Two columns of that name are an error.
func (h Header) Column(name string) (int, error) {
	at := slices.Index(h, name)
	if at >= 0 && slices.Contains(h[at+1:], name) {
		return at, fmt.Errorf("column %q comes twice: want one", name)
	}
	return at, nil
}

// Distinct is an error if two columns have the same name. Those without a name do not count.
func (h Header) Distinct() error {
	seen := make(map[string]bool, len(h))
	for _, name := range h {
		if name != "" && seen[name] {
			_, err := h.Column(name)
			return err
		}
		seen[name] = true
	}
	return nil
}

// Width is an error if a record does not have as many columns as the header.
func (h Header) Width(record []string) error {
	if len(record) != len(h) {
		return fmt.Errorf("%d columns, the header has %d", len(record), len(h))
	}
	return nil
}
