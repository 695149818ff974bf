package duration_test

import (
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"

	"connect-deepcase/internal/duration"
)

func TestField(t *testing.T) {
	for _, c := range []struct {
		kind  duration.Kind
		value string
		want  time.Duration
		lint  string
		err   string
	}{
		{kind: duration.NotNegative, value: "24h", want: 24 * time.Hour},
		{kind: duration.NotNegative, value: "+1h30m", want: 90 * time.Minute},
		{kind: duration.NotNegative, value: "0"},
		{kind: duration.NotNegative, value: "0s"},
		{kind: duration.NotNegative, value: "24", lint: "d needs to be a duration with its unit, such as 24h", err: "field 'd': need a duration with its unit, such as 24h: "},
		{kind: duration.NotNegative, value: "soon", lint: "d needs to be a duration with its unit, such as 24h", err: "field 'd': need a duration with its unit, such as 24h: "},
		{kind: duration.NotNegative, value: "-5s", lint: "d needs to be 0 or longer", err: "field 'd': -5s, need 0 or longer"},
		{kind: duration.Positive, value: "1ns", want: 1},
		{kind: duration.Positive, value: "0s", lint: "d needs to be longer than 0", err: "field 'd': 0s, need longer than 0"},
	} {
		env := service.NewEnvironment()
		assert.NoError(t, env.RegisterProcessor("p", service.NewConfigSpec().Field(duration.Field("d", c.kind)), nil))
		lints, err := env.NewComponentConfigLinter().LintProcessorYAML([]byte("p: {d: " + c.value + "}"))
		assert.NoError(t, err)
		if c.lint == "" {
			assert.Empty(t, lints, c.value)
		} else if assert.Len(t, lints, 1, c.value) {
			assert.Equal(t, c.lint, lints[0].What)
		}
		conf, err := service.NewConfigSpec().Field(duration.Field("d", c.kind)).ParseYAML("d: "+c.value, nil)
		assert.NoError(t, err)
		got, err := duration.Parse(conf, "d", c.kind)
		if c.err == "" {
			assert.NoError(t, err)
			assert.Equal(t, c.want, got)
		} else {
			assert.ErrorContains(t, err, c.err)
		}
	}
}
