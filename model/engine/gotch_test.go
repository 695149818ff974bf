//go:build gotch

package engine_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder/torch"
	"connect-deepcase/model/engine"
)

func TestWithGotch(t *testing.T) {
	e, err := engine.Open("libtorch")
	require.NoError(t, err)
	assert.Equal(t, "libtorch (cpu)", e.Name())
	_, err = engine.Open("cuda")
	if missing := torch.CUDA(); missing != nil {
		require.ErrorIs(t, err, missing)
		assert.Equal(t, "device is auto, no CUDA: "+missing.Error(), engine.Why("auto"))
		return
	}
	require.NoError(t, err)
	assert.Equal(t, "device is auto, there is a GPU", engine.Why("auto"))
}
