package configfield_test

import (
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/configfield"
)

// parsed is a field with its parser.
type parsed[T any] struct {
	field *service.ConfigField
	parse func(*service.ParsedConfig) (T, error)
}

// check lints and parses `f: value`. "" is no lint, or no error.
func check[T any](t *testing.T, f parsed[T], value string, want T, lint, failure string) {
	t.Helper()
	spec := service.NewConfigSpec().Field(f.field)
	env := service.NewEmptyEnvironment() // lint rules need no components
	require.NoError(t, env.RegisterProcessor("p", spec, nil))
	lints, err := env.NewComponentConfigLinter().LintProcessorYAML([]byte("p: {f: " + value + "}"))
	require.NoError(t, err)
	if lint == "" {
		assert.Empty(t, lints, value)
	} else if assert.Len(t, lints, 1, value) {
		assert.Equal(t, lint, lints[0].What)
	}
	conf, err := spec.ParseYAML("f: "+value, nil)
	require.NoError(t, err)
	got, err := f.parse(conf)
	if failure != "" {
		assert.EqualError(t, err, failure, value)
		return
	}
	assert.NoError(t, err, value)
	assert.Equal(t, want, got)
}

func TestDuration(t *testing.T) {
	const form = "a duration with its unit, such as 24h"
	const optional = "a duration above 0 such as 24h, or nothing"
	from0, above0, maybe := configfield.DurationFrom0("f"), configfield.DurationAbove0("f"), configfield.OptionalDuration("f")
	for _, c := range []struct {
		field configfield.Duration
		value string
		want  time.Duration
		lint  string
		err   string
	}{
		{field: from0, value: "24h", want: 24 * time.Hour},
		{field: from0, value: "+1h30m", want: 90 * time.Minute},
		{field: from0, value: "1.5s", want: 1500 * time.Millisecond},
		{field: from0, value: ".5s", want: 500 * time.Millisecond},
		{field: from0, value: "5.s", want: 5 * time.Second},
		{field: from0, value: "3µs", want: 3 * time.Microsecond},
		{field: from0, value: "3μs", want: 3 * time.Microsecond},
		{field: from0, value: "0"},
		{field: from0, value: "0s"},
		{field: from0, value: "-0s"},
		{field: from0, value: "24", lint: "f needs to be " + form, err: `field 'f': "24", need ` + form},
		{field: from0, value: "soon", lint: "f needs to be " + form, err: `field 'f': "soon", need ` + form},
		{field: from0, value: "7d", lint: "f needs to be " + form, err: `field 'f': "7d", need ` + form},
		{field: from0, value: ".s", lint: "f needs to be " + form, err: `field 'f': ".s", need ` + form},
		{field: from0, value: "''", lint: "f needs to be " + form, err: `field 'f': "", need ` + form},
		{field: from0, value: "9999999h", err: `field 'f': "9999999h", need ` + form},
		{field: from0, value: "-5s", lint: "f needs to be 0 or longer", err: "field 'f': -5s, need 0 or longer"},
		{field: above0, value: "1ns", want: 1},
		{field: above0, value: "0s", lint: "f needs to be longer than 0", err: "field 'f': 0s, need longer than 0"},
		{field: above0, value: "-1h", lint: "f needs to be longer than 0", err: "field 'f': -1h0m0s, need longer than 0"},
		{field: above0, value: "soon", lint: "f needs to be " + form, err: `field 'f': "soon", need ` + form},
		{field: maybe, value: "''"},
		{field: maybe, value: "24h", want: 24 * time.Hour},
		{field: maybe, value: "0s", lint: "f needs to be " + optional, err: `field 'f': "0s", need ` + optional},
		{field: maybe, value: "-1h", lint: "f needs to be " + optional, err: `field 'f': "-1h", need ` + optional},
		{field: maybe, value: "daily", lint: "f needs to be " + optional, err: `field 'f': "daily", need ` + optional},
	} {
		check(t, parsed[time.Duration]{c.field.Field(), c.field.Parse}, c.value, c.want, c.lint, c.err)
	}
}
