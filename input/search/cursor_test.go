package search

import (
	"context"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// Whoever has to delete a damaged cursor learns where it is.
func TestUnreadableCursorIsNamed(t *testing.T) {
	p := pretend(t, nil)
	resources := service.MockResources(service.MockResourcesOptAddCache("cursors"))
	require.NoError(t, resources.AccessCache(t.Context(), "cursors", func(c service.Cache) {
		require.NoError(t, c.Set(t.Context(), "alerts", nil, nil))
	}))
	conf, err := spec().ParseYAML("urls: [ "+p.URL+" ]\nindex: alerts\ncache: cursors\ncache_key: alerts", nil)
	require.NoError(t, err)
	s, err := newFromParsed(conf, resources, time.Now)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close(context.Background()) })
	require.EqualError(t, s.Connect(t.Context()),
		`cache "cursors", key "alerts": cursor: unexpected end of JSON input: delete the entry to read from the beginning`)
}
