//go:build integration

package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// binary is the whole distribution: BINARY, or built here.
var binary = sync.OnceValues(func() (string, error) {
	if b := os.Getenv("BINARY"); b != "" {
		return filepath.Abs(b)
	}
	b := filepath.Join(os.TempDir(), fmt.Sprintf("connect-deepcase-%d", os.Getpid()))
	if out, err := exec.Command("go", "build", "-o", b, "../cmd/connect-deepcase").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w: %s", err, out)
	}
	built = b
	return b, nil
})

// built is what TestMain removes.
var built string

// pipeline is a running process of the distribution.
type pipeline struct {
	*exec.Cmd
	log  bytes.Buffer
	done chan error
	most atomic.Int64 // kB of memory
}

// begin runs a configuration in a folder, with these variables.
func begin(t testing.TB, config, folder string, variables map[string]string) *pipeline {
	t.Helper()
	b, err := binary()
	require.NoError(t, err)
	config, err = filepath.Abs(config)
	require.NoError(t, err)
	p := &pipeline{Cmd: exec.Command(b, "run", config), done: make(chan error, 1)}
	p.Dir, p.Stdout, p.Stderr = folder, &p.log, &p.log
	p.Env = os.Environ()
	variables["HTTP_PORT"] = fmt.Sprint(freePort(t))
	for name, value := range variables {
		p.Env = append(p.Env, name+"="+value)
	}
	p.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	require.NoError(t, p.Start())
	go func() { p.done <- p.Wait() }()
	go p.watch()
	t.Cleanup(func() { p.kill() })
	return p
}

// watch follows the peak of the memory for as long as the process lives.
func (p *pipeline) watch() {
	for {
		kB := residentPeak(p.Process.Pid)
		if kB == 0 {
			return
		}
		p.most.Store(kB)
		time.Sleep(20 * time.Millisecond)
	}
}

// residentPeak is the most resident memory that a process had, in kB; 0 when it has ended. Rusage would count in what its parent had.
func residentPeak(pid int) (kB int64) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if _, peak, found := strings.Cut(string(status), "VmHWM:"); err == nil && found {
		_, _ = fmt.Sscan(peak, &kB)
	}
	return kB
}

// peak is the most memory that the process had, in MB.
func (p *pipeline) peak() int { return int(p.most.Load() / 1024) }

// deepcase runs one mode of the command line in a folder.
func deepcase(t testing.TB, folder string, arguments ...string) {
	t.Helper()
	b, err := binary()
	require.NoError(t, err)
	command := exec.CommandContext(t.Context(), b, append([]string{"deepcase"}, arguments...)...)
	command.Dir = folder
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// kill is a `kill -9`.
func (p *pipeline) kill() {
	_ = p.Process.Kill()
	p.done <- <-p.done
}

// finish waits for a pipeline that ends by itself.
func (p *pipeline) finish(t testing.TB, limit time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	select {
	case err := <-p.done:
		p.done <- err
		require.NoError(t, err, "%s", &p.log)
	case <-ctx.Done():
		p.kill()
		t.Fatalf("still running after %s:\n%s", limit, p.log.Bytes()[max(0, p.log.Len()-4000):])
	}
}
