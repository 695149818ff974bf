package board

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf8"

	"connect-deepcase/internal/field"
)

// annotated is what Read looks at of an annotation.
type annotated struct {
	Machine    string     `json:"machine"`
	Event      string     `json:"event"`
	Context    nameList   `json:"context"`
	Attention  numberList `json:"attention"`
	Status     string     `json:"status"`
	Score      *float64   `json:"score"`
	Cluster    *int       `json:"cluster"`
	Confidence *float64   `json:"confidence"`
	Model      string     `json:"model"`
	Pattern    string     `json:"pattern"`
	Answer     *struct {
		Verdict string `json:"verdict"`
	} `json:"answer"`
	Case     string `json:"case"`
	CaseKind string `json:"case_kind"`
}

// read decodes an annotation in valid JSON. Half of the time of the intake went here, so what deepcase_predict writes is decoded in one pass, and
// encoding/json reads all else and finds out what is wrong.
func (d *annotated) read(object json.RawMessage) error {
	if len(object) > 0 && object[0] == '{' && d.readUsual(object) {
		return nil
	}
	*d = annotated{}
	return json.Unmarshal(object, d)
}

// readUsual is not ok if a value is anything but the usual.
func (d *annotated) readUsual(object json.RawMessage) (ok bool) {
	ok = true
	for key, value := range field.Members(object) {
		switch key {
		case "machine":
			ok = usualText(value, &d.Machine)
		case "event":
			ok = usualText(value, &d.Event)
		case "status":
			ok = usualText(value, &d.Status)
		case "model":
			ok = usualText(value, &d.Model)
		case "pattern":
			ok = usualText(value, &d.Pattern)
		case "case":
			ok = usualText(value, &d.Case)
		case "case_kind":
			ok = usualText(value, &d.CaseKind)
		case "context":
			ok = d.Context.UnmarshalJSON(value) == nil
		case "attention":
			ok = d.Attention.UnmarshalJSON(value) == nil
		case "score":
			d.Score, ok = usualNumber(value)
		case "confidence":
			d.Confidence, ok = usualNumber(value)
		case "cluster":
			n, err := strconv.Atoi(string(value))
			d.Cluster, ok = &n, err == nil
		case "answer":
			ok = json.Unmarshal(value, &d.Answer) == nil
		}
		if !ok {
			return false
		}
	}
	return ok
}

func usualText(value json.RawMessage, to *string) bool {
	if value[0] != '"' || bytes.IndexByte(value, '\\') >= 0 || !utf8.Valid(value) {
		return false
	}
	*to = string(value[1 : len(value)-1])
	return true
}

func usualNumber(value json.RawMessage) (*float64, bool) {
	x, err := strconv.ParseFloat(string(value), 64)
	return &x, err == nil
}
