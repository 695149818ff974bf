package search

import (
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

func TestConfigsThatAreRefused(t *testing.T) {
	const good = "urls: [ http://localhost:9200 ]\nindex: alerts\n"
	for fields, message := range map[string]string{
		"urls: []\nindex: a":                             "field 'urls' is empty: need at least one URL",
		"urls: [ \",\" ]\nindex: a":                      "field 'urls' is empty: need at least one URL",
		"urls: [ localhost:9200 ]\nindex: a":             `field 'urls': "localhost:9200", need a URL such as http://localhost:9200`,
		"urls: [ http://h ]\nindex: \"\"":                "field 'index' is empty: need an index, a data stream, an alias or a pattern",
		good + "query: all":                              "field 'query': string, need an object of the query DSL",
		good + "sort_field: \"\"":                        "field 'sort_field' is empty: need the name of a field",
		good + "slices: 0":                               "field 'slices': 0, need 1 to 1024",
		good + "max_in_flight: 0":                        "field 'max_in_flight': 0, need 1 to 10000",
		good + "batch_size: 10001":                       "field 'batch_size': 10001, need 1 to 10000",
		good + "slices: 2\npoint_in_time: false":         "field 'slices': 2, need 1 without a point in time",
		good + "poll_interval: 0s":                       "field 'poll_interval': 0s, need longer than 0",
		good + "lag: -1s":                                "field 'lag': -1s, need 0 or longer",
		good + "keep_alive: 0s":                          "field 'keep_alive': 0s, need longer than 0",
		good + "timeout: -5s":                            "field 'timeout': -5s, need longer than 0",
		good + "cache: nowhere":                          `field 'cache': no cache resource has the label "nowhere"`,
		good + "api_key: a\nbearer_token: b":             "fields 'basic_auth', 'api_key' and 'bearer_token': 2 are set, need at most one",
		good + "basic_auth: {enabled: true}\napi_key: a": "fields 'basic_auth', 'api_key' and 'bearer_token': 2 are set, need at most one",
	} {
		conf, err := spec().ParseYAML(fields, nil)
		require.NoError(t, err, fields)
		_, err = newFromParsed(conf, service.MockResources(), time.Now)
		require.EqualError(t, err, message, fields)
	}
}

func TestLintsBadValues(t *testing.T) {
	linter := service.GlobalEnvironment().NewComponentConfigLinter()
	for field, lints := range map[string]int{
		"slices: 4": 0, "slices: 0": 1, "batch_size: 0": 1, "batch_size: 20000": 1, "query: text": 1, "query: { match_all: {} }": 0,
		"lag: -3s": 1, "lag: 0s": 0, "poll_interval: 0s": 1, "keep_alive: 1m": 0, "timeout: 0s": 1, "mode: always": 1, "missing: skip": 0, "nonsense: 1": 1,
	} {
		found, err := linter.LintInputYAML([]byte("deepcase_search:\n  urls: [ http://h:1 ]\n  index: a\n  " + field))
		require.NoError(t, err)
		require.Len(t, found, lints, field)
	}
}
