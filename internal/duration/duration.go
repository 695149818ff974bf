// Package duration has config fields of durations, which say in lints and errors what is right.
package duration

import (
	"fmt"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure" // the lint's parse_duration
	"github.com/redpanda-data/benthos/v4/public/service"
)

// Kind is what durations a field takes.
type Kind string

const (
	NotNegative Kind = "0 or longer"
	Positive    Kind = "longer than 0"
)

const unit = "a duration with its unit, such as 24h"

// Field is a config field that Parse reads.
func Field(name string, kind Kind) *service.ConfigField {
	least := 0 // nanoseconds
	if kind == Positive {
		least = 1
	}
	return service.NewDurationField(name).LintRule(fmt.Sprintf(`let d = this.string().parse_duration().catch(null)
root = if $d == null { "%[1]s needs to be %[2]s" } else if $d < %[3]d { "%[1]s needs to be %[4]s" }`, name, unit, least, kind))
}

// Parse reads a Field of a kind.
func Parse(conf *service.ParsedConfig, name string, kind Kind) (time.Duration, error) {
	d, err := conf.FieldDuration(name)
	switch {
	case err != nil:
		return 0, fmt.Errorf("field '%s': need %s: %w", name, unit, err)
	case d < 0 || d == 0 && kind == Positive:
		return 0, fmt.Errorf("field '%s': %s, need %s", name, d, kind)
	}
	return d, nil
}
