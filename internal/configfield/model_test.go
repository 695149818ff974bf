package configfield_test

import (
	"context"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/configfield"
)

func TestDeviceLint(t *testing.T) {
	env := service.NewEmptyEnvironment()
	require.NoError(t, env.RegisterProcessor("p", service.NewConfigSpec().Field(configfield.DeviceField("auto")), nil))
	lint := func(name string) []service.Lint {
		lints, err := env.NewComponentConfigLinter().LintProcessorYAML([]byte("p: {device: '" + name + "'}"))
		require.NoError(t, err)
		return lints
	}
	for _, name := range []string{"auto", "cpu", "cuda", "cuda:0", "cuda:12", "libtorch"} {
		assert.Empty(t, lint(name), name)
	}
	for _, name := range []string{"CPU", "tpu", "cuda:", "cuda:x", ""} {
		assert.Len(t, lint(name), 1, name)
	}
}

func TestCache(t *testing.T) {
	spec := service.NewConfigSpec().Field(configfield.CacheField())
	resources := service.MockResources(service.MockResourcesOptAddCache("known"))
	parse := func(yaml string) (*configfield.Cache, error) {
		conf, err := spec.ParseYAML(yaml, nil)
		require.NoError(t, err)
		return configfield.ParseCache(conf, resources)
	}
	none, err := parse("{}")
	require.NoError(t, err)
	assert.Nil(t, none)

	_, err = parse("cache: other")
	assert.EqualError(t, err, `field 'cache': no cache resource has the label "other"`)

	known, err := parse("cache: known")
	require.NoError(t, err)
	assert.Equal(t, "known", known.Label)
	called := false
	require.NoError(t, known.Access(t.Context(), func(c service.Cache) {
		called = true
		assert.NoError(t, c.Set(context.Background(), "a", []byte("b"), nil))
	}))
	assert.True(t, called)
}
