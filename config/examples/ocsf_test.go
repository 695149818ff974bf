package examples_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// attribute is what the OCSF schema says of an attribute.
type attribute struct {
	required bool
	is       string    // string_t, integer_t, long_t, boolean_t, timestamp_t, json_t, or object
	list     bool      // it is an array of these
	enum     []float64 // of integers
	object   map[string]attribute
	oneOf    []string // of the object: at least one of these
}

// entity is an object that has a name or a uid.
var entity = attribute{is: "object", object: map[string]attribute{"name": {is: "string_t"}, "uid": {is: "string_t"}}, oneOf: []string{"name", "uid"}}

// attacks are those of an object attack. Its version is recommended; sources do not say it.
var attacks = attribute{is: "object", list: true, object: map[string]attribute{
	"tactic": entity, "technique": entity, "sub_technique": entity, "version": {is: "string_t"},
}, oneOf: []string{"tactic", "technique", "sub_technique"}}

// detectionFinding is the class Detection Finding of OCSF 1.4.0 (ocsf/ocsf-schema: events/findings/detection_finding.json and finding.json,
// events/base_event.json, includes/classification.json and occurrence.json, objects/finding_info.json, attack.json, metadata.json, product.json,
// analytic.json, resource_details.json): all that is required, and those of the others that the example writes. Where versions from 1.1 to 1.9
// differ (title of finding_info, name and vendor_name of product), what any of them requires is required here.
var detectionFinding = attribute{is: "object", object: map[string]attribute{
	"activity_id":  {required: true, is: "integer_t", enum: []float64{0, 1, 2, 3, 99}},
	"category_uid": {required: true, is: "integer_t", enum: []float64{2}},
	"class_uid":    {required: true, is: "integer_t", enum: []float64{2004}},
	"type_uid":     {required: true, is: "long_t", enum: []float64{200400, 200401, 200402, 200403, 200499}},
	"severity_id":  {required: true, is: "integer_t", enum: []float64{0, 1, 2, 3, 4, 5, 6, 99}},
	"time":         {required: true, is: "timestamp_t"},
	"metadata": {required: true, is: "object", object: map[string]attribute{
		"version":       {required: true, is: "string_t"},
		"product":       {required: true, is: "object", object: map[string]attribute{"name": {required: true, is: "string_t"}, "vendor_name": {required: true, is: "string_t"}}},
		"original_time": {is: "string_t"}, "correlation_uid": {is: "string_t"},
	}},
	"finding_info": {required: true, is: "object", object: map[string]attribute{
		"uid": {required: true, is: "string_t"}, "title": {required: true, is: "string_t"},
		"types": {is: "string_t", list: true}, "attacks": attacks,
		"analytic": {is: "object", object: map[string]attribute{
			"type_id": {required: true, is: "integer_t", enum: []float64{0, 1, 2, 3, 4, 99}},
			"type":    {is: "string_t"}, "name": {is: "string_t"}, "uid": {is: "string_t"}, "version": {is: "string_t"},
		}, oneOf: []string{"name", "uid"}},
	}},
	"activity_name": {is: "string_t"}, "category_name": {is: "string_t"}, "class_name": {is: "string_t"}, "type_name": {is: "string_t"},
	"severity": {is: "string_t"}, "message": {is: "string_t"}, "raw_data": {is: "string_t"}, "unmapped": {is: "json_t"},
	"status": {is: "string_t"}, "status_detail": {is: "string_t"}, "status_id": {is: "integer_t", enum: []float64{0, 1, 2, 3, 4, 5, 6, 99}},
	"confidence": {is: "string_t"}, "confidence_id": {is: "integer_t", enum: []float64{0, 1, 2, 3, 99}}, "confidence_score": {is: "integer_t"},
	"is_alert":  {is: "boolean_t"},
	"resources": {is: "object", list: true, object: entity.object, oneOf: entity.oneOf},
}}

// check tells what is wrong with a value.
func (a attribute) check(path string, value any) (wrong []string) {
	if a.list {
		list, ok := value.([]any)
		if !ok || len(list) == 0 {
			return []string{fmt.Sprintf("%s is no list, or is empty", path)}
		}
		a.list = false
		for i, element := range list {
			wrong = append(wrong, a.check(fmt.Sprintf("%s[%d]", path, i), element)...)
		}
		return wrong
	}
	var ok bool
	switch a.is {
	case "object":
		return a.checkObject(path, value)
	case "string_t":
		text, is := value.(string)
		ok = is && text != ""
	case "boolean_t":
		_, ok = value.(bool)
	case "json_t":
		ok = value != nil
	default:
		number, is := value.(float64)
		ok = is && number == float64(int64(number)) && (a.enum == nil || slices.Contains(a.enum, number)) && (a.is != "timestamp_t" || number > 1e12)
	}
	if !ok {
		wrong = append(wrong, fmt.Sprintf("%s is %v, need %s %v", path, value, a.is, a.enum))
	}
	return wrong
}

func (a attribute) checkObject(path string, value any) (wrong []string) {
	object, ok := value.(map[string]any)
	if !ok {
		return []string{path + " is no object"}
	}
	for name, inside := range a.object {
		if _, there := object[name]; inside.required && !there {
			wrong = append(wrong, path+"."+name+" is required")
		}
	}
	for name, v := range object {
		if inside, known := a.object[name]; known {
			wrong = append(wrong, inside.check(path+"."+name, v)...)
		} else {
			wrong = append(wrong, path+"."+name+" is not in the schema")
		}
	}
	if a.oneOf != nil && !slices.ContainsFunc(a.oneOf, func(name string) bool { return object[name] != nil }) {
		wrong = append(wrong, fmt.Sprintf("%s needs one of %v", path, a.oneOf))
	}
	return wrong
}

// What the examples annotate becomes findings that have all that the schema requires, and nothing that it does not know.
func TestFindingsAreOCSF(t *testing.T) {
	dir := t.TempDir()
	events := filepath.Join(dir, "events.ndjson")
	documents := history(1) + `{"machine":"web-2","event":"<b>&\"é","timestamp":1764000000.25,"id":"x","big":12345678901234567890,"tags":["attack.t1059.001","attack.execution"]}` + "\n"
	require.NoError(t, os.WriteFile(events, []byte(documents), 0o644))
	scoring := outputs(t)
	scoring["INPUT"], scoring["MODEL"] = events, filepath.Join(dir, "no-model")
	run(t, "score_ndjson.yaml", scoring)
	annotatedFile := scoring["OUTPUT"]
	more, err := os.OpenFile(annotatedFile, os.O_APPEND|os.O_WRONLY, 0)
	require.NoError(t, err)
	_, err = more.WriteString(`{"timestamp":"2026-03-02T09:14:07Z","rule":{"mitre":{"id":["T1110"]}},"deepcase":{"machine":"m","event":"e","context":[null],"status":"scored","score":2,"cluster":17,"confidence":0.83,"distance":0.02,"attention":[0],"model":"v1","pattern":"5d","hourly_max":3,"send":true,"case":"alarm-1","case_kind":"alarm","case_opened":true,"case_techniques":["T1110"]}}
{"timestamp":"2026-03-02T09:14:07Z","deepcase":{"machine":"m","event":"e","context":[null],"status":"muted","score":0,"answer":{"number":3}}}
{"timestamp":"2026-03-02T09:14:07Z","deepcase":{"machine":"m","event":"e"}}
`)
	require.NoError(t, err)
	require.NoError(t, more.Close())

	variables := outputs(t)
	variables["INPUT"] = annotatedFile
	run(t, "output_ocsf.yaml", variables)
	require.Len(t, lines[annotated](t, variables["DEAD_LETTERS"]), 1)
	before, findings := lines[json.RawMessage](t, annotatedFile), lines[map[string]any](t, variables["OUTPUT"])
	require.Len(t, findings, len(before)-1)
	named, uids := 0, map[string]bool{}
	for i, finding := range findings {
		require.Empty(t, detectionFinding.check("finding", finding), "%s\n%v", before[i], finding)
		assert.EqualValues(t, 100*finding["class_uid"].(float64)+finding["activity_id"].(float64), finding["type_uid"])
		info := finding["finding_info"].(map[string]any)
		if info["attacks"] != nil {
			named++
		}
		uids[info["uid"].(string)] = true

		// Nothing of the document is lost.
		var document, raw map[string]json.RawMessage
		require.NoError(t, json.Unmarshal(before[i], &document))
		require.NoError(t, json.Unmarshal([]byte(finding["raw_data"].(string)), &raw))
		annotation, err := json.Marshal(finding["unmapped"].(map[string]any)["deepcase"])
		require.NoError(t, err)
		assert.JSONEq(t, string(document["deepcase"]), string(annotation))
		delete(document, "deepcase")
		require.Len(t, raw, len(document))
		for name, value := range document {
			assert.Equal(t, string(value), string(raw[name]), name)
		}
	}
	for name, inside := range detectionFinding.object { // what is checked would be missed
		if finding := maps.Clone(findings[0]); inside.required {
			delete(finding, name)
			assert.Equal(t, []string{"finding." + name + " is required"}, detectionFinding.check("finding", finding))
			finding[name] = []any{}
			assert.NotEmpty(t, detectionFinding.check("finding", finding), name)
		}
	}
	assert.Equal(t, 2, named)
	assert.Len(t, uids, len(findings))
}
