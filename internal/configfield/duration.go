package configfield

import (
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// Duration is a config field of a duration.
type Duration struct {
	name string
	kind durationKind
}

type durationKind string

const (
	notNegative durationKind = "0 or longer"
	positive    durationKind = "longer than 0"
	optional    durationKind = "a duration above 0 such as 24h, or nothing"
)

// DurationFrom0 is a duration that is not negative.
func DurationFrom0(name string) Duration { return Duration{name, notNegative} }

// DurationAbove0 is a positive duration.
func DurationAbove0(name string) Duration { return Duration{name, positive} }

// OptionalDuration is a positive duration or an empty text, which is 0.
func OptionalDuration(name string) Duration { return Duration{name, optional} }

const durationWithUnit = "a duration with its unit, such as 24h"

// Lint rules know durations by these expressions: Bloblang's parse_duration would need all of Benthos' pure components, which a plugin should
// not force on a program. What only overflows, or is less than a nanosecond, is left to Parse.
const (
	isDuration         = `re_match("^[+-]?(0|(([0-9]+([.][0-9]*)?|[.][0-9]+)(ns|us|µs|μs|ms|s|m|h))+)$")`
	isNegativeDuration = `re_match("^-.*[1-9]")`
	isPositiveDuration = `re_match("^[^-]*[1-9]")`
)

// String is the name of the field, for messages.
func (d Duration) String() string { return d.name }

// Field is the field for a spec.
func (d Duration) Field() *service.ConfigField {
	switch d.kind {
	case optional:
		return service.NewStringField(d.name).LintRule(fmt.Sprintf(
			`root = if this != "" && (!this.%s || !this.%s) { "%s needs to be %s" }`, isDuration, isPositiveDuration, d.name, d.kind))
	case positive:
		return d.field("!this.string()." + isPositiveDuration)
	}
	return d.field("this.string()." + isNegativeDuration)
}

func (d Duration) field(wrong string) *service.ConfigField {
	return service.NewDurationField(d.name).LintRule(fmt.Sprintf(
		`root = if !this.string().%s { "%s needs to be %s" } else if %s { "%[2]s needs to be %[5]s" }`,
		isDuration, d.name, durationWithUnit, wrong, d.kind))
}

// Parse reads the field.
func (d Duration) Parse(conf *service.ParsedConfig) (time.Duration, error) {
	text, err := conf.FieldString(d.name)
	if err != nil {
		return 0, err
	}
	if d.kind == optional && text == "" {
		return 0, nil
	}
	value, err := time.ParseDuration(text)
	switch {
	case d.kind == optional && (err != nil || value <= 0):
		return 0, fmt.Errorf("field '%s': %q, need %s", d.name, text, d.kind)
	case err != nil:
		return 0, fmt.Errorf("field '%s': %q, need %s", d.name, text, durationWithUnit)
	case value < 0 || value == 0 && d.kind == positive:
		return 0, fmt.Errorf("field '%s': %s, need %s", d.name, value, d.kind)
	}
	return value, nil
}
