package annotation

import (
	"slices"
	"strconv"
	"strings"

	"connect-deepcase/internal/attack"
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

// scored are the texts of the statuses that have a score.
var scored = []any{model.Scored.String(), model.Answered.String(), model.Muted.String()}

// Write puts the result on an event into a document that passed Check, and removes what an earlier one wrote. The previous status tells who
// wrote the risk fields: of our results, only one with a score has written them.
func (e ECS) Write(document map[string]any, event string, r Result) {
	writeTechniques(document)
	labels := objectAt(document, "labels")
	rule, _ := document["rule"].(map[string]any)
	ours := rule["ruleset"] == ruleset
	before, labelled := labels["deepcase_status"]
	if slices.Contains(scored, before) || ours && !labelled {
		remove(document, "event", "risk_score", "risk_score_norm")
	}
	if ours {
		remove(document, "rule", "id", "name", "ruleset", "version")
	}
	labels["deepcase_status"] = r.Settled.Status.String()
	delete(labels, "deepcase_cluster")
	if r.Settled.Status.HasScore() {
		object := objectAt(document, "event")
		object["risk_score"] = r.Settled.Score
		object["risk_score_norm"] = Round(min(100, 100*r.Settled.Score/e.MaxScore))
	}
	if r.Verdict.Cluster < 0 {
		return
	}
	cluster := strconv.Itoa(r.Verdict.Cluster)
	labels["deepcase_cluster"] = cluster
	if ours || blank(rule) {
		rule = objectAt(document, "rule")
		rule["id"], rule["name"], rule["ruleset"], rule["version"] = cluster, event, ruleset, r.Version
	}
}

// attackFramework is what ECS calls MITRE ATT&CK.
const attackFramework = "MITRE ATT&CK"

// writeTechniques puts the techniques that a document names into its threat, unless that has some already or is of another framework. What is
// there stays as it is. They do not depend on the verdict, so they need not be removed.
func writeTechniques(document map[string]any) {
	for name := range document { // threat.technique.id as a key would be there twice
		if strings.HasPrefix(name, "threat.") {
			return
		}
	}
	threat, ok := document["threat"].(map[string]any)
	if document["threat"] != nil && !ok || threat["technique"] != nil || threat["framework"] != nil && threat["framework"] != attackFramework {
		return
	}
	var techniques, parts []any
	for _, id := range attack.Techniques(document) {
		whole, _, part := strings.Cut(id, ".")
		if part {
			parts = append(parts, id)
		}
		if len(techniques) == 0 || techniques[len(techniques)-1] != whole { // they are sorted
			techniques = append(techniques, whole)
		}
	}
	if techniques == nil {
		return
	}
	threat = objectAt(document, "threat")
	technique := map[string]any{"id": techniques}
	if parts != nil {
		technique["subtechnique"] = map[string]any{"id": parts}
	}
	threat["framework"], threat["technique"] = attackFramework, technique
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
