package annotation_test

import (
	"testing"

	"github.com/stretchr/testify/assert"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

// Techniques that a document names elsewhere are written where ECS has them. What is there is never changed.
func TestECSTechniques(t *testing.T) {
	for content, want := range map[string]string{
		`{"rule":{"name":"r","mitre":{"id":["T1110.001","T1021.004","T1110","T1110.003"]}}}`: `"threat":{"framework":"MITRE ATT\u0026CK","technique":{"id":["T1021","T1110"],"subtechnique":{"id":["T1021.004","T1110.001","T1110.003"]}}}`,
		`{"tags":["attack.t1078"]}`: `"threat":{"framework":"MITRE ATT\u0026CK","technique":{"id":["T1078"]}}`,
		`{"tags":["attack.t1078"],"threat":{"indicator":{"ip":"192.0.2.1"}}}`: `"threat":{"framework":"MITRE ATT\u0026CK","indicator":{"ip":"192.0.2.1"},"technique":{"id":["T1078"]}}`,
		`{"tags":["attack.t1078"],"threat":null}`:                             `"threat":{"framework":"MITRE ATT\u0026CK","technique":{"id":["T1078"]}}`,

		`{"tags":["attack.t1078"],"threat":{"technique":{"name":"x"}}}`: `"threat":{"technique":{"name":"x"}}`,
		`{"tags":["attack.t1078"],"threat":{"framework":"ours"}}`:       `"threat":{"framework":"ours"}`,
		`{"tags":["attack.t1078"],"threat":[{"tactic":{"id":"TA1"}}]}`:  `"threat":[{"tactic":{"id":"TA1"}}]`,
		`{"tags":["attack.t1078"],"threat.technique.id":["T1059"]}`:     `"threat.technique.id":["T1059"]`,
		`{"threat":{"technique":{"id":"T1059"}}}`:                       `"threat":{"technique":{"id":"T1059"}}`,
	} {
		document := decoded(t, content)
		ecs := annotation.ECS{MaxScore: 3}
		assert.NoError(t, ecs.Check(document), content)
		for range 2 {
			ecs.Write(document, "e", annotation.Result{Verdict: model.Verdict{Cluster: -1}, Settled: decisions.Settled{Status: model.NoCluster}})
			assert.Contains(t, encoded(t, document), want, content)
		}
	}
	document := decoded(t, `{"tags":["other"]}`)
	annotation.ECS{MaxScore: 3}.Write(document, "e", annotation.Result{Verdict: model.Verdict{Cluster: -1}})
	assert.NotContains(t, document, "threat")
}
