package annotation_test

import (
	"encoding/json"
	"maps"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/cases"
	"connect-deepcase/model"
)

func TestAlertOfADocument(t *testing.T) {
	at := annotation.Target{"a", "b"}
	for content, want := range map[string]cases.Alert{
		`{"status":"scored","score":2.5,"cluster":17}`:              {Status: model.Scored, Score: 2.5, Cluster: 17},
		`{"status":"scored","score":0,"cluster":0,"hourly_max":40}`: {Status: model.Scored, Cluster: 0, HourlyMax: 40},
		`{"status":"answered","score":1,"cluster":null}`:            {Status: model.Answered, Score: 1, Cluster: -1},
		`{"status":"muted","score":0,"cluster":3}`:                  {Status: model.Muted, Cluster: 3},
		`{"status":"muted"}`:                                        {Status: model.Muted, Cluster: -1},
		`{"status":"no_model"}`:                                     {Status: model.NoModel, Cluster: -1},
	} {
		document := decoded(t, `{"a":{"b":`+content+`}}`)
		object := document["a"].(map[string]any)["b"].(map[string]any)
		object["machine"], object["event"] = "m", "e"
		want.Machine, want.Event, want.Document = "m", "e", document
		got, err := at.Alert(document)
		require.NoError(t, err, content)
		assert.Equal(t, want, got, content)
		maps.Copy(object, map[string]any{"score": json.Number("2"), "cluster": int64(2), "hourly_max": 2})
		_, err = at.Alert(document)
		assert.NoError(t, err, "as processors and messages hold numbers")
	}
}

func TestAlertSaysWhatIsWrong(t *testing.T) {
	at := annotation.Target{"deepcase"}
	for content, want := range map[string]string{
		`{}`:                                     "document: deepcase: " + annotation.ErrNoSequence.Error(),
		`{"deepcase":1}`:                         "document: deepcase: " + annotation.ErrNoSequence.Error(),
		`{"deepcase":{"event":"e"}}`:             "document: deepcase.machine is null or missing, need a name",
		`{"deepcase":{"machine":"m","event":7}}`: "document: deepcase.event is a number, need a name",
		`{"deepcase":{"machine":"m","event":"e"}}`:                                   "document: deepcase: no verdict there: is deepcase_predict before this component, with the same target?",
		`{"deepcase":{"machine":"m","event":"e","status":3}}`:                        "document: deepcase.status is a number, need a status of deepcase_predict",
		`{"deepcase":{"machine":"m","event":"e","status":"scored"}}`:                 "document: deepcase.score is null or missing, need a number",
		`{"deepcase":{"machine":"m","event":"e","status":"answered","score":"1"}}`:   `document: deepcase.score is the text "1", need a number`,
		`{"deepcase":{"machine":"m","event":"e","status":"scored","score":-1}}`:      "document: deepcase.score is -1, need at least 0",
		`{"deepcase":{"machine":"m","event":"e","status":"unscored","cluster":-1}}`:  "document: deepcase.cluster is -1, need an integer of at least 0",
		`{"deepcase":{"machine":"m","event":"e","status":"muted","hourly_max":1.5}}`: "document: deepcase.hourly_max is 1.5, need an integer of at least 0",
	} {
		_, err := at.Alert(decoded(t, content))
		assert.EqualError(t, err, want)
	}
	_, err := at.Alert(decoded(t, `{"deepcase":{"machine":"m","event":"e","status":"new"}}`))
	assert.ErrorContains(t, err, `document: deepcase.status "new": want one of scored, unscored, low_confidence`)
	nan := decoded(t, `{"deepcase":{"machine":"m","event":"e","status":"scored"}}`)
	nan["deepcase"].(map[string]any)["score"] = math.NaN()
	_, err = at.Alert(nan)
	assert.EqualError(t, err, "document: deepcase.score is a number, need a number")
}

func TestWriteCaseReplacesAnEarlierOne(t *testing.T) {
	at := annotation.Target{"a", "b"}
	document := decoded(t, `{"a":{"b":{"status":"scored","score":3,"cluster":1,"machine":"m","event":"e"}}}`)
	a, err := at.Alert(document)
	require.NoError(t, err)
	var m cases.Machine
	c := m.Add(cases.DefaultOptions(), a)
	at.WriteCase(document, c)
	assert.JSONEq(t, `{"a":{"b":{"status":"scored","score":3,"cluster":1,"machine":"m","event":"e","case":"`+c.ID+`","case_kind":"alarm","case_opened":true,"send":true}}}`, encoded(t, document))
	c.Techniques = []string{"T1021.004", "T1110"}
	at.WriteCase(document, c)
	assert.Contains(t, encoded(t, document), `"case_techniques":["T1021.004","T1110"]`)
	at.WriteCase(document, cases.Case{})
	assert.JSONEq(t, `{"a":{"b":{"status":"scored","score":3,"cluster":1,"machine":"m","event":"e","send":false}}}`, encoded(t, document))
}
