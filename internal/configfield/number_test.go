package configfield_test

import (
	"testing"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/configfield"
)

func TestInt(t *testing.T) {
	least, between := configfield.IntAtLeast("f", 1), configfield.IntBetween("f", 1, 10)
	for _, c := range []struct {
		field configfield.Int
		value string
		want  int
		lint  string
		err   string
	}{
		{field: least, value: "1", want: 1},
		{field: least, value: "1000000000000", want: 1_000_000_000_000},
		{field: least, value: "0", lint: "f needs to be at least 1", err: "field 'f': 0, need at least 1"},
		{field: least, value: "-5", lint: "f needs to be at least 1", err: "field 'f': -5, need at least 1"},
		{field: between, value: "1", want: 1},
		{field: between, value: "10", want: 10},
		{field: between, value: "0", lint: "f needs to be from 1 to 10", err: "field 'f': 0, need 1 to 10"},
		{field: between, value: "11", lint: "f needs to be from 1 to 10", err: "field 'f': 11, need 1 to 10"},
	} {
		parse := func(conf *service.ParsedConfig) (int, error) { return c.field.Parse(conf) }
		check(t, parsed[int]{c.field.Field(), parse}, c.value, c.want, c.lint, c.err)
	}
}

func TestFloat(t *testing.T) {
	from0, above0, share := configfield.FloatFrom0("f"), configfield.FloatAbove0("f"), configfield.Share("f")
	for _, c := range []struct {
		field configfield.Float
		value string
		want  float64
		lint  string
		err   string
	}{
		{field: from0, value: "0"},
		{field: from0, value: "2.5", want: 2.5},
		{field: from0, value: "-1", lint: "f needs to be at least 0", err: "field 'f': -1, need a finite number of at least 0"},
		{field: from0, value: ".inf", err: "field 'f': +Inf, need a finite number of at least 0"},
		{field: from0, value: ".nan", err: "field 'f': NaN, need a finite number of at least 0"},
		{field: above0, value: "0.001", want: 0.001},
		{field: above0, value: "0", lint: "f needs to be above 0", err: "field 'f': 0, need a finite number above 0"},
		{field: above0, value: ".inf", err: "field 'f': +Inf, need a finite number above 0"},
		{field: share, value: "0"},
		{field: share, value: "1", want: 1},
		{field: share, value: "1.1", lint: "f needs to be from 0 to 1", err: "field 'f': 1.1, need 0 to 1"},
		{field: share, value: "-0.1", lint: "f needs to be from 0 to 1", err: "field 'f': -0.1, need 0 to 1"},
	} {
		parse := func(conf *service.ParsedConfig) (float64, error) { return c.field.Parse(conf) }
		check(t, parsed[float64]{c.field.Field(), parse}, c.value, c.want, c.lint, c.err)
	}
}

func TestFieldsInObjects(t *testing.T) {
	size, rate := configfield.IntAtLeast("size", 0), configfield.FloatFrom0("rate")
	conf, err := service.NewConfigSpec().Field(service.NewObjectField("o", size.Field(), rate.Field())).ParseYAML("o: {size: -1, rate: -1}", nil)
	require.NoError(t, err)
	_, err = size.Parse(conf, "o")
	assert.EqualError(t, err, "field 'o.size': -1, need at least 0")
	_, err = rate.Parse(conf, "o")
	assert.EqualError(t, err, "field 'o.rate': -1, need a finite number of at least 0")
}

func TestByteSize(t *testing.T) {
	const form = "a number of bytes such as 500MiB"
	field := configfield.ByteSize("f")
	for _, c := range []struct {
		value string
		want  int64
		lint  string
		err   string
	}{
		{value: "500MiB", want: 500 << 20},
		{value: "1", want: 1},
		{value: "2kB", want: 2000},
		{value: "0", lint: "f needs to be " + form, err: `field 'f': "0", need ` + form},
		{value: "lots", lint: "f needs to be " + form, err: `field 'f': "lots", need ` + form},
		{value: "999EiB", err: `field 'f': "999EiB", need ` + form},
	} {
		check(t, parsed[int64]{field.Field(), field.Parse}, c.value, c.want, c.lint, c.err)
	}
}
