package examples_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const zeekNotice = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tnotice\n#open\t2024-05-01-10-00-00\n" +
	"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tnote\tmsg\tsrc\tdst\tactions\n" +
	"#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\taddr\taddr\tset[enum]\n" +
	"1714557600.305988\tC1\t203.0.113.9\t36844\t10.0.0.5\t22\tSSH::Password_Guessing\tx\\x09y\t203.0.113.9\t-\tNotice::ACTION_LOG\n" +
	"1714557601.305988\t-\t-\t-\t-\t-\tScan::Port_Scan\t(empty)\t10.0.0.5\t198.51.100.7\tNotice::ACTION_LOG,Notice::ACTION_EMAIL\n"

// In one file, because logs are rotated and joined.
const zeekWeird = "#separator \\x09\n#unset_field\t-\n#path\tweird\n#fields\tts\tname\tid.resp_h\tnotice\n1714557602.1\tbad_TCP_checksum\t10.0.0.5\tF\n" +
	"1714557603.1\tunknown_ethernet_type\t-\tF\n1714557604.1\n#close\t2024-05-01-11-00-00\n"

func TestZeekInColumns(t *testing.T) {
	const conn = "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\n1714557600.1\t10.0.0.5\n"
	want := []string{"10.0.0.5 SSH::Password_Guessing", "10.0.0.5 Scan::Port_Scan", "10.0.0.5 weird: bad_TCP_checksum"}
	for name, files := range map[string]map[string]string{
		"joined":              {"notice.log": zeekNotice + "#close\t2024-05-01-11-00-00\n" + zeekWeird},
		"two files":           {"notice.log": zeekNotice, "weird.log": zeekWeird},
		"gzip and no alerts":  {"conn.log": conn, "notice.10:00:00-11:00:00.log.gz": gzipped(t, zeekNotice), "weird.10:00:00-11:00:00.log.gz": gzipped(t, zeekWeird)},
		"a byte order mark":   {"notice.log": "\uFEFF" + zeekNotice, "weird.log": zeekWeird},
		"ends without a line": {"notice.log": zeekNotice, "weird.log": zeekWeird[:len(zeekWeird)-1]},
	} {
		scored, dead := read(t, "source_zeek.yaml", written(t, files))
		assert.Equal(t, want, events(scored), name)
		require.Len(t, dead, 2, name)
		assert.Contains(t, dead[0].Error, "machine: @machine: is missing", name)
		assert.Contains(t, dead[1].Error, "1 columns, the header has 4", name)
		assert.Equal(t, "SSH::Password_Guessing", *scored[2].Deepcase.Context[8], name)
	}

	_, dead := read(t, "source_zeek.yaml", written(t, map[string]string{"notice.log": "1714557600.305988\tC1\t203.0.113.9\n"}))
	require.Len(t, dead, 1, "without its header")
}

const (
	cloudTrailEvents = `{"userIdentity":{"type":"Root","accountId":"123456789012"},"eventTime":"2024-05-01T10:00:00Z","eventSource":"iam.amazonaws.com","eventName":"CreateUser","eventID":"1"},` +
		`{"userIdentity":{"type":"Root","accountId":"123456789012"},"eventTime":"2024-05-01T10:00:01Z","eventSource":"iam.amazonaws.com","eventName":"CreateAccessKey","eventID":"2"}`
	guardDutyFinding = `{"AccountId":"1","Id":"f","Type":"a","Resource":{"ResourceType":"Instance","InstanceDetails":{"InstanceId":"i"}},"Service":{"EventLastSeen":"2024-05-01T10:00:00Z"}}`
	oktaEvents       = `{"uuid":"1","published":"2024-05-01T10:00:00Z","eventType":"a","actor":{"alternateId":"b"}},` +
		`{"uuid":"2","published":"2024-05-01T10:00:01Z","eventType":"c","actor":{"alternateId":"b"}}`
)

// The files as the tools write them: arrays, objects around arrays, compressed, over several lines.
func TestFilesOfJSONSources(t *testing.T) {
	roots := []string{"123456789012/root iam:CreateUser", "123456789012/root iam:CreateAccessKey"}
	for name, c := range map[string]struct {
		example, text string
		want          []string
	}{
		"CloudTrail in S3":           {"source_cloudtrail.yaml", gzipped(t, `{"Records":[`+cloudTrailEvents+`]}`), roots},
		"CloudTrail, two files":      {"source_cloudtrail.yaml", `{"Records":[` + cloudTrailEvents + `]}` + "\n" + `{"Records":[]}`, roots},
		"CloudTrail, lookup-events":  {"source_cloudtrail.yaml", "{\n    \"Events\": [\n        {\"EventId\": \"1\",\n \"CloudTrailEvent\": \"{\\\"userIdentity\\\":{\\\"type\\\":\\\"Root\\\",\\\"accountId\\\":\\\"123456789012\\\"},\\\"eventTime\\\":\\\"2024-05-01T10:00:00Z\\\",\\\"eventSource\\\":\\\"iam.amazonaws.com\\\",\\\"eventName\\\":\\\"CreateUser\\\"}\"}\n    ],\n    \"NextToken\": \"x\"\n}\n", roots[:1]},
		"GuardDuty from AWS CLI":     {"source_guardduty.yaml", "{\n    \"Findings\": [\n" + guardDutyFinding + "\n    ]\n}\n", []string{"1/instance/i a"}},
		"GuardDuty, export":          {"source_guardduty.yaml", gzipped(t, guardDutyFinding+"\n"), []string{"1/instance/i a"}},
		"Okta, an answer of the API": {"source_okta.yaml", "\uFEFF[" + oktaEvents + "]", []string{"b a", "b c"}},
		"OCSF, Prowler's array":      {"source_ocsf.yaml", `[{"class_uid":2004,"time":1714557600,"finding_info":{"title":"a"},"resources":[{"name":"b"}]}]`, []string{"b a"}},
		"Falco":                      {"source_falco.yaml", `{"hostname":"n","output":"x","rule":"a","time":"2024-05-01T10:00:00.123456789Z","output_fields":{}}` + "\n", []string{"n a"}},
		"Elastic Security, an answer": {"source_elastic_security.yaml", `{"took":3,"timed_out":false,"hits":{"total":{"value":1},"hits":[{"_id":"x","_source":` +
			`{"kibana.alert.rule.name":"a","host":{"name":"n"},"@timestamp":"2024-05-01T10:00:00Z"}}]}}`, []string{"n a"}},
		"Wazuh 5, an answer": {"source_wazuh.yaml", `{"took":3,"hits":{"hits":[{"_id":"x","_source":{"@timestamp":"2026-05-20T10:00:00Z",` +
			`"wazuh":{"agent":{"id":"001","name":"n"},"rule":{"title":"a"}}}}]}}`, []string{"n a"}},
		"Elastic Security":            {"source_elastic_security.yaml", `{"kibana.alert.rule.name":"a","host":{"name":"n"},"@timestamp":"2024-05-01T10:00:00Z"}` + "\n", []string{"n a"}},
		"Hayabusa over several lines": {"source_windows.yaml", "{\n    \"Timestamp\": \"2019-05-01 04:32:03.525 +09:00\",\n    \"RuleTitle\": \"PW Spray\",\n    \"Computer\": \"WS1\",\n    \"Channel\": \"Sec\",\n    \"EventID\": 4648\n}\n{\n    \"Timestamp\": \"2019-05-01 04:32:04.525 +09:00\",\n    \"RuleTitle\": \"Log Cleared\",\n    \"Computer\": \"WS1\",\n    \"Channel\": \"Sec\",\n    \"EventID\": 1102\n}\n", []string{"ws1 Sec: 4648 PW Spray", "ws1 Sec: 1102 Log Cleared"}},
	} {
		scored, dead := read(t, c.example, written(t, map[string]string{"events.json": c.text}))
		assert.Empty(t, dead, name)
		assert.Equal(t, c.want, events(scored), name)
	}
}

// Text that is not UTF-8 is a dead letter with its bytes, and what is cut off says so, in every example that reads JSON.
func TestJSONSourcesThatAreBroken(t *testing.T) {
	for _, example := range []string{
		"source_elastic_security.yaml", "source_zeek.yaml", "source_cloudtrail.yaml", "source_guardduty.yaml", "source_okta.yaml", "source_falco.yaml",
		"source_ocsf.yaml", "source_wazuh.yaml", "source_windows.yaml",
	} {
		scored, dead := read(t, example, written(t, map[string]string{"events": "{\"a\":\"M\xdcNCHEN\"}\n{\"a\":\n{\"a\":{\"b\":[1]}}\n"}))
		assert.Empty(t, scored, example)
		require.Len(t, dead, 3, example)
		assert.Contains(t, dead[0].Error, "is not UTF-8: want UTF-8", example)
		assert.NotEmpty(t, dead[0].Base64, example)
		assert.Equal(t, `{"a":`, dead[1].Document, example)
		assert.Contains(t, dead[2].Error, "its fields are a", example)
	}
}
