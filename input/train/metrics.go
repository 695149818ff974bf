package train

import "github.com/redpanda-data/benthos/v4/public/service"

// metrics are the metrics of one deepcase_train.
type metrics struct {
	events, trainings       *service.MetricCounter
	spooled, epoch, loss    *service.MetricGauge
	damaged, rareNames      *service.MetricGauge
	refusedLabels           *service.MetricCounter
	clusters                *service.MetricGauge
	spoolLatency, trainTime *service.MetricTimer
}

func newMetrics(m *service.Metrics) metrics {
	t := metrics{
		events:        m.NewCounter("deepcase_train_events", "outcome"),
		trainings:     m.NewCounter("deepcase_trainings", "outcome"),
		spooled:       m.NewGauge("deepcase_train_spooled"),
		damaged:       m.NewGauge("deepcase_train_damaged"),
		refusedLabels: m.NewCounter("deepcase_train_refused_labels"),
		rareNames:     m.NewGauge("deepcase_train_rare_names"),
		epoch:         m.NewGauge("deepcase_train_epoch"),
		loss:          m.NewGauge("deepcase_train_loss"),
		clusters:      m.NewGauge("deepcase_train_clusters"),
		spoolLatency:  m.NewTimer("deepcase_train_spool_latency_ns"),
		trainTime:     m.NewTimer("deepcase_training_latency_ns"),
	}
	// Counters of failures exist from the start, so that the first failure is an increase.
	t.trainings.Incr(0, "failed")
	t.events.Incr(0, "rejected")
	t.refusedLabels.Incr(0)
	return t
}
