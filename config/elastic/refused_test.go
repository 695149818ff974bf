package elastic_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// refusals finds the checks of a pipeline that tell what a server will never take.
func refusals(node *yaml.Node) (checks []string) {
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && child.Value == "check" && strings.Contains(node.Content[i+1].Value, "fallback_error") {
			checks = append(checks, node.Content[i+1].Value)
		}
		checks = append(checks, refusals(child)...)
	}
	return checks
}

// What the servers say, as Connect's outputs give it: Elasticsearch's without a type, OpenSearch's after one.
func TestOnlyWhatAServerWillNeverTakeIsRefused(t *testing.T) {
	never := []string{
		"mapping set to strict, dynamic introduction of [deepcase] within [_doc] is not allowed",
		"strict_dynamic_mapping_exception: mapping set to strict, dynamic introduction of [deepcase] within [_doc] is not allowed",
		"object mapping for [deepcase] tried to parse field [deepcase] as object, but found a concrete value",
		"[1:9] failed to parse field [deepcase.event] of type [long] in document with id '1'. Preview of field's value: 'index [a] blocked by: x'",
		"mapper_parsing_exception: failed to parse field [deepcase.score] of type [date] in document with id '1'",
		"Limit of total fields [1000] has been exceeded while adding new fields [5]",
	}
	updates := []string{
		"[1]: document missing", "document_missing_exception: [_doc][1]: document missing", "[_doc][1]: document source missing",
		"no such index [alerts-1]", "index_not_found_exception: no such index [alerts-1]",
	}
	passing := []string{
		"failed to process cluster event (put-mapping [alerts-1/u7Lw]) within 30s",
		"process_cluster_event_timeout_exception: failed to process cluster event (put-mapping) within 30s",
		"index [mapping-1] blocked by: [FORBIDDEN/8/index write (api)];",
		"cluster_block_exception: index [mapper] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];",
		"[1]: version conflict, required seqNo [3], primary term [1]. current document has seqNo [4] and primary term [1]",
		"rejected execution of coordinating operation", "dial tcp 127.0.0.1:9200: connect: connection refused",
	}
	for _, file := range []string{"enrich_elasticsearch.yaml", "enrich_opensearch.yaml", "enrich_ecs.yaml", "../kafka/index.yaml"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var config yaml.Node
		require.NoError(t, yaml.Unmarshal(text, &config))
		checks := refusals(&config)
		require.Len(t, checks, 1, file)
		check, err := bloblang.Parse("root = " + checks[0])
		require.NoError(t, err, file)
		refused := func(answer string) bool {
			m := service.NewMessage(nil)
			m.MetaSetMut("fallback_error", answer)
			result, err := m.BloblangQueryValue(check)
			require.NoError(t, err)
			return result.(bool)
		}
		for _, answer := range never {
			require.True(t, refused(answer), "%s: %s", file, answer)
		}
		for _, answer := range updates {
			require.Equal(t, filepath.Dir(file) == ".", refused(answer), "%s: %s", file, answer)
		}
		for _, answer := range passing {
			require.False(t, refused(answer), "%s: %s", file, answer)
		}
	}
}
