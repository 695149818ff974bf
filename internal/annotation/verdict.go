package annotation

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"connect-deepcase/internal/cases"
	"connect-deepcase/internal/field"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

// Result is what deepcase_predict says about an event: the verdict of a version, and what people's decisions make of it.
type Result struct {
	Verdict model.Verdict
	Version string
	Pattern decisions.Key // of the event, by the narrowest scope
	Settled decisions.Settled
	// HourlyMax is the highest number of events of its cluster on one machine in an hour of the training; 0 if it is in none, or if the model
	// does not know.
	HourlyMax int
}

// WriteVerdict puts a result next to the sequence that it is about, and removes an earlier one. Numbers that mean nothing for the status are
// left out; explain says whether to write the attention.
func (t Target) WriteVerdict(document map[string]any, r Result, explain bool) {
	write(objectAt(document, t...), verdictNames, verdictMembers(nil, &r, explain))
}

// verdictNames are the names of the members that a verdict may have.
var verdictNames = []string{"pattern", "status", "score", "cluster", "distance", "confidence", "attention", "model", "answer",
	"answered_before", "hourly_max"}

func verdictMembers(members []member, r *Result, explain bool) []member {
	v := &r.Verdict
	members = append(members, member{"pattern", &r.Pattern}, member{"status", &r.Settled.Status})
	if v.Status == model.NoModel {
		return members
	}
	members = append(members, member{"model", &r.Version})
	if r.Settled.Status.HasScore() {
		members = append(members, member{"score", &r.Settled.Score})
	}
	if r.writesHourlyMax() {
		members = append(members, member{"hourly_max", &r.HourlyMax})
	}
	if found := r.Settled.Found; found != nil {
		answer := Decided(found)
		answer["verdict"] = v.Status.String()
		members = append(members, member{"answer", answer})
	}
	if before := r.Settled.Before; before != nil {
		members = append(members, member{"answered_before", Decided(before)})
	}
	if v.Cluster >= 0 {
		members = append(members, member{"cluster", &v.Cluster})
	}
	if v.Cluster >= 0 || v.Status == model.NoCluster {
		members = append(members, member{"distance", (*rounded)(&v.Distance)})
	}
	if v.Status == model.UnknownEvent {
		return members
	}
	members = append(members, member{"confidence", (*rounded)(&v.Confidence)})
	if explain {
		members = append(members, member{"attention", (*shares)(&v.Attention)})
	}
	return members
}

func (r *Result) writesHourlyMax() bool {
	return r.HourlyMax > 0 && r.Settled.Status == model.Scored && r.Settled.Score == 0
}

// Decided is an answer or a mute as an object of a document.
func Decided(f *decisions.Found) map[string]any {
	object := map[string]any{"number": int64(f.Number), "kind": string(f.Kind), "scope": string(f.Scope), "by": f.By, "at": timeText(f.At)}
	if f.Kind == decisions.Answer {
		object["score"] = f.Score
	}
	if !f.Until.IsZero() {
		object["until"] = timeText(f.Until)
	}
	if !f.Due.IsZero() {
		object["due"] = timeText(f.Due)
	}
	return object
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// Verdict is what WriteVerdict wrote, without its numbers about the context, and the case of the event.
type Verdict struct {
	Status  string   `json:"status"`  // the text of a model.Status
	Score   *float64 `json:"score"`   // nil if there is none
	Cluster *int     `json:"cluster"` // nil if there is none
	Pattern string   `json:"pattern"` // "" if an earlier program wrote the verdict
	Answer  *Answer  `json:"answer"`  // nil if none settles the verdict
	// The answer that is due again or has expired, nil if there was none.
	Before *Answer `json:"answered_before"`
	// The case of deepcase_case, and the text of its cases.Kind; "" if there is none.
	Case     string `json:"case"`
	CaseKind string `json:"case_kind"`
}

// Audited tells whether the event was dismissed and is looked at all the same, to find out what is missed.
func (v Verdict) Audited() bool { return v.CaseKind == cases.Audit.String() && v.Case != "" }

// Answer is the answer or mute that settles a verdict.
type Answer struct {
	Number  uint64          `json:"number"`
	Scope   decisions.Scope `json:"scope"`
	Verdict string          `json:"verdict"` // the status without it
}

// Underlying is the status that the model gave, which an answer or a mute may hide.
func (v Verdict) Underlying() string {
	if v.Answer != nil {
		return v.Answer.Verdict
	}
	return v.Status
}

// ErrNoAnnotation is in errors about documents that have no verdict. One that has a field of a wrong type is another error.
var ErrNoAnnotation = errors.New("no annotation of deepcase_predict")

// JSONVerdict reads the verdict of a document that is not decoded. The target may also be a single key with dots.
func (t Target) JSONVerdict(document json.RawMessage) (v Verdict, err error) {
	object := field.FindJSON(document, t.String())
	if err = json.Unmarshal(object, &v); err != nil || v.Status == "" {
		return Verdict{}, t.Unreadable(err)
	}
	return v, nil
}

// Unreadable is the error about a document whose annotation cannot be decoded because of err, or has no verdict.
func (t Target) Unreadable(err error) error {
	if wrong, is := errors.AsType[*json.UnmarshalTypeError](err); is && wrong.Field != "" {
		return fmt.Errorf("document: %s.%s is a JSON %s, need it as deepcase_predict and deepcase_case wrote it", t, wrong.Field, wrong.Value)
	}
	return fmt.Errorf("%s: %w", t, ErrNoAnnotation)
}
