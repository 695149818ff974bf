// Package configfield has the config fields that several plugins share. Each kind of field has its lint rule and its parser in one place,
// so that both accept the same values and say the same: `length needs to be from 1 to 100` in a lint, `field 'length': 0, need 1 to 100` in
// an error.
package configfield

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// Int is a config field of an integer within bounds.
type Int struct {
	name        string
	least, most int
}

// IntAtLeast is an integer that is not smaller than least.
func IntAtLeast(name string, least int) Int { return Int{name, least, math.MaxInt} }

// IntBetween is an integer from least to most.
func IntBetween(name string, least, most int) Int { return Int{name, least, most} }

// String is the name of the field, for messages.
func (i Int) String() string { return i.name }

// Field is the field for a spec.
func (i Int) Field() *service.ConfigField {
	field := service.NewIntField(i.name)
	if i.most == math.MaxInt {
		return field.LintRule(fmt.Sprintf(`root = if this < %d { "%s needs to be at least %[1]d" }`, i.least, i.name))
	}
	return field.LintRule(fmt.Sprintf(`root = if this < %d || this > %d { "%s needs to be from %[1]d to %[2]d" }`, i.least, i.most, i.name))
}

// Parse reads the field, which is in the named objects of the config if there are any.
func (i Int) Parse(conf *service.ParsedConfig, in ...string) (int, error) {
	path := within(in, i.name)
	n, err := conf.FieldInt(path...)
	switch {
	case err != nil || i.least <= n && n <= i.most:
		return n, err
	case i.most == math.MaxInt:
		return 0, fmt.Errorf("field '%s': %d, need at least %d", strings.Join(path, "."), n, i.least)
	}
	return 0, fmt.Errorf("field '%s': %d, need %d to %d", strings.Join(path, "."), n, i.least, i.most)
}

// Float is a config field of a finite number within bounds.
type Float struct {
	name string
	kind floatKind
}

type floatKind uint8

const (
	from0 floatKind = iota
	above0
	from1
	share
)

// FloatFrom0 is a number that is not negative.
func FloatFrom0(name string) Float { return Float{name, from0} }

// FloatAbove0 is a positive number.
func FloatAbove0(name string) Float { return Float{name, above0} }

// Share is a number from 0 to 1.
func Share(name string) Float { return Float{name, share} }

// Field is the field for a spec.
func (f Float) Field() *service.ConfigField {
	wrong, want := "this < 0", "at least 0"
	switch f.kind {
	case above0:
		wrong, want = "this <= 0", "above 0"
	case from1:
		wrong, want = "this < 1", "at least 1"
	case share:
		wrong, want = "this < 0 || this > 1", "from 0 to 1"
	}
	return service.NewFloatField(f.name).LintRule(fmt.Sprintf(`root = if %s { "%s needs to be %s" }`, wrong, f.name, want))
}

// Parse reads the field, which is in the named objects of the config if there are any.
func (f Float) Parse(conf *service.ParsedConfig, in ...string) (float64, error) {
	path := within(in, f.name)
	x, err := conf.FieldFloat(path...)
	if err != nil {
		return 0, err
	}
	right, want := x >= 0, "a finite number of at least 0"
	switch f.kind {
	case above0:
		right, want = x > 0, "a finite number above 0"
	case from1:
		right, want = x >= 1, "a finite number of at least 1"
	case share:
		right, want = x >= 0 && x <= 1, "0 to 1"
	}
	if !right || math.IsInf(x, 0) {
		return 0, fmt.Errorf("field '%s': %v, need %s", strings.Join(path, "."), x, want)
	}
	return x, nil
}

func within(objects []string, name string) []string {
	return append(slices.Clip(objects), name)
}
