package processor

import (
	"crypto/sha256"
	"encoding/binary"
	"math"
	"strconv"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/alert"
	"connect-deepcase/internal/configfield"
	"connect-deepcase/model"
)

// annotate puts a verdict into the object that holds its sequence, in the place of an earlier one. Numbers that mean nothing for its
// status are left out.
func annotate(object map[string]any, v model.Verdict, version string, explain bool) {
	for _, name := range []string{"score", "cluster", "distance", "confidence", "attention", "model"} {
		delete(object, name)
	}
	object["status"] = v.Status.String()
	if v.Status == model.NoModel {
		return
	}
	object["model"] = version
	switch v.Status {
	case model.Scored:
		object["score"] = v.Score
		fallthrough
	case model.Unscored:
		object["cluster"] = int64(v.Cluster)
		fallthrough
	case model.NoCluster:
		object["distance"] = round(v.Distance)
		fallthrough
	case model.LowConfidence:
		object["confidence"] = round(v.Confidence)
		if explain {
			attention := make([]any, len(v.Attention))
			for i, a := range v.Attention {
				attention[i] = round(float64(a))
			}
			object["attention"] = attention
		}
	}
}

// round keeps 4 decimals: what clustering looks at.
func round(x float64) float64 { return math.Round(x*1e4) / 1e4 }

// ecs writes a verdict into the fields of the Elastic Common Schema.
type ecs struct {
	maxScore float64 // the score that is a risk of 100
}

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

// check says whether the fields can be written.
func (*ecs) check(document map[string]any) error {
	for _, name := range []string{"event", "labels", "rule"} {
		if err := alert.Check(document, name); err != nil {
			return err
		}
	}
	return nil
}

// ruleset tells a rule that write wrote from a document's own.
const ruleset = "deepcase"

// write puts a verdict in the place of an earlier one. Whose a risk is the earlier status tells: only a scored verdict has written one.
func (e *ecs) write(document map[string]any, event string, v model.Verdict, version string) {
	labels := alert.Object(document, "labels")
	rule, _ := document["rule"].(map[string]any)
	ours := rule["ruleset"] == ruleset
	if before, labelled := labels["deepcase_status"]; before == model.Scored.String() || ours && !labelled {
		remove(document, "event", "risk_score", "risk_score_norm")
	}
	if ours {
		remove(document, "rule", "id", "name", "ruleset", "version")
	}
	labels["deepcase_status"] = v.Status.String()
	delete(labels, "deepcase_cluster")
	if v.Status == model.Scored {
		object := alert.Object(document, "event")
		object["risk_score"] = v.Score
		object["risk_score_norm"] = round(min(100, 100*v.Score/e.maxScore))
	}
	if v.Status != model.Scored && v.Status != model.Unscored {
		return
	}
	cluster := strconv.Itoa(v.Cluster)
	labels["deepcase_cluster"] = cluster
	if ours || blank(rule) {
		rule = alert.Object(document, "rule")
		rule["id"], rule["name"], rule["ruleset"], rule["version"] = cluster, event, ruleset, version
	}
}

// blank says whether an object holds nothing; what was taken out of a document in an index is null there.
func blank(object map[string]any) bool {
	for _, value := range object {
		if value != nil {
			return false
		}
	}
	return true
}

// remove deletes fields of an object of the document, and the object if nothing is left of it.
func remove(document map[string]any, name string, fields ...string) {
	object, there := document[name].(map[string]any)
	for _, field := range fields {
		delete(object, field)
	}
	if there && len(object) == 0 {
		delete(document, name)
	}
}

// sampleKey is what equal samples share and different ones do not. It has one size, however long names are.
type sampleKey [sha256.Size]byte

// keyOf uses buffer, which grows.
func keyOf(s model.Sample, buffer *[]byte) sampleKey {
	text := binary.AppendUvarint((*buffer)[:0], uint64(len(s.Event)))
	text = append(text, s.Event...)
	for _, name := range s.Context {
		text = binary.AppendUvarint(text, uint64(len(name)))
		text = append(text, name...)
	}
	*buffer = text
	return sha256.Sum256(text)
}

// verdictBytes is what a verdict with so many events in its context takes in the cache at most, with its key and its places there.
func verdictBytes(length int) int { return 352 + 5*length }
