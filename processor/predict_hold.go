package processor

import (
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/configfield"
	"connect-deepcase/model/decisions"
)

var (
	fieldHold       = configfield.DurationAbove0("hold")
	fieldHoldGrowth = configfield.FloatFrom1("hold_growth")
	fieldHoldMax    = configfield.DurationAbove0("hold_max")
)

// holdFields say how long benign answers hold; parseHold reads them.
func holdFields() []*service.ConfigField {
	return []*service.ConfigField{
		fieldHold.Field().
			Description("How long an answer of score 0 holds when it is given for the first time. After that its pattern is asked again. Answers of other scores hold until they are changed.").
			Default("12h"),
		fieldHoldGrowth.Field().
			Description("How many times longer an answer of score 0 holds each time it is given again after it was due.").
			Advanced().
			Default(4.0),
		fieldHoldMax.Field().
			Description("The longest time that an answer of score 0 holds.").
			Advanced().
			Default("2160h"),
	}
}

func parseHold(conf *service.ParsedConfig) (h decisions.Hold, err error) {
	if h.First, err = fieldHold.Parse(conf); err != nil {
		return h, err
	}
	if h.Growth, err = fieldHoldGrowth.Parse(conf); err != nil {
		return h, err
	}
	if h.Max, err = fieldHoldMax.Parse(conf); err != nil {
		return h, err
	}
	if h.Max < h.First {
		return h, fmt.Errorf("field '%s': %s, need at least %s, as long as '%s'", fieldHoldMax, h.Max, h.First, fieldHold)
	}
	return h, nil
}
