//go:build gotch

package device_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/device"
	"connect-deepcase/model/contextbuilder/torch"
)

func TestWithGotch(t *testing.T) {
	e, err := device.Open("libtorch")
	require.NoError(t, err)
	assert.Equal(t, "libtorch (cpu)", e.Name())
	_, err = device.Open("cuda")
	if missing := torch.CUDA(); missing != nil {
		require.ErrorIs(t, err, missing)
		assert.Equal(t, "device is auto, no CUDA: "+missing.Error(), device.Why("auto"))
		return
	}
	require.NoError(t, err)
	assert.Equal(t, "device is auto, there is a GPU", device.Why("auto"))
}
