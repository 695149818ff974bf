package processor

import (
	"math"
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"
	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/cases"
	"connect-deepcase/model/interpreter"
)

// audits counts what people decide about audited events.
type audits struct {
	decided, attacks, bound *service.MetricGauge

	mu     sync.Mutex
	known  *lru.Cache[string, bool] // by case: whether it was an attack
	counts cases.Audited
}

// knownAudits is how many audited events are told apart, so that one that is decided again does not count twice.
const knownAudits = 100_000

func newAudits(metrics *service.Metrics) *audits {
	known, _ := lru.New[string, bool](knownAudits) // fails for a size below 1 only
	a := &audits{
		decided: metrics.NewGauge("deepcase_audit_decided"),
		attacks: metrics.NewGauge("deepcase_audit_attacks"),
		bound:   metrics.NewGauge("deepcase_audit_miss_ppm"),
		known:   known,
	}
	a.show()
	return a
}

// take counts a request that was carried out, if it scored an audited event.
func (a *audits) take(r *request) {
	score := float64(interpreter.NoScore)
	switch {
	case r.audited == "":
	case r.answering != nil:
		score = r.answering.Score
	case r.scoring != nil:
		score = r.scoring.Score
	}
	if score == interpreter.NoScore {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	before, again := a.known.Get(r.audited)
	attack := score > 0
	a.known.Add(r.audited, attack)
	if !again {
		a.counts.Decided++
	}
	if attack && !before {
		a.counts.Attacks++
	} else if !attack && before {
		a.counts.Attacks--
	}
	a.show()
}

func (a *audits) show() {
	a.decided.Set(int64(a.counts.Decided))
	a.attacks.Set(int64(a.counts.Attacks))
	a.bound.Set(int64(math.Ceil(1e6 * a.counts.MissRate())))
}
