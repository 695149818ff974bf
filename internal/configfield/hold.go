package configfield

import (
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

var (
	hold       = DurationAbove0("hold")
	holdGrowth = Float{"hold_growth", from1}
	holdMax    = DurationAbove0("hold_max")
)

// HoldFields say how long benign answers hold; ParseHold reads them.
func HoldFields() []*service.ConfigField {
	return []*service.ConfigField{
		hold.Field().
			Description("How long an answer of score 0 holds when it is given for the first time. After that its pattern is asked again. Answers of other scores hold until they are changed.").
			Default("12h"),
		holdGrowth.Field().
			Description("How many times longer an answer of score 0 holds each time it is given again after it was due.").
			Advanced().
			Default(4.0),
		holdMax.Field().
			Description("The longest time that an answer of score 0 holds.").
			Advanced().
			Default("2160h"),
	}
}

// ParseHold is how long HoldFields say that an answer holds at first, how many times longer when it is confirmed, and at most.
func ParseHold(conf *service.ParsedConfig) (first time.Duration, growth float64, most time.Duration, err error) {
	if first, err = hold.Parse(conf); err != nil {
		return 0, 0, 0, err
	}
	if growth, err = holdGrowth.Parse(conf); err != nil {
		return 0, 0, 0, err
	}
	if most, err = holdMax.Parse(conf); err != nil {
		return 0, 0, 0, err
	}
	if most < first {
		return 0, 0, 0, fmt.Errorf("field '%s': %s, need at least %s, as long as '%s'", holdMax, most, first, hold)
	}
	return first, growth, most, nil
}
