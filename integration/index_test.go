//go:build integration

package integration

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// ask sends a request to a search server and gives its answer, which must be 2xx.
func (s *server) ask(t testing.TB, method, path string, body any) map[string]any {
	t.Helper()
	var reader io.Reader
	kind := "application/json"
	switch b := body.(type) {
	case nil:
	case []byte:
		reader, kind = bytes.NewReader(b), "application/x-ndjson"
	case string:
		reader = strings.NewReader(b)
	default:
		encoded, err := json.Marshal(b)
		require.NoError(t, err)
		reader = bytes.NewReader(encoded)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, s.url()+path, reader)
	require.NoError(t, err)
	request.Header.Set("Content-Type", kind)
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	require.Less(t, response.StatusCode, 300, "%s %s: %s", method, path, answer)
	var decoded map[string]any
	require.NoError(t, json.Unmarshal(answer, &decoded), "%s", answer)
	return decoded
}

// create makes an index with these properties; it is dropped when the test ends.
func (s *server) create(t testing.TB, index string, shards int, properties string) {
	t.Helper()
	s.ask(t, http.MethodPut, "/"+index, fmt.Sprintf(
		`{"settings":{"number_of_shards":%d,"number_of_replicas":0},"mappings":{"properties":{%s}}}`, shards, properties))
	t.Cleanup(func() {
		request, _ := http.NewRequest(http.MethodDelete, s.url()+"/"+index, nil)
		if response, err := http.DefaultClient.Do(request); err == nil {
			response.Body.Close()
		}
	})
}

// document is what the tests put into an index.
type document struct {
	Index string `json:"-"`
	ID    string `json:"-"`
	Time  any    `json:"@timestamp,omitempty"`
	N     int    `json:"n"`
}

func (d document) key() string { return d.Index + "/" + d.ID }

// load puts documents into their indices, where they can be found at once.
func (s *server) load(t testing.TB, documents ...document) {
	t.Helper()
	for len(documents) > 0 {
		n := min(len(documents), 5000)
		var bulk bytes.Buffer
		encoder := json.NewEncoder(&bulk)
		for _, d := range documents[:n] {
			require.NoError(t, encoder.Encode(map[string]any{"create": map[string]any{"_index": d.Index, "_id": d.ID}}))
			require.NoError(t, encoder.Encode(d))
		}
		documents = documents[n:]
		answer := s.ask(t, http.MethodPost, "/_bulk?refresh=true", bulk.Bytes())
		require.Equal(t, false, answer["errors"], "%v", answer["items"])
	}
}

// total counts the documents of an index that match.
func (s *server) total(t testing.TB, index, query string) int {
	t.Helper()
	return int(s.ask(t, http.MethodPost, "/"+index+"/_count", `{"query":`+query+`}`)["count"].(float64))
}

// refresh makes what was written to an index findable.
func (s *server) refresh(t testing.TB, index string) {
	s.ask(t, http.MethodPost, "/"+index+"/_refresh", nil)
}
