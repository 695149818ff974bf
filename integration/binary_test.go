//go:build integration

package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
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
	t.Cleanup(func() { p.kill() })
	return p
}

// kill is a `kill -9`.
func (p *pipeline) kill() {
	_ = p.Process.Kill()
	p.done <- <-p.done
}

// finish waits for a pipeline that ends by itself, and gives its log.
func (p *pipeline) finish(t testing.TB, limit time.Duration) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	select {
	case err := <-p.done:
		p.done <- err
		require.NoError(t, err, "%s", &p.log)
		return p.log.String()
	case <-ctx.Done():
		p.kill()
		t.Fatalf("still running after %s:\n%s", limit, p.log.Bytes()[max(0, p.log.Len()-4000):])
		return ""
	}
}
