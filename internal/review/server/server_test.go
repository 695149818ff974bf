package server

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/review/gate"
	"connect-deepcase/model/contextbuilder/cpu"
)

func TestWrongTokensAreInTheLog(t *testing.T) {
	dir := t.TempDir()
	tokens := filepath.Join(dir, "tokens")
	require.NoError(t, os.WriteFile(tokens, []byte("ann score 0123456789abcdef\n"), 0o600))
	var mu sync.Mutex
	var logged []string
	s, err := Open(t.Context(), Options{
		Model: filepath.Join(dir, "model"), Store: filepath.Join(dir, "store"), Address: "127.0.0.1:0", Engine: cpu.New(),
		Gate: gate.Options{Mode: "token", TokensFile: tokens},
		Log: func(format string, arguments ...any) {
			mu.Lock()
			defer mu.Unlock()
			logged = append(logged, fmt.Sprintf(format, arguments...))
		},
	})
	require.NoError(t, err)
	s.Serve()
	ask := func(token string) int {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URL()+"api/changes", nil)
		require.NoError(t, err)
		r.Header.Set("Authorization", "Bearer "+token)
		answer, err := http.DefaultClient.Do(r)
		require.NoError(t, err)
		require.NoError(t, answer.Body.Close())
		return answer.StatusCode
	}
	require.Equal(t, http.StatusOK, ask("0123456789abcdef"))
	require.Equal(t, http.StatusUnauthorized, ask("wrong"))
	require.NoError(t, s.Close(t.Context()))
	mu.Lock()
	defer mu.Unlock()
	require.Contains(t, logged, "The review page: wrong token from 127.0.0.1")
}

func TestTheModelDirectoryIsNoStore(t *testing.T) {
	dir := t.TempDir()
	for store, model := range map[string]string{dir: dir, dir + "/.": dir, filepath.Join(dir, "later") + "/": filepath.Join(dir, "later")} {
		_, err := Open(t.Context(), Options{Model: model, Store: store, Address: "127.0.0.1:0", Engine: cpu.New(), Gate: gate.Options{Mode: "none", By: "ann"}})
		require.ErrorContains(t, err, "is the model directory: need a directory of its own")
		require.NoFileExists(t, filepath.Join(dir, "alerts.db"))
	}
}
