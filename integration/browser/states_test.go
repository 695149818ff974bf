//go:build browser

package browser

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadOnlyDirectory(t *testing.T) {
	folder := copied(t, plain)
	require.NoError(t, exec.Command("chmod", "-R", "a-w,a+rX", filepath.Join(folder, "model")).Run())
	t.Cleanup(func() { _ = exec.Command("chmod", "-R", "u+w", filepath.Join(folder, "model")).Run() })
	require.NoError(t, os.Chmod(filepath.Dir(folder), 0o755))
	s := serveAs(t, folder, nobody(t), "--annotated", "annotated.ndjson", "--by", "ann")
	b := open(t, s, "503", "423")
	b.visit("/queue?view=clusters")
	assert.Contains(t, b.text(`document.querySelector("[data-problems]").textContent`), "cannot be written")
	before := b.text(openCount)
	b.press("0")
	b.until(toast + `.length > 0`)
	assert.Equal(t, before, b.text(openCount))
	assert.NotContains(t, journal(t, s), `"by":"ann"`)
}

// nobody is a user to whom the modes of files matter.
func nobody(t testing.TB) *syscall.Credential {
	t.Helper()
	if os.Geteuid() != 0 {
		return nil
	}
	return &syscall.Credential{Uid: 65534, Gid: 65534}
}

func TestTenThousandQuestions(t *testing.T) {
	folder := copied(t, plain)
	alerts := filepath.Join(folder, "many.ndjson")
	require.NoError(t, os.WriteFile(alerts, []byte(crowd(10_000)), 0o600))
	s := serve(t, folder, "--annotated", "annotated.ndjson", "--annotated", "many.ndjson", "--by", "ann")
	b := open(t, s)
	for _, path := range []string{"/queue", "/queue?view=all&q=number", "/queue?q=%22Event+number+4711%22", "/overview"} {
		began := time.Now()
		b.visit(path)
		drawn := time.Since(began)
		t.Logf("%-40s %4d ms until the script is ready", path, drawn.Milliseconds())
	}
	b.visit("/queue")
	began := time.Now()
	b.press("0")
	b.said("Scored 0")
	t.Logf("%-40s %4d ms from the key to the message", "decision", time.Since(began).Milliseconds())
	assert.LessOrEqual(t, fmt.Sprint(b.js(`document.querySelectorAll("tr[data-key]").length`)), "200", "the queue comes in pages")
}
