//go:build integration

// Package integration tests against real servers, which it starts on loopback and stops again: see servers/.
package integration

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// server is a process of one of the servers. It keeps its port and its data when it is stopped and started again.
type server struct {
	name    string
	port    int
	data    string
	process *exec.Cmd
	log     *os.File
}

func (s *server) address() string { return fmt.Sprintf("127.0.0.1:%d", s.port) }
func (s *server) url() string     { return "http://" + s.address() }

// startLimit is for a machine that is busy; about 7 s are usual.
const startLimit = 2 * time.Minute

// kind is the name without the version.
func (s *server) kind() string { return strings.TrimRight(s.name, "0123456789") }

// folder is where servers are; this one is downloaded if need be.
func folder(name string) (string, error) {
	command := exec.Command("servers/setup.sh", name)
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("servers/setup.sh: %w: %s", err, stderr.Bytes())
	}
	return strings.TrimSpace(string(out)), nil
}

// need skips a test where a program is missing; where CI is set it fails.
func need(t testing.TB, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if os.Getenv("CI") != "" {
			t.Fatalf("%s is missing", p)
		}
		t.Skipf("%s is missing: this server cannot be run", p)
	}
}

// launch runs a server of its own for a test.
func launch(t testing.TB, name string) *server {
	t.Helper()
	s := prepare(t, name, t.TempDir())
	s.start(t)
	t.Cleanup(func() { s.stop(t) })
	return s
}

func prepare(t testing.TB, name, data string) *server {
	t.Helper()
	if name == "redis" {
		need(t, "redis-server")
	} else {
		need(t, "java", "javac", "mvn")
	}
	return &server{name: name, port: freePort(t), data: data}
}

// freePort finds a port that is free together with the next one, which Kafka takes too.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		first, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		port := first.Addr().(*net.TCPAddr).Port
		second, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port+1))
		require.NoError(t, first.Close())
		if err == nil {
			require.NoError(t, second.Close())
			return port
		}
	}
	t.Fatal("no free ports")
	return 0
}

// start runs the server and waits until it answers.
func (s *server) start(t testing.TB) {
	t.Helper()
	begin := time.Now()
	require.NoError(t, s.run())
	t.Logf("%s ready on port %d after %s", s.name, s.port, time.Since(begin).Round(100*time.Millisecond))
}

func (s *server) run() (err error) {
	where := ""
	if s.name != "redis" {
		if where, err = folder(s.name); err != nil {
			return err
		}
	}
	if s.log, err = os.OpenFile(filepath.Join(s.data, "output.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return err
	}
	s.process = exec.Command("servers/run.sh", where, s.name, strconv.Itoa(s.port), s.data)
	s.process.Stdout, s.process.Stderr = s.log, s.log
	// Its own group, so that an interrupt at the terminal comes to the tests alone; it ends when they do, however that happens.
	s.process.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	begin := time.Now()
	if err := s.process.Start(); err != nil {
		return err
	}
	for !s.ready() {
		if time.Since(begin) > startLimit || syscall.Kill(s.process.Process.Pid, 0) != nil {
			text, _ := os.ReadFile(s.log.Name())
			s.kill()
			return fmt.Errorf("%s was not ready after %s:\n%s", s.name, time.Since(begin), text[max(0, len(text)-4000):])
		}
		time.Sleep(100 * time.Millisecond)
	}
	return nil
}

func (s *server) ready() bool {
	if s.name == "kafka" || s.name == "redis" {
		c, err := net.DialTimeout("tcp", s.address(), time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, http.MethodGet, s.url(), nil)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// away kills the server and starts it again a while later; the test goes on meanwhile, and does not end before it is back.
func (s *server) away(t testing.TB, pause time.Duration) {
	t.Helper()
	s.kill()
	back := make(chan error, 1)
	t.Cleanup(func() { require.NoError(t, <-back) })
	go func() {
		time.Sleep(pause)
		back <- s.run()
	}()
}

// stop ends the server in an orderly way, or after a while in the other one.
func (s *server) stop(t testing.TB) {
	t.Helper()
	if s.process == nil {
		return
	}
	_ = s.process.Process.Signal(syscall.SIGTERM)
	timer := time.AfterFunc(20*time.Second, func() { _ = s.process.Process.Kill() })
	s.reap()
	timer.Stop()
}

// kill ends the server at once.
func (s *server) kill() {
	if s.process != nil {
		_ = s.process.Process.Kill()
		s.reap()
	}
}

func (s *server) reap() {
	_ = s.process.Wait()
	s.process = nil
	_ = s.log.Close()
}

var (
	sharedMu sync.Mutex
	shared   = map[string]*server{}
)

// engine gives the search server that all tests of its kind share.
func engine(t testing.TB, name string) *server {
	t.Helper()
	sharedMu.Lock()
	defer sharedMu.Unlock()
	if s := shared[name]; s != nil {
		if s.process == nil {
			s.start(t)
		}
		return s
	}
	data, err := os.MkdirTemp("", "connect-deepcase-"+name) //nolint:usetesting // It outlives the first test that needs it.
	require.NoError(t, err)
	s := prepare(t, name, data)
	shared[name] = s
	s.start(t)
	return s
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, s := range shared {
		if s.process != nil {
			_ = s.process.Process.Signal(syscall.SIGTERM)
			s.reap()
		}
		_ = os.RemoveAll(s.data)
	}
	if built != "" {
		_ = os.Remove(built)
	}
	os.Exit(code)
}
