package device_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/device"
)

func TestOpen(t *testing.T) {
	for _, name := range []string{"auto", "cpu"} {
		engine, err := device.Open(name)
		require.NoError(t, err)
		assert.Contains(t, engine.Name(), "cpu")
	}
	_, err := device.Open("cuda")
	assert.ErrorIs(t, err, device.ErrNoCUDA)
	_, err = device.Open("CPU")
	assert.EqualError(t, err, `device "CPU": need one of auto, cpu, cuda`)
}
