package examples_test

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The page shows what is in the file, and what is written to it later.
func TestReviewOfAFileThatGrows(t *testing.T) {
	dir := t.TempDir()
	alert := func(event string) string {
		return fmt.Sprintf(`{"timestamp":"%s","deepcase":{"machine":"web-1","event":"%s","context":[null,"login"],"status":"unknown_event","model":"20261123T141500Z-3f2a",`+
			`"send":true,"case":"new-1","case_kind":"new","case_opened":true}}`+"\n", time.Now().UTC().Format(time.RFC3339), event)
	}
	file := filepath.Join(dir, "annotated.ndjson")
	require.NoError(t, os.WriteFile(file, []byte(alert("firewall off")+"not JSON\n"), 0o644))
	port := freePort(t)
	variables := map[string]string{
		"INPUT": file, "MODEL": filepath.Join(dir, "model"), "STORE": filepath.Join(dir, "review"), "PORT": port, "HTTP_PORT": freePort(t),
		"DEAD_LETTERS": filepath.Join(dir, "dead-letters.ndjson"),
	}
	_, stop := start(t, "review.yaml", variables)
	shows := func(event string) {
		t.Helper()
		require.Eventually(t, func() bool {
			response, err := http.Get("http://localhost:" + port + "/queue")
			if err != nil {
				return false
			}
			defer response.Body.Close()
			text, err := io.ReadAll(response.Body)
			return err == nil && strings.Contains(string(text), event)
		}, 2*time.Minute, 20*time.Millisecond, event)
	}
	shows("firewall off")
	f, err := os.OpenFile(file, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = f.WriteString(alert("backup deleted"))
	require.NoError(t, err)
	require.NoError(t, f.Close())
	shows("backup deleted")
	require.Eventually(t, func() bool { return len(lines[annotated](t, variables["DEAD_LETTERS"])) == 1 }, 2*time.Minute, 20*time.Millisecond)
	letter := lines[annotated](t, variables["DEAD_LETTERS"])[0]
	require.Equal(t, "not JSON", letter.Document)
	require.Contains(t, letter.Error, "refused: document: not JSON")
	stop()
}
