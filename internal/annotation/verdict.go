package annotation

import (
	"encoding/json"
	"fmt"

	"connect-deepcase/internal/field"
	"connect-deepcase/model"
)

// WriteVerdict puts the verdict of a version next to the sequence that it is about, and removes an earlier one. Numbers that mean nothing
// for the verdict's status are left out; explain says whether to write the attention.
func (t Target) WriteVerdict(document map[string]any, v model.Verdict, version string, explain bool) {
	object := objectAt(document, t...)
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
		object["distance"] = Round(v.Distance)
		fallthrough
	case model.LowConfidence:
		object["confidence"] = Round(v.Confidence)
		if explain {
			attention := make([]any, len(v.Attention))
			for i, a := range v.Attention {
				attention[i] = Round(float64(a))
			}
			object["attention"] = attention
		}
	}
}

// Verdict is what WriteVerdict wrote, without its numbers about the context.
type Verdict struct {
	Status  string   `json:"status"`  // the text of a model.Status
	Score   *float64 `json:"score"`   // nil if there is none
	Cluster *int     `json:"cluster"` // nil if there is none
}

// JSONVerdict reads the verdict of a document that is not decoded. The target may also be a single key with dots.
func (t Target) JSONVerdict(document json.RawMessage) (v Verdict, err error) {
	if err := json.Unmarshal(field.FindJSON(document, t.String()), &v); err != nil || v.Status == "" {
		return Verdict{}, fmt.Errorf("%s: no annotation of deepcase_predict", t)
	}
	return v, nil
}
