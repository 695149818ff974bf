package device_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/device"
)

func TestOpen(t *testing.T) {
	engine, err := device.Open("cpu")
	require.NoError(t, err)
	assert.Contains(t, engine.Name(), "cpu (")
	assert.Equal(t, "device is cpu", device.Why("cpu"))

	engine, err = device.Open("auto")
	require.NoError(t, err)
	assert.NotEqual(t, "libtorch (cpu)", engine.Name(), "auto is a GPU or our own engine")
	assert.Contains(t, device.Why("auto"), "device is auto, ")

	for _, name := range []string{"CPU", "", "cuda:", "cuda:x", "cuda:-1", "xcuda", "cuda:1 "} {
		_, err = device.Open(name)
		assert.ErrorContains(t, err, "need one of auto, cpu, cuda, cuda:N, libtorch", name)
	}
}

func TestConfigField(t *testing.T) {
	lint := func(name string) error {
		_, err := service.NewConfigSpec().Field(device.ConfigField("auto")).ParseYAML("device: '"+name+"'", nil)
		return err
	}
	for _, name := range []string{"auto", "cpu", "cuda", "cuda:0", "cuda:12", "libtorch"} {
		assert.NoError(t, lint(name), name)
	}
}
