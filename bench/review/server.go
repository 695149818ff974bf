//go:build linux

package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

// server is a process that serves the page.
type server struct {
	url     string
	process *exec.Cmd
	log     bytes.Buffer // read it after the end
	most    atomic.Int64 // kB
	done    chan struct{}
	failed  error
	lived   time.Duration

	question, oneCase string // paths of one that there is, "" for none
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// pipeline reads a file into the output deepcase_review on so many cores, 0 for all.
func (b *bench) pipeline(ctx context.Context, folder, alerts string, cores int) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	config := fmt.Sprintf(`
http: { enabled: false }
logger: { level: WARN }
input:
  deepcase_files: { paths: [ %q ], batch_size: 1000 }
output:
  deepcase_review:
    model: model
    store: store
    timestamp: ${! json("time") }
    address: 127.0.0.1:%d
    rate: 1000000
    max_in_flight: 8
`, alerts, port)
	path := filepath.Join(folder, "review.yaml")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		return nil, err
	}
	return b.start(ctx, folder, cores, "run", path).begin(port)
}

// review serves what a pipeline left.
func (b *bench) review(ctx context.Context, folder string) (*server, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	return b.start(ctx, folder, 0, "deepcase", "review", "--model", "model", "--store", "store", "--listen", fmt.Sprintf("127.0.0.1:%d", port)).begin(port)
}

func (s *server) begin(port int) (*server, error) {
	s.url, s.done = fmt.Sprintf("http://127.0.0.1:%d", port), make(chan struct{})
	began := time.Now()
	if err := s.process.Start(); err != nil {
		return nil, err
	}
	go func() {
		for !s.ended() {
			s.most.Store(max(s.most.Load(), memory(s.process.Process.Pid, "VmHWM:")))
			time.Sleep(20 * time.Millisecond)
		}
	}()
	go func() {
		if err := s.process.Wait(); err != nil {
			s.failed = fmt.Errorf("%w: %s", err, &s.log)
		}
		s.lived = time.Since(began)
		close(s.done)
	}()
	return s, nil
}

func (s *server) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// ending says whether a request failed because the program had read all and stopped, which closes its port before the process ends.
func (s *server) ending() bool {
	select {
	case <-s.done:
		return true
	case <-time.After(10 * time.Second):
		return false
	}
}

func (s *server) kill() {
	_ = s.process.Process.Kill()
	<-s.done
}

// peak is the most memory that the process had, in MB.
func (s *server) peak() int64 { return s.most.Load() * 1024 / 1e6 }

// memory is a figure of a process in kB, 0 if it has ended.
func memory(pid int, name string) (kB int64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if _, value, found := strings.Cut(string(status), name); err == nil && found {
		_, _ = fmt.Sscan(value, &kB)
	}
	return kB
}

// wait waits until the page answers.
func (s *server) wait(ctx context.Context) error {
	for {
		if _, err := s.ask("/queue"); err == nil {
			return nil
		}
		if s.ended() {
			return errors.Join(errors.New("the program has ended before the page answered"), s.failed)
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// errBusy is the answer to a client that asks too often.
var errBusy = errors.New("too many requests")

// do is an answer and how many ms it took. Its body is as it was sent: compressed, if the server compresses.
func (s *server) do(method, path, body string) (text []byte, encoding string, took float64, err error) {
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		return nil, "", 0, err
	}
	r.Header.Set("Accept-Encoding", "gzip")
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	began := time.Now()
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, "", 0, err
	}
	defer answer.Body.Close()
	text, err = io.ReadAll(answer.Body)
	took = float64(time.Since(began).Microseconds()) / 1000
	switch {
	case err != nil:
		return nil, "", 0, err
	case answer.StatusCode == http.StatusTooManyRequests:
		return nil, "", 0, errBusy
	case answer.StatusCode == http.StatusConflict && method == http.MethodPost:
		return nil, "", 0, nil // more patterns have come to the question meanwhile
	case answer.StatusCode != http.StatusOK:
		plain, _ := unpack(text, answer.Header.Get("Content-Encoding"))
		return nil, "", 0, fmt.Errorf("%s %s: %s: %.300s", method, path, answer.Status, plain)
	}
	return text, answer.Header.Get("Content-Encoding"), took, nil
}

// ask gets a page and says how many ms it took.
func (s *server) ask(path string) (took float64, err error) {
	if path == "" {
		return 0, nil
	}
	for {
		text, encoding, took, err := s.do(http.MethodGet, path, "")
		if errors.Is(err, errBusy) {
			time.Sleep(100 * time.Millisecond)
			continue
		}
		if err != nil {
			return 0, err
		}
		if strings.HasPrefix(path, "/queue") {
			err = s.look(text, encoding)
		}
		return took, err
	}
}

var (
	rows  = regexp.MustCompile(`<tr[^>]*\bdata-key="([^"]+)"[^>]*\bdata-rev="([^"]*)"`)
	asset = regexp.MustCompile(`(?:src|href)="(/static/[^"]+\.(?:js|css)[^"]*)"`)
)

// look finds a question and a case in the queue.
func (s *server) look(text []byte, encoding string) error {
	page, err := unpack(text, encoding)
	for _, row := range rows.FindAllSubmatch(page, -1) {
		if id := string(row[1]); strings.HasPrefix(id, "k") {
			s.oneCase = "/cases/" + id
		} else {
			s.question = "/questions/" + id
		}
	}
	return err
}

// decide scores the first question of the queue 0 and says how many ms it took, 0 if there is none or it has changed meanwhile.
func (s *server) decide() (float64, error) {
	text, encoding, _, err := s.do(http.MethodGet, "/queue?view=unsure", "")
	if err != nil {
		return 0, err
	}
	page, err := unpack(text, encoding)
	if err != nil {
		return 0, err
	}
	for _, row := range rows.FindAllSubmatch(page, -1) {
		return s.score(string(row[1]), string(row[2]))
	}
	return 0, nil
}

func (s *server) score(id, rev string) (float64, error) {
	body, err := json.Marshal(map[string]any{"items": []any{map[string]string{"id": id, "rev": rev}}, "action": "score", "score": 0, "confirm": true})
	if err != nil {
		return 0, err
	}
	for {
		_, _, took, err := s.do(http.MethodPost, "/api/decisions", string(body))
		if !errors.Is(err, errBusy) {
			return took, err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// kind names a page by its path.
func kind(path string) string {
	switch {
	case strings.HasPrefix(path, "/questions/"):
		return "question"
	case strings.HasPrefix(path, "/cases/"):
		return "case"
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "?")
	return name
}
