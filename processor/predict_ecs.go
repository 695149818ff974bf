package processor

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/configfield"
)

const fieldECS = "ecs"

var fieldMaxScore = configfield.FloatFrom0("max_score")

func ecsField() *service.ConfigField {
	return service.NewObjectField(fieldECS,
		fieldMaxScore.Field().
			Description("The score of the highest risk. `event.risk_score_norm` is the score in percent of it, at most 100. 0 turns the fields off.").
			Default(0.0),
	).Description("If `max_score` is above 0, the verdict is also written into fields of the Elastic Common Schema:\n\n- `event.risk_score` and `event.risk_score_norm`, only for events with a score (`scored`, `answered`, `muted`): another status never becomes a number\n- `labels.deepcase_status` and `labels.deepcase_cluster`\n- if the document has no `rule` of its own: `rule.id` (the cluster), `rule.name` (the event), `rule.ruleset` and `rule.version` (the model)\n- if the document names techniques of MITRE ATT&CK, and has no `threat.technique` of its own: `threat.framework`, `threat.technique.id` and `threat.technique.subtechnique.id`, as lists. The page docs/events.md says where documents name them\n\nFields of a verdict that an earlier one wrote are removed. A message is flagged with an error if `event`, `labels` or `rule` of its document is not an object.").
		Advanced()
}
