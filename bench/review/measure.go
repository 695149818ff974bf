//go:build linux

package main

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// measured is what a page with many questions does; times are in ms.
type measured struct {
	queue, question, cases, decision, sync []float64
	queueBytes, static                     int
	resident                               int64 // MB
	open                                   int
}

var openCount = regexp.MustCompile(`data-open[^>]*>([^<]+)<`)

func unpack(text []byte, encoding string) ([]byte, error) {
	if encoding != "gzip" {
		return text, nil
	}
	r, err := gzip.NewReader(bytes.NewReader(text))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// packed is the size of what was sent, compressed here if the server does not compress.
func packed(text []byte, encoding string) int {
	if encoding == "gzip" {
		return len(text)
	}
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, _ = w.Write(text) // a buffer takes everything
	_ = w.Close()
	return out.Len()
}

// digit leaves out what the page writes between groups of digits.
func digit(r rune) rune {
	if r < '0' || r > '9' {
		return -1
	}
	return r
}

func (s *server) measure(n int) (m measured, err error) {
	text, encoding, _, err := s.do("GET", "/queue", "")
	if err != nil {
		return m, err
	}
	m.queueBytes = packed(text, encoding)
	page, err := unpack(text, encoding)
	if err != nil {
		return m, err
	}
	if found := openCount.FindSubmatch(page); found != nil {
		m.open, _ = strconv.Atoi(strings.Map(digit, string(found[1])))
	}
	if m.open < questions {
		return m, fmt.Errorf("%d questions are open, need %d", m.open, questions)
	}
	for _, found := range asset.FindAllSubmatch(page, -1) {
		text, encoding, _, err := s.do("GET", string(found[1]), "")
		if err != nil {
			return m, err
		}
		m.static += packed(text, encoding)
	}
	if m.static == 0 {
		return m, errors.New("/queue names no script and no style")
	}
	for range n {
		took, err := s.ask("/queue")
		if err != nil {
			return m, err
		}
		m.queue = append(m.queue, took)
	}
	if m.question, err = s.each("/queue?view=all", "/questions/", "", n); err != nil {
		return m, err
	}
	if m.cases, err = s.each("/queue?view=cases", "/cases/", "k", n); err != nil {
		return m, err
	}
	for len(m.decision) < n {
		took, err := s.decide()
		if errors.Is(err, errBusy) {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if err != nil {
			return m, err
		}
		if took == 0 {
			return m, errors.New("nothing is open that can be decided")
		}
		m.decision = append(m.decision, took)
		if took, err = s.sync(); err != nil {
			return m, err
		}
		m.sync = append(m.sync, took)
	}
	m.resident = memory(s.process.Process.Pid, "VmRSS:") * 1024 / 1e6
	return m, nil
}

// sync appends a few bytes to a file beside the journal and says how many ms it takes until the disk has them: the least that a decision takes.
func (s *server) sync() (took float64, err error) {
	file, err := os.OpenFile(filepath.Join(s.process.Dir, "sync"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, err
	}
	began := time.Now()
	_, err = file.WriteString("as long as a line of the journal, about so long, that is some two hundred bytes of text in JSON with its checksum at the end of the line\n")
	err = errors.Join(err, file.Sync())
	took = float64(time.Since(began).Microseconds()) / 1000
	return took, errors.Join(err, file.Close())
}

// each asks for the pages of the items of a view, in turn.
func (s *server) each(view, path, prefix string, n int) (times []float64, err error) {
	text, encoding, _, err := s.do("GET", view, "")
	if err != nil {
		return nil, err
	}
	page, err := unpack(text, encoding)
	if err != nil {
		return nil, err
	}
	var ids []string
	for _, row := range rows.FindAllSubmatch(page, -1) {
		if id := string(row[1]); strings.HasPrefix(id, "k") == (prefix == "k") {
			ids = append(ids, id)
		}
	}
	if len(ids) == 0 {
		return nil, fmt.Errorf("%s lists nothing for %s", view, path)
	}
	for i := range n {
		took, err := s.ask(path + ids[i%len(ids)])
		if err != nil {
			return nil, err
		}
		times = append(times, took)
	}
	return times, nil
}
