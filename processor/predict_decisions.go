package processor

import (
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

// answers follows the decision journal of a model directory, and settles verdicts by it. If the journal cannot be read, the decisions that
// were read before stay in force.
type answers struct {
	journal *decisions.Journal
	log     *service.Logger
	metrics answerMetrics

	err     string // of the last look, "" if it went well
	damaged int    // lines that were told of
	last    uint64 // number of the last decision
	looking looking
}

type answerMetrics struct {
	answers, mutes, damaged *service.MetricGauge
	failed, hits, again     *service.MetricCounter
}

func newAnswers(dir string, hold decisions.Hold, mgr *service.Resources) *answers {
	m := mgr.Metrics()
	a := &answers{
		journal: decisions.New(dir, nil, hold), // it only reads
		log:     mgr.Logger().With("model", dir),
		metrics: answerMetrics{
			answers: m.NewGauge("deepcase_answers_in_force"),
			mutes:   m.NewGauge("deepcase_mutes_in_force"),
			failed:  m.NewCounter("deepcase_decision_reloads_failed"),
			damaged: m.NewGauge("deepcase_decisions_damaged"),
			hits:    m.NewCounter("deepcase_decision_hits", "kind", "scope"),
			again:   m.NewCounter("deepcase_answers_asked_again", "scope"),
		},
	}
	a.metrics.failed.Incr(0) // it must exist before the first failure, or its increase could not be seen
	return a
}

// start reads the journal, and from then on looks every so often for what was appended.
func (a *answers) start(every time.Duration) {
	a.look()
	a.looking = lookEvery(every, eachTick(a.look))
}

// look takes up what was appended. A failure that stays the same is logged once.
func (a *answers) look() {
	err := a.journal.Refresh()
	switch {
	case err == nil && a.err != "":
		a.log.Info("The decisions can be read again")
		a.err = ""
	case err != nil:
		a.metrics.failed.Incr(1)
		if err.Error() != a.err {
			a.log.Errorf("The decisions cannot be read, going on with those that were read before: %v", err)
		}
		a.err = err.Error()
	}
	damage := a.journal.Damage()
	if damage.Lines > a.damaged {
		a.log.Errorf("%d lines of the decisions are damaged and have no effect; the others are in force. The first: %v", damage.Lines, damage.First)
	}
	a.damaged = damage.Lines
	a.metrics.damaged.Set(int64(damage.Lines))
	a.journal.Read(func(look decisions.Look) {
		if last := look.Last(); last < a.last {
			a.log.Warnf("The decisions end at number %d, and ended at number %d before: an older copy of the journal was put there, or it was cut off. What is missing has no effect any more", last, a.last)
		}
		a.last = look.Last()
		inForce, mutes := look.InForce()
		a.metrics.answers.Set(int64(inForce))
		a.metrics.mutes.Set(int64(mutes))
	})
}

// settle applies the decisions in force to the verdicts that have no error. keys are those of their subjects. The decisions are those of one
// moment.
func (a *answers) settle(verdicts []model.Verdict, keys [][4]decisions.Key, errs []error) []annotation.Result {
	results := make([]annotation.Result, len(verdicts))
	type hit struct {
		kind  decisions.Kind
		scope decisions.Scope
	}
	hits, again := map[hit]int64{}, map[decisions.Scope]int64{}
	a.journal.Read(func(look decisions.Look) {
		for i, v := range verdicts {
			if errs[i] != nil {
				continue
			}
			settled := look.Settle(v, keys[i])
			results[i] = annotation.Result{Verdict: v, Pattern: keys[i][0], Settled: settled}
			if settled.Found != nil {
				hits[hit{settled.Found.Kind, settled.Found.Scope}]++
			}
			if settled.Before != nil {
				again[settled.Before.Scope]++
			}
		}
	})
	for h, n := range hits {
		a.metrics.hits.Incr(n, string(h.kind), string(h.scope))
	}
	for scope, n := range again {
		a.metrics.again.Incr(n, string(scope))
	}
	return results
}

// close stops looking. It may be called again.
func (a *answers) close() {
	a.looking.close()
}
