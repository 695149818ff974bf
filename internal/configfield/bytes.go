package configfield

import (
	"fmt"
	"math"

	"github.com/dustin/go-humanize"
	"github.com/redpanda-data/benthos/v4/public/service"
)

// Bytes is a config field of a positive number of bytes with a unit, such as 500MiB.
type Bytes struct{ name string }

// ByteSize is a field for a number of bytes.
func ByteSize(name string) Bytes { return Bytes{name} }

const bytesWithUnit = "a number of bytes such as 500MiB"

// String is the name of the field, for messages.
func (b Bytes) String() string { return b.name }

// Field is the field for a spec.
func (b Bytes) Field() *service.ConfigField {
	return service.NewStringField(b.name).LintRule(fmt.Sprintf(
		`root = if !this.re_match("(?i)^[0-9.]*[1-9][0-9.]* *([kmgtpe]i?)?b?$") { "%s needs to be %s" }`, b.name, bytesWithUnit))
}

// Parse reads the field.
func (b Bytes) Parse(conf *service.ParsedConfig) (int64, error) {
	text, err := conf.FieldString(b.name)
	if err != nil {
		return 0, err
	}
	n, err := humanize.ParseBytes(text)
	if err != nil || n < 1 || n > math.MaxInt64 {
		return 0, fmt.Errorf("field '%s': %q, need %s", b.name, text, bytesWithUnit)
	}
	return int64(n), nil
}
