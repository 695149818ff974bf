// Package clusterjson is the JSON that shows a cluster to an analyst: the message of the input deepcase_train, and the line of
// `deepcase clusters --json`.
package clusterjson

import (
	"bytes"
	"encoding/json"
	"math"

	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
)

// Cluster is what is shown of one.
type Cluster struct {
	Cluster  int               `json:"cluster"`
	Event    string            `json:"event"`
	Size     int               `json:"size"`            // samples
	Score    *float64          `json:"score,omitempty"` // nil where nobody scored it
	Contexts []Context         `json:"contexts"`
	Examples []json.RawMessage `json:"examples"`
	Model    string            `json:"model"` // the version that has it
}

// Context is a distinct context of a cluster. Shares of the attention have 4 decimals, those that clustering looks at.
type Context struct {
	Count     int                `json:"count"`
	Context   []*string          `json:"context"` // oldest first, nil for NO_EVENT
	Attention []float64          `json:"attention"`
	Attended  map[string]float64 `json:"attended"` // attention by event, without NO_EVENT
}

// New shows a cluster of a version, with so many of its contexts at most.
func New(c model.Cluster, version string, contexts int) Cluster {
	shown := Cluster{Cluster: c.ID, Event: c.Event, Size: c.Size, Contexts: []Context{}, Examples: []json.RawMessage{}, Model: version}
	shown.Examples = append(shown.Examples, c.Examples...)
	if c.Score != interpreter.NoScore {
		shown.Score = &c.Score
	}
	for _, x := range c.Contexts[:min(len(c.Contexts), contexts)] {
		shown.Contexts = append(shown.Contexts, newContext(x))
	}
	return shown
}

func newContext(x model.ClusterContext) Context {
	shown := Context{Count: x.Count, Attended: Attended(x),
		Context: make([]*string, len(x.Context)), Attention: make([]float64, len(x.Attention))}
	delete(shown.Attended, "")
	for name, share := range shown.Attended {
		shown.Attended[name] = round(share)
	}
	for i, share := range x.Attention {
		shown.Attention[i] = round(float64(share))
	}
	for i, name := range x.Context {
		if name != "" {
			shown.Context[i] = &name
		}
	}
	return shown
}

// Attended is the attention by event, not rounded; "" is NO_EVENT.
func Attended(x model.ClusterContext) map[string]float64 {
	shares := map[string]float64{}
	for i, share := range x.Attention[:min(len(x.Attention), len(x.Context))] {
		shares[x.Context[i]] += float64(share)
	}
	return shares
}

// JSON is the cluster as an object in one line, without a newline.
func (c Cluster) JSON() ([]byte, error) {
	var line bytes.Buffer
	out := json.NewEncoder(&line)
	out.SetEscapeHTML(false)
	err := out.Encode(c)
	return bytes.TrimSuffix(line.Bytes(), []byte("\n")), err
}

func round(share float64) float64 { return math.Round(share*1e4) / 1e4 }
