package annotation

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"connect-deepcase/internal/cases"
	"connect-deepcase/model"
)

// errNoVerdict is in errors about documents that have a context and no verdict.
var errNoVerdict = errors.New("no verdict there: is deepcase_predict before this component, with the same target?")

// Alert reads what deepcase_sequence and deepcase_predict wrote about a document, for its case. It has no time and no id, and refers to
// the document. An error names what is wrong.
func (t Target) Alert(document map[string]any) (a cases.Alert, err error) {
	object := t.object(document)
	if object == nil {
		return a, fmt.Errorf("document: %s: %w", t, ErrNoSequence)
	}
	if a.Machine, err = t.name(object, "machine"); err != nil {
		return a, err
	}
	if a.Event, err = t.name(object, "event"); err != nil {
		return a, err
	}
	status, ok := object["status"].(string)
	if object["status"] == nil {
		return a, fmt.Errorf("document: %s: %w", t, errNoVerdict)
	} else if !ok {
		return a, fmt.Errorf("document: %s.status is %s, need a status of deepcase_predict", t, kind(object["status"]))
	}
	if a.Status, err = model.ParseStatus(status); err != nil {
		return a, fmt.Errorf("document: %s.%w", t, err)
	}
	if a.Status == model.Scored || a.Status == model.Answered {
		if a.Score, ok = number(object["score"]); !ok {
			return a, fmt.Errorf("document: %s.score is %s, need a number", t, kind(object["score"]))
		} else if a.Score < 0 {
			return a, fmt.Errorf("document: %s.score is %v, need at least 0", t, a.Score)
		}
	}
	if a.Cluster, err = t.integer(object, "cluster", -1); err != nil {
		return a, err
	}
	a.Document = document
	a.HourlyMax, err = t.integer(object, "hourly_max", 0)
	return a, err
}

// WriteCase puts the case of an alert into a document from which Alert was read, and removes an earlier one.
func (t Target) WriteCase(document map[string]any, c cases.Case) {
	write(objectAt(document, t...), caseNames, caseMembers(nil, &c))
}

// caseNames are the names of the members that a case may have.
var caseNames = []string{"send", "case", "case_kind", "case_opened", "case_techniques"}

func caseMembers(members []member, c *cases.Case) []member {
	members = append(members, member{"send", c.Kind != cases.None})
	if c.Kind == cases.None {
		return members
	}
	members = append(members, member{"case", &c.ID}, member{"case_kind", c.Kind}, member{"case_opened", c.Opened})
	if len(c.Techniques) > 0 {
		members = append(members, member{"case_techniques", (*names)(&c.Techniques)})
	}
	return members
}

// integer is a field of an annotation that may be missing.
func (t Target) integer(object map[string]any, name string, missing int) (int, error) {
	if object[name] == nil {
		return missing, nil
	}
	n, ok := number(object[name])
	switch {
	case !ok:
		return 0, fmt.Errorf("document: %s.%s is %s, need an integer of at least 0", t, name, kind(object[name]))
	case !isIndex(n):
		return 0, fmt.Errorf("document: %s.%s is %v, need an integer of at least 0", t, name, n)
	}
	return int(n), nil
}

func isIndex(n float64) bool { return n == math.Trunc(n) && n >= 0 && n <= math.MaxInt32 }

// number is the value of a finite number, whether it was decoded from JSON or written by a processor.
func number(v any) (x float64, ok bool) {
	switch v := v.(type) {
	case float64:
		x = v
	case int64:
		x = float64(v)
	case int:
		x = float64(v)
	case uint64:
		x = float64(v)
	case json.Number:
		var err error
		if x, err = v.Float64(); err != nil {
			return 0, false
		}
	default:
		return 0, false
	}
	return x, !math.IsNaN(x) && !math.IsInf(x, 0)
}
