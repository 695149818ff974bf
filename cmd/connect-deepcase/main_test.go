//go:build slim

package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// TestMain makes the test binary the program itself if a test starts it as such.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_PROGRAM") != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// program runs connect-deepcase and returns its output.
func program(t *testing.T, args ...string) string {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0], args...)
	command.Env = append(os.Environ(), "RUN_PROGRAM=1")
	out, err := command.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

func write(t *testing.T, config string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pipeline.yaml")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	return path
}

const ends = "input: { generate: { count: 1, interval: \"\", mapping: 'root = {}' } }\noutput: { drop: {} }\n"

// If port 4195 is taken, the log says so, with the same address.
func TestListensOnLoopbackByDefault(t *testing.T) {
	for name, config := range map[string]string{"no http": ends, "no address": ends + "http: { enabled: true, debug_endpoints: true }\n"} {
		t.Run(name, func(t *testing.T) {
			out := program(t, "run", write(t, config))
			require.Contains(t, out, "127.0.0.1:4195")
			require.NotContains(t, out, "0.0.0.0")
		})
	}
	require.Contains(t, program(t, "create"), "127.0.0.1:4195")
}

func TestListensWhereAConfigSays(t *testing.T) {
	free, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	address := free.Addr().String()
	require.NoError(t, free.Close())
	require.Contains(t, program(t, "run", write(t, ends+"http: { address: "+address+" }\n")), address)
}

// What --version says after make build and make slim, even if go build does not look at git (GOFLAGS=-buildvcs=false).
func TestVersionIsThatOfTheBuild(t *testing.T) {
	before, on := version, date
	defer func() { version, date = before, on }()
	version, date = "v1.2.3", "2026-11-28T18:48:37Z"
	v, d := build()
	require.Equal(t, []string{"v1.2.3", "2026-11-28T18:48:37Z"}, []string{v, d})

	if err := exec.CommandContext(t.Context(), "git", "-C", "../..", "describe", "--tags", "--always").Run(); err != nil {
		t.Skip("not a git checkout")
	}
	for _, target := range []string{"build", "slim"} {
		out, err := exec.CommandContext(t.Context(), "make", "-n", "-C", "../..", target).CombinedOutput()
		require.NoError(t, err, "%s", out)
		require.Regexp(t, `-X main.version=\S*[0-9a-f]{7}\S* -X main.date=20\d\d-\d\d-\d\dT`, string(out))
	}
}
