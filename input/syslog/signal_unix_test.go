//go:build unix

package syslog

import (
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// terminate sends this process the signal that an open input waits for.
func terminate(t *testing.T) {
	t.Helper()
	require.NoError(t, syscall.Kill(os.Getpid(), syscall.SIGTERM))
}
