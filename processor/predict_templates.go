package processor

import (
	"slices"
	"strings"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// maxToldTemplates bounds what is logged and remembered: checksums come from documents.
const maxToldTemplates = 100

// namedBy looks at which templates have named events, and warns if a model was trained with others.
type namedBy struct {
	other *service.MetricCounter
	log   *service.Logger

	mu   sync.Mutex
	told map[string]bool // templates of an event and of a model
}

func newNamedBy(mgr *service.Resources) *namedBy {
	n := &namedBy{other: mgr.Metrics().NewCounter("deepcase_other_templates"), log: mgr.Logger(), told: map[string]bool{}}
	n.other.Incr(0)
	return n
}

// check counts an event whose templates v does not know. A model that was trained without templates, or before models had them written down,
// says nothing.
func (n *namedBy) check(v *version, templates string) {
	known := v.predictor.Model().Templates
	if templates == "" || len(known) == 0 || slices.Contains(known, templates) {
		return
	}
	n.other.Incr(1)
	n.mu.Lock()
	defer n.mu.Unlock()
	key := templates + " " + strings.Join(known, " ")
	if n.told[key] || len(n.told) >= maxToldTemplates {
		return
	}
	n.told[key] = true
	n.log.With("model", v.name).Warnf("Events are named by the templates %s, and this model was trained with %s: the names of some events may mean nothing to it. "+
		"Give deepcase_template the file of the training, or train again (further events are only counted)", templates, strings.Join(known, ", "))
}
