package engine_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/engine"
)

func TestOpen(t *testing.T) {
	e, err := engine.Open("cpu")
	require.NoError(t, err)
	assert.Contains(t, e.Name(), "cpu (")
	assert.Equal(t, "device is cpu", engine.Why("cpu"))

	e, err = engine.Open("auto")
	require.NoError(t, err)
	assert.NotEqual(t, "libtorch (cpu)", e.Name(), "auto is a GPU or our own engine")
	assert.Contains(t, engine.Why("auto"), "device is auto, ")

	for _, name := range []string{"CPU", "", "cuda:", "cuda:x", "cuda:-1", "xcuda", "cuda:1 "} {
		_, err = engine.Open(name)
		assert.ErrorContains(t, err, "need one of auto, cpu, cuda, cuda:N, libtorch", name)
	}
}
