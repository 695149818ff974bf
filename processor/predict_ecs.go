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
			Description("The score that stands for the highest risk: `event.risk_score_norm` is the score's share of it in percent, at most 100. 0 writes no such fields.").
			Default(0.0),
	).Description("Where `max_score` is above 0, the verdict is also written into fields of the Elastic Common Schema: `event.risk_score` and `event.risk_score_norm` (scored events only: a status never becomes a number), `labels.deepcase_status`, `labels.deepcase_cluster` and, where the document has no `rule` of its own, `rule.id` (the cluster), `rule.name` (the event), `rule.ruleset` and `rule.version` (the model). Those of an earlier verdict go. A document in which `event`, `labels` or `rule` is not an object is an error of the message.").
		Advanced()
}
