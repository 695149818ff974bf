package attack_test

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/attack"
)

// shapes are documents as sources write them.
var shapes = map[string]struct {
	document string
	want     []string
}{
	"Wazuh 4": {`{"rule":{"level":10,"mitre":{"id":["T1110","T1021.004"],"tactic":["Credential Access","Lateral Movement"],"technique":["Brute Force","SSH"]}}}`,
		[]string{"T1021.004", "T1110"}},
	"Wazuh 5": {`{"wazuh":{"rule":{"title":"x","mitre":{"technique":{"id":["T1110"],"name":["Brute Force"]},"tactic":{"id":["TA0006"]}},"tags":["attack.t1021.004","linux"]}}}`,
		[]string{"T1021.004", "T1110"}},
	"Wazuh, one id that is no list":    {`{"rule":{"mitre":{"id":"T1110"}}}`, []string{"T1110"}},
	"ECS, lists":                       {`{"threat":{"framework":"MITRE ATT&CK","technique":{"id":["T1059"],"name":["x"],"subtechnique":{"id":["T1059.001"]}},"tactic":{"id":["TA0002"]}}}`, []string{"T1059", "T1059.001"}},
	"ECS, a list of threats":           {`{"threat":[{"technique":[{"id":"T1059"}]},{"technique":{"id":"T1003"}}]}`, []string{"T1003", "T1059"}},
	"ECS, keys with dots":              {`{"threat.technique.id":["T1059"],"threat.technique.subtechnique.id":["T1059.001"]}`, []string{"T1059", "T1059.001"}},
	"Elastic Security, keys with dots": {`{"kibana.alert.rule.threat":[{"framework":"MITRE ATT&CK","tactic":{"id":"TA0006"},"technique":[{"id":"T1003","subtechnique":[{"id":"T1003.001"}]}]}]}`, []string{"T1003", "T1003.001"}},
	"Elastic Security, nested":         {`{"kibana":{"alert":{"rule":{"threat":[{"technique":[{"id":"T1003"}]}]}}}}`, []string{"T1003"}},
	"Elastic Security, half nested":    {`{"kibana.alert":{"rule":{"parameters":{"threat":[{"technique":[{"id":"T1003"}]}]}}}}`, []string{"T1003"}},
	"Elastic Security, of a search for fields": {`{"kibana.alert.rule.threat.technique.id":["T1003"],"kibana.alert.rule.threat.technique.subtechnique.id":["T1003.001"]}`,
		[]string{"T1003", "T1003.001"}},
	"Elastic Security before 8.0": {`{"signal":{"rule":{"threat":[{"technique":[{"id":"T1003","subtechnique":[]}]}]}}}`, []string{"T1003"}},
	"Sigma by Chainsaw":           {`{"group":"Sigma","name":"x","tags":["attack.execution","attack.t1059.001","attack.s0154","attack.g0016","cve.2021.44228"]}`, []string{"T1059.001"}},
	"Sigma, in capitals":          {`{"tags":["ATTACK.T1059"]}`, []string{"T1059"}},
	"Sigma, tags of the rule":     {`{"rule":{"tags":["attack.t1110"]}}`, []string{"T1110"}},
	"Hayabusa":                    {`{"MitreTactics":["CredAccess"],"MitreTags":["T1003.001","G0001"],"OtherTags":["car.2013"]}`, []string{"T1003.001"}},
	"Hayabusa, csv":               {`{"MitreTags":"T1003.001 ¦ T1555"}`, []string{"T1003.001", "T1555"}},
	"Falco":                       {`{"rule":"Terminal shell in container","tags":["container","T1059","mitre_execution"]}`, []string{"T1059"}},
	"OCSF":                        {`{"class_uid":2004,"attacks":[{"technique":{"uid":"T1110","name":"Brute Force"},"tactic":{"uid":"TA0006"}},{"sub_technique":{"uid":"T1110.001"}}]}`, []string{"T1110", "T1110.001"}},
	"OCSF from 1.1 on":            {`{"finding_info":{"attacks":[{"technique":{"uid":"T1110"},"sub_technique":{"uid":"T1110.003"}}]}}`, []string{"T1110", "T1110.003"}},
	"Suricata":                    {`{"event_type":"alert","alert":{"metadata":{"mitre_tactic_id":["TA0011"],"mitre_technique_id":["T1071"]}}}`, []string{"T1071"}},
	"Suricata by Filebeat":        {`{"suricata":{"eve":{"alert":{"metadata":{"mitre_technique_id":["T1071"]}}}}}`, []string{"T1071"}},
	"several sources, each once":  {`{"rule":{"mitre":{"id":["t1110"]}},"threat":{"technique":{"id":"T1110"}},"tags":["attack.t1110"]}`, []string{"T1110"}},

	"none":                              {`{"rule":{"name":"T1110"},"message":"T1110"}`, nil},
	"tactics, groups and software":      {`{"rule":{"mitre":{"id":["TA0006","G0016","S0154"]}}}`, nil},
	"no id":                             {`{"rule":{"mitre":{"id":["T111","T11100","T1110.1","T1110.0001","T1110.000","X1110","T1l10","","T１１１０",null,1110,{"id":"T1110"},["T1110"]]}}}`, nil},
	"an id within a tag":                {`{"tags":["printer T1000","asset-T2000","attack.t1059 or so"]}`, nil},
	"objects where texts are":           {`{"tags":{"id":"T1110"},"threat":"T1110","attacks":["T1110"],"rule":[]}`, nil},
	"a letter that only looks like one": {`{"rule":{"mitre":{"id":"Ｔ1110"}}}`, nil},
	"an id that is escaped":             {`{"rule":{"mitre":{"id":"\u0054111\u0030"}}}`, []string{"T1110"}},
	"a key that is escaped":             {`{"t\u0061gs":["T1110"]}`, []string{"T1110"}},
	"no object":                         {`["T1110"]`, nil},
}

func decoded(text string) (document map[string]any) {
	_ = json.Unmarshal([]byte(text), &document)
	return document
}

func TestTechniquesOfEachSource(t *testing.T) {
	for name, c := range shapes {
		assert.Equal(t, c.want, attack.Techniques(decoded(c.document)), name)
		assert.Equal(t, c.want, attack.OfJSON([]byte(c.document)), name)
	}
	assert.Nil(t, attack.Techniques(nil))
	assert.Nil(t, attack.OfJSON(nil))
	assert.Equal(t, []string{"T1110"}, attack.OfJSON([]byte(`{"tags":["T1110"],"rule":{"mitre":{"id":["T10`)), "what is there of a document that was cut")
}

// However many a document names, the same ones are read of it.
func TestTechniquesAreBounded(t *testing.T) {
	var many, want []string
	for i := range 100 {
		many = append(many, fmt.Sprintf("T%04d", 1999-i))
	}
	want = slices.Sorted(slices.Values(many[:attack.Most]))
	line, err := json.Marshal(map[string]any{"rule": map[string]any{"mitre": map[string]any{"id": many}}, "tags": []string{"T0001"}})
	require.NoError(t, err)
	for range 10 {
		assert.Equal(t, want, attack.Techniques(decoded(string(line))))
		assert.Equal(t, want, attack.OfJSON(line))
	}
	assert.Equal(t, want, attack.Merge(slices.Clone(want), "T0001", want[3]))
}

func TestMerge(t *testing.T) {
	assert.Equal(t, []string{"T1003", "T1059", "T1110"}, attack.Merge([]string{"T1059"}, "T1110", "T1003", "T1059"))
	assert.Nil(t, attack.Merge(nil))
}

func TestWithin(t *testing.T) {
	for _, c := range []struct {
		id, whole string
		want      bool
	}{{"T1110", "T1110", true}, {"T1110.001", "T1110", true}, {"T1110.001", "T1110.001", true}, {"T1110", "T1110.001", false}, {"T1110", "T111", false}, {"T1110.001", "T1110.0", false}} {
		assert.Equal(t, c.want, attack.Within(c.id, c.whole), c)
	}
}

func TestCounts(t *testing.T) {
	assert.Equal(t, []attack.Count{{"T1059", 1}, {"T1110", 2}}, attack.Counts([]json.RawMessage{[]byte(`{"tags":["T1110"]}`), []byte(`{"tags":["T1059","T1110"]}`), []byte(`{}`)}))
	assert.Nil(t, attack.Counts[json.RawMessage](nil))
}

var valid = regexp.MustCompile(`^T[0-9]{4}(\.[0-9]{3})?$`)

func FuzzTechniques(f *testing.F) {
	for _, c := range shapes {
		f.Add([]byte(c.document))
	}
	f.Add([]byte(`{"tags":["T1110"],"tags":null}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		var document map[string]any
		if json.Unmarshal(content, &document) != nil {
			attack.OfJSON(content)
			return
		}
		ids := attack.Techniques(document)
		require.Equal(t, ids, attack.OfJSON(content))
		require.True(t, slices.IsSorted(ids) && len(slices.Compact(slices.Clone(ids))) == len(ids) && len(ids) <= attack.Most, ids)
		for _, id := range ids {
			require.Regexp(t, valid, id)
		}
	})
}

// A document of 2 KB as Wazuh writes it, without techniques and with.
func BenchmarkTechniques(b *testing.B) {
	for name, id := range map[string]string{"none": "", "two": `"T1110","T1021.004"`} {
		line := []byte(`{"timestamp":"2026-11-23T14:15:00.000+0000","rule":{"level":10,"description":"sshd: brute force trying to get access","id":"5712","mitre":{"id":[` + id + `]}},` +
			`"agent":{"id":"001","name":"web-1"},"full_log":"` + strings.Repeat("Nov 23 14:15:00 web-1 sshd[4711]: Failed password ", 40) + `"}`)
		document := decoded(string(line))
		b.Run("decoded/"+name, func(b *testing.B) {
			for b.Loop() {
				attack.Techniques(document)
			}
		})
		b.Run("json/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(line)))
			for b.Loop() {
				attack.OfJSON(line)
			}
		})
	}
}
