package annotation

import (
	"strconv"

	"connect-deepcase/model"
)

// ECS writes verdicts into the fields of the Elastic Common Schema.
type ECS struct {
	MaxScore float64 // the score that is a risk of 100
}

// Check says whether the fields can be written into a document.
func (ECS) Check(document map[string]any) error {
	for _, name := range []string{"event", "labels", "rule"} {
		if err := checkObject(document, name); err != nil {
			return err
		}
	}
	return nil
}

// ruleset tells a rule that Write wrote from the document's own.
const ruleset = "deepcase"

// Write puts the verdict of a version on an event into a document that passed Check, and removes what an earlier verdict wrote. The previous
// status tells who wrote the risk fields: of our verdicts, only a scored one has written them.
func (e ECS) Write(document map[string]any, event string, v model.Verdict, version string) {
	labels := objectAt(document, "labels")
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
		object := objectAt(document, "event")
		object["risk_score"] = v.Score
		object["risk_score_norm"] = Round(min(100, 100*v.Score/e.MaxScore))
	}
	if v.Status != model.Scored && v.Status != model.Unscored {
		return
	}
	cluster := strconv.Itoa(v.Cluster)
	labels["deepcase_cluster"] = cluster
	if ours || blank(rule) {
		rule = objectAt(document, "rule")
		rule["id"], rule["name"], rule["ruleset"], rule["version"] = cluster, event, ruleset, version
	}
}

// blank says whether an object holds nothing. A field that was removed from a document in an index is null there.
func blank(object map[string]any) bool {
	for _, value := range object {
		if value != nil {
			return false
		}
	}
	return true
}

// remove deletes fields of an object of the document, and the object if it is empty then.
func remove(document map[string]any, name string, fields ...string) {
	object, there := document[name].(map[string]any)
	for _, field := range fields {
		delete(object, field)
	}
	if there && len(object) == 0 {
		delete(document, name)
	}
}
