package annotation_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/model"
)

func TestVerdictTravelsInADocument(t *testing.T) {
	full := model.Verdict{Score: 3, Cluster: 17, Confidence: 0.83333, Distance: 0.02109, Attention: []float32{0, 0.71}}
	for status, want := range map[model.Status]string{
		model.Scored:        `{"status":"scored","score":3,"cluster":17,"distance":0.0211,"confidence":0.8333,"attention":[0,0.71],"model":"v"}`,
		model.Unscored:      `{"status":"unscored","cluster":17,"distance":0.0211,"confidence":0.8333,"attention":[0,0.71],"model":"v"}`,
		model.NoCluster:     `{"status":"no_cluster","distance":0.0211,"confidence":0.8333,"attention":[0,0.71],"model":"v"}`,
		model.LowConfidence: `{"status":"low_confidence","confidence":0.8333,"attention":[0,0.71],"model":"v"}`,
		model.UnknownEvent:  `{"status":"unknown_event","model":"v"}`,
		model.NoModel:       `{"status":"no_model"}`,
	} {
		target := annotation.Target{"a", "b"}
		document := decoded(t, `{"a":{"b":{"score":1,"cluster":2,"distance":3,"confidence":4,"attention":[],"model":"old","status":"old"}}}`)
		v := full
		v.Status = status
		target.WriteVerdict(document, v, "v", true)
		content := encoded(t, document)
		assert.JSONEq(t, `{"a":{"b":`+want+`}}`, content)

		read, err := target.JSONVerdict([]byte(content))
		require.NoError(t, err)
		assert.Equal(t, status.String(), read.Status)
		assert.Equal(t, status == model.Scored, read.Score != nil)
		assert.Equal(t, status == model.Scored || status == model.Unscored, read.Cluster != nil)
	}
}

func TestJSONVerdictNeedsAStatus(t *testing.T) {
	for _, content := range []string{`{}`, `{"deepcase":{}}`, `{"deepcase":{"status":3}}`, `{"deepcase":"scored"}`} {
		_, err := annotation.Target{"deepcase"}.JSONVerdict([]byte(content))
		assert.EqualError(t, err, "deepcase: no annotation of deepcase_predict", content)
	}
}
