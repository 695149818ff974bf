package processor

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/configfield"
	"connect-deepcase/model/decisions"
)

func parseHold(conf *service.ParsedConfig) (h decisions.Hold, err error) {
	h.First, h.Growth, h.Max, err = configfield.ParseHold(conf)
	return h, err
}
