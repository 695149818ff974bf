package processor

import (
	"math"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/model"
)

// confidenceUnits is the unit of metrics of confidences: 1/10000, because some exporters take whole numbers only.
const confidenceUnits = 10_000

// confidences sums up how confident the network is in the events that it has looked at.
type confidences struct{ sum, count *service.MetricCounter }

func newConfidences(m *service.Metrics) confidences {
	return confidences{m.NewCounter("deepcase_confidence_sum"), m.NewCounter("deepcase_confidence_count")}
}

// add takes the verdicts that have no error. Those on unknown events have no confidence that could be compared.
func (c confidences) add(verdicts []model.Verdict, errs []error) {
	sum, count := 0.0, int64(0)
	for i, v := range verdicts {
		if errs[i] == nil && v.Status != model.UnknownEvent && v.Status != model.NoModel {
			sum += v.Confidence
			count++
		}
	}
	c.sum.Incr(int64(math.Round(sum * confidenceUnits)))
	c.count.Incr(count)
}

// trainedConfidence is the mean of the training of a model for a gauge; 0 if the model does not know it.
func trainedConfidence(m *model.Model) int64 {
	if m.Confidence == nil || math.IsNaN(m.Confidence.Mean()) {
		return 0
	}
	return int64(math.Round(m.Confidence.Mean() * confidenceUnits))
}
