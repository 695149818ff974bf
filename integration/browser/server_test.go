//go:build browser

package browser

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// server is a running `deepcase review`.
type server struct {
	url     string // without a slash at the end
	process *exec.Cmd
	log     *logged
}

type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(text []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(text)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// serve starts the page on the model and the alerts of a folder, and waits until it answers.
func serve(t testing.TB, folder string, arguments ...string) *server {
	t.Helper()
	return serveAs(t, folder, nil, arguments...)
}

func serveAs(t testing.TB, folder string, user *syscall.Credential, arguments ...string) *server {
	t.Helper()
	b, err := binary()
	require.NoError(t, err)
	if user != nil { // who may not enter the folder of the binary
		content, err := os.ReadFile(b)
		require.NoError(t, err)
		b = filepath.Join(folder, "connect-deepcase")
		require.NoError(t, os.WriteFile(b, content, 0o755))
	}
	s := &server{log: &logged{}}
	s.process = exec.Command(b, append([]string{"deepcase", "review", "--model", "model", "--listen", "127.0.0.1:0"}, arguments...)...)
	s.process.Dir, s.process.Stderr = folder, s.log
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Credential: user}
	out, err := s.process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, s.process.Start())
	t.Cleanup(s.kill)
	first := make(chan string, 1)
	go func() {
		lines := bufio.NewScanner(out)
		lines.Scan()
		first <- lines.Text()
		_, _ = io.Copy(io.Discard, out)
	}()
	select {
	case line := <-first:
		require.True(t, strings.HasPrefix(line, "http://127.0.0.1:"), "%q %s", line, s.log)
		s.url = strings.TrimSuffix(line, "/")
	case <-time.After(2 * time.Minute):
		t.Fatalf("the page does not start: %s", s.log)
	}
	return s
}

// review starts the page as the quick start says.
func review(t testing.TB, source func() (string, error)) *server {
	t.Helper()
	return serve(t, copied(t, source), "--annotated", "annotated.ndjson", "--by", "ann")
}

// kill is a kill -9.
func (s *server) kill() {
	_ = s.process.Process.Kill()
	_ = s.process.Wait()
}

// do sends a request with these headers and returns the status and the text of the answer. Redirects are not followed.
func (s *server) do(t testing.TB, method, path, body string, headers ...string) (int, string) {
	t.Helper()
	status, text, err := s.request(method, path, body, headers...)
	require.NoError(t, err)
	return status, text
}

func (s *server) request(method, path, body string, headers ...string) (int, string, error) {
	r, err := http.NewRequest(method, s.url+path, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	for i := 0; i+1 < len(headers); i += 2 {
		if r.Header.Set(headers[i], headers[i+1]); headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	answer, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return 0, "", fmt.Errorf("%s: %w", path, err)
	}
	return answer.StatusCode, string(text), nil
}

var client = &http.Client{Timeout: time.Minute, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
