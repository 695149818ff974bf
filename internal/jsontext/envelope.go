package jsontext

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Envelopes are shapes of objects around an array of documents.
type Envelopes []shape

type shape struct {
	first []byte   // the first key, as JSON
	path  [][]byte // the keys that lead to the array
	more  bool     // whether the object may have more than the array
}

// DefaultEnvelopes are those of AWS CloudTrail and others, of findings of AWS, of answers of Elasticsearch and OpenSearch, and of Microsoft Graph.
func DefaultEnvelopes() []string {
	return []string{"Records", "records", "Findings", "took:hits.hits", "hits:hits.hits", "@odata.context:value"}
}

// ParseEnvelopes reads shapes. KEY is an object that has the array at that key, and nothing else. FIRST:PATH is an object whose first key is
// FIRST, and that has the array at a path of keys with dots between them. It may have more, which is left out.
func ParseEnvelopes(texts []string) (Envelopes, error) {
	var e Envelopes
	for _, text := range texts {
		s := shape{}
		keys := []string{text}
		first := text
		if at := strings.LastIndexByte(text, ':'); at >= 0 {
			s.more = true
			first, keys = text[:at], strings.Split(text[at+1:], ".")
		}
		if first == "" || slices.Contains(keys, "") {
			return nil, fmt.Errorf("%q: want the key of an array (Records), or the first key of an object and the path of its array (took:hits.hits)", text)
		}
		s.first = asJSON(first)
		for _, key := range keys {
			s.path = append(s.path, asJSON(key))
		}
		e = append(e, s)
	}
	return e, nil
}

func asJSON(key string) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(key) // a text can always be
	return bytes.TrimSpace(b.Bytes())
}

// Envelope is an object around an array of documents.
type Envelope struct {
	Start   int  // where its array begins: the number of bytes up to it, with its bracket. 0 if there is no envelope
	Objects int  // how many objects are around the array
	More    bool // whether other values of these objects are left out
}

// Match reports whether a text, which begins with a value, begins with an envelope. If whole is false, more text has to come before it can tell.
func (e Envelopes) Match(text []byte) (found Envelope, whole bool) {
	c := cursor{text: text}
	if !c.skip('{') {
		return Envelope{}, !c.short
	}
	key := c.key()
	if key == nil {
		return Envelope{}, !c.short
	}
	whole = true
	for _, s := range e {
		if !bytes.Equal(s.first, key) {
			continue
		}
		c := cursor{text: text}
		if s.find(&c) {
			return Envelope{c.at, len(s.path), s.more}, true
		}
		whole = whole && !c.short
	}
	return Envelope{}, whole
}

// find moves the cursor to the first document.
func (s shape) find(c *cursor) bool {
	for _, key := range s.path {
		if !c.skip('{') {
			return false
		}
		for {
			have := c.key()
			if have == nil || !c.skip(':') {
				return false
			}
			if bytes.Equal(have, key) {
				break
			}
			if !s.more || !c.value() || !c.skip(',') {
				return false
			}
		}
	}
	return c.skip('[')
}

// cursor reads JSON step by step. Each step is false if the text has something else, or ends: then short is set.
type cursor struct {
	text  []byte
	at    int
	short bool
}

func (c *cursor) space() bool {
	for c.at < len(c.text) && strings.IndexByte(" \t\r\n", c.text[c.at]) >= 0 {
		c.at++
	}
	c.short = c.at == len(c.text)
	return !c.short
}

func (c *cursor) skip(b byte) bool {
	if !c.space() || c.text[c.at] != b {
		return false
	}
	c.at++
	return true
}

// key is a text with its quotes.
func (c *cursor) key() []byte {
	if !c.space() || c.text[c.at] != '"' {
		return nil
	}
	start := c.at
	if end, _, ok := quoted(c.text, start+1); ok {
		c.at = end
	} else if !c.value() {
		return nil
	}
	return c.text[start:c.at]
}

func (c *cursor) value() bool {
	if !c.space() {
		return false
	}
	var s Scan
	n, done, err := s.Feed(c.text[c.at:])
	c.short = err == nil && !done
	c.at += n
	return done
}
