package annotation_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

func TestVerdictTravelsInADocument(t *testing.T) {
	at := time.Date(2026, 3, 2, 9, 14, 7, 0, time.FixedZone("", 3600))
	answer := &decisions.Found{Number: 12, Kind: decisions.Answer, Scope: decisions.Pattern, Score: 2, By: "ann", At: at}
	mute := &decisions.Found{Number: 13, Kind: decisions.Mute, Scope: decisions.Event, By: "bob", At: at, Until: at.Add(time.Hour)}
	due := &decisions.Found{Number: 14, Kind: decisions.Answer, Scope: decisions.PatternOnMachine, By: "ann", At: at, Due: at.Add(time.Hour)}
	full := model.Verdict{Score: 3, Cluster: 17, Confidence: 0.83333, Distance: 0.02109, Attention: []float32{0, 0.71}}
	for _, c := range []struct {
		of      model.Status
		settled decisions.Settled
		hourly  int
		want    string
	}{
		{of: model.Scored, settled: decisions.Settled{Score: 3}, want: `{"status":"scored","score":3,"cluster":17,"distance":0.0211,"confidence":0.8333,"attention":[0,0.71],"model":"v"}`},
		{of: model.Scored, hourly: 31, want: `{"status":"scored","score":0,"hourly_max":31,"cluster":17,"distance":0.0211,"confidence":0.8333,"attention":[0,0.71],"model":"v"}`},
		{of: model.Scored, hourly: 31, settled: decisions.Settled{Score: 1}, want: `{"status":"scored","score":1,"cluster":17,"distance":0.0211,"confidence":0.8333,"attention":[0,0.71],"model":"v"}`},
		{of: model.Unscored, hourly: 31, want: `{"status":"unscored","cluster":17,"distance":0.0211,"confidence":0.8333,"attention":[0,0.71],"model":"v"}`},
		{of: model.Disputed, want: `{"status":"disputed","cluster":17,"distance":0.0211,"confidence":0.8333,"attention":[0,0.71],"model":"v"}`},
		{of: model.NoCluster, want: `{"status":"no_cluster","distance":0.0211,"confidence":0.8333,"attention":[0,0.71],"model":"v"}`},
		{of: model.LowConfidence, want: `{"status":"low_confidence","confidence":0.8333,"attention":[0,0.71],"model":"v"}`},
		{of: model.UnknownEvent, want: `{"status":"unknown_event","model":"v"}`},
		{of: model.NoModel, want: `{"status":"no_model"}`},
		{of: model.UnknownEvent, settled: decisions.Settled{Status: model.Answered, Score: 2, Found: answer}, want: `{"status":"answered","score":2,"model":"v",
			"answer":{"number":12,"kind":"answer","scope":"pattern","score":2,"by":"ann","at":"2026-03-02T08:14:07Z","verdict":"unknown_event"}}`},
		{of: model.Scored, settled: decisions.Settled{Status: model.Muted, Found: mute}, want: `{"status":"muted","score":0,"cluster":17,"distance":0.0211,"confidence":0.8333,"attention":[0,0.71],"model":"v",
			"answer":{"number":13,"kind":"mute","scope":"event","by":"bob","at":"2026-03-02T08:14:07Z","until":"2026-03-02T09:14:07Z","verdict":"scored"}}`},
		{of: model.UnknownEvent, settled: decisions.Settled{Status: model.UnknownEvent, Before: due}, want: `{"status":"unknown_event","model":"v",
			"answered_before":{"number":14,"kind":"answer","scope":"pattern_on_machine","score":0,"by":"ann","at":"2026-03-02T08:14:07Z","due":"2026-03-02T09:14:07Z"}}`},
	} {
		target := annotation.Target{"a", "b"}
		document := decoded(t, `{"a":{"b":{"score":1,"cluster":2,"distance":3,"confidence":4,"attention":[],"model":"old","status":"old","answer":{"number":1},"answered_before":{"number":2},"hourly_max":3,"pattern":"old"}}}`)
		v := full
		if v.Status = c.of; v.Status != model.Scored && v.Status != model.Unscored && v.Status != model.Disputed {
			v.Cluster = -1
		}
		if c.settled.Found == nil {
			c.settled.Status = c.of
		}
		target.WriteVerdict(document, annotation.Result{Verdict: v, Version: "v", Pattern: decisions.Key{1, 2}, Settled: c.settled, HourlyMax: c.hourly}, true)
		content := encoded(t, document)
		assert.JSONEq(t, `{"a":{"b":`+strings.Replace(c.want, "{", `{"pattern":"01020000000000000000000000000000",`, 1)+`}}`, content)

		read, err := target.JSONVerdict([]byte(content))
		require.NoError(t, err)
		assert.Equal(t, c.settled.Status.String(), read.Status)
		assert.Equal(t, v.Status.String(), read.Underlying())
		assert.Equal(t, c.settled.Status.HasScore(), read.Score != nil)
		assert.Equal(t, v.Cluster >= 0, read.Cluster != nil)
		assert.Equal(t, "01020000000000000000000000000000", read.Pattern)
	}
}

func TestJSONVerdictNeedsAStatus(t *testing.T) {
	for _, content := range []string{`{}`, `{"deepcase":{}}`, `{"deepcase":null}`, `{"deepcase":{"status":null,"pattern":null}}`, `{"deepcase":"scored"}`, `{`} {
		_, err := annotation.Target{"deepcase"}.JSONVerdict([]byte(content))
		assert.EqualError(t, err, "deepcase: no annotation of deepcase_predict", content)
		assert.ErrorIs(t, err, annotation.ErrNoAnnotation)
	}
}

func TestJSONVerdictNamesAFieldOfAWrongType(t *testing.T) {
	for content, want := range map[string]string{
		`{"status":3}`:                                  "status is a JSON number",
		`{"status":"no_cluster","score":"0"}`:           "score is a JSON string",
		`{"status":"answered","answer":{"verdict":[]}}`: "answer.verdict is a JSON array",
		`{"case":7}`:                                    "case is a JSON number",
	} {
		_, err := annotation.Target{"deepcase"}.JSONVerdict([]byte(`{"deepcase":` + content + `}`))
		assert.EqualError(t, err, "document: deepcase."+want+", need it as deepcase_predict and deepcase_case wrote it", content)
		assert.NotErrorIs(t, err, annotation.ErrNoAnnotation)
	}
}
