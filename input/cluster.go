package input

import (
	"encoding/json"
	"math"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/model"
)

// clusterMessage tells an analyst what a cluster is.
func clusterMessage(c model.Cluster, version string) *service.Message {
	contexts := make([]any, len(c.Contexts))
	for i, x := range c.Contexts {
		contexts[i] = contextObject(x)
	}
	examples := make([]any, 0, len(c.Examples))
	for _, raw := range c.Examples {
		var example any
		if json.Unmarshal(raw, &example) == nil {
			examples = append(examples, example)
		}
	}
	document := map[string]any{
		"cluster": int64(c.ID), "event": c.Event, "size": int64(c.Size), "contexts": contexts, "examples": examples, "model": version,
	}
	if c.Score >= 0 {
		document["score"] = c.Score
	}
	m := service.NewMessage(nil)
	m.SetStructuredMut(document)
	return m
}

// contextObject is a context in the order of time, with the attention of each position, and in the order of the names with that of each
// event.
func contextObject(x model.ClusterContext) map[string]any {
	context, attention := make([]any, len(x.Context)), make([]any, len(x.Attention))
	attended := map[string]any{}
	for i, a := range x.Attention {
		attention[i] = round(float64(a))
		if i >= len(x.Context) || x.Context[i] == "" {
			continue
		}
		sum, _ := attended[x.Context[i]].(float64)
		attended[x.Context[i]] = round(sum + float64(a))
	}
	for i, name := range x.Context {
		if name != "" {
			context[i] = name
		}
	}
	return map[string]any{"count": int64(x.Count), "context": context, "attention": attention, "attended": attended}
}

// round keeps 4 decimals: what clustering looks at.
func round(x float64) float64 { return math.Round(x*1e4) / 1e4 }
