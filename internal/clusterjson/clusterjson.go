// Package clusterjson has the JSON that shows a cluster to an analyst: the messages of the input deepcase_train, and the lines of
// `deepcase clusters --json`.
package clusterjson

import (
	"bytes"
	"encoding/json"
	"time"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/attack"
	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
)

// Cluster is what an analyst sees of a cluster.
type Cluster struct {
	Cluster int      `json:"cluster"`
	Event   string   `json:"event"`
	Size    int      `json:"size"`            // samples
	Score   *float64 `json:"score,omitempty"` // nil if nobody has scored it
	Mixed   []Labels `json:"mixed,omitempty"` // the labels that the score was made of, by score; left out if they agree
	// Where and when the samples were seen. Left out if the model does not say.
	MachineCount int                `json:"machine_count,omitempty"`
	Machines     []Machine          `json:"machines,omitempty"` // the ones with most samples
	FirstSeen    time.Time          `json:"first_seen,omitzero"`
	LastSeen     time.Time          `json:"last_seen,omitzero"`
	HourlyMax    int                `json:"hourly_max,omitempty"`    // most samples of a machine in an hour
	ContextCount int                `json:"context_count,omitempty"` // distinct contexts
	Attended     map[string]float64 `json:"attended"`                // attention by event over the contexts below, without NO_EVENT
	Contexts     []Context          `json:"contexts"`
	Examples     []json.RawMessage  `json:"examples"`             // documents that represent the samples, by time
	Techniques   []attack.Count     `json:"techniques,omitempty"` // of MITRE ATT&CK, and how many of the examples name them
	Model        string             `json:"model"`                // the version that has it
}

// Labels is how many samples have a score by their labels.
type Labels struct {
	Score float64 `json:"score"`
	Count int     `json:"count"`
}

// Machine is how many samples a machine has.
type Machine struct {
	Machine string `json:"machine"`
	Count   int    `json:"count"`
}

// Context is a distinct context of a cluster. Shares of the attention have 4 decimals, because clustering does not look at more.
type Context struct {
	Count     int                `json:"count"`
	Context   []*string          `json:"context"` // oldest first, nil for NO_EVENT
	Attention []float64          `json:"attention"`
	Attended  map[string]float64 `json:"attended"` // attention by event, without NO_EVENT
}

// New shows a cluster of a version, with at most the given number of its contexts.
func New(c model.Cluster, version string, contexts int) Cluster {
	shown := Cluster{Cluster: c.ID, Event: c.Event, Size: c.Size, MachineCount: c.MachineCount, FirstSeen: c.FirstSeen,
		LastSeen: c.LastSeen, HourlyMax: c.HourlyMax, ContextCount: c.ContextCount, Attended: rounded(Attended(c.Contexts...)), Contexts: []Context{},
		Examples: []json.RawMessage{}, Techniques: attack.Counts(c.Examples), Model: version}
	shown.Examples = append(shown.Examples, c.Examples...)
	for _, m := range c.Mixed() {
		shown.Mixed = append(shown.Mixed, Labels(m))
	}
	for _, m := range c.Machines {
		shown.Machines = append(shown.Machines, Machine(m))
	}
	if c.Score != interpreter.NoScore {
		shown.Score = &c.Score
	}
	for _, x := range c.Contexts[:min(len(c.Contexts), contexts)] {
		shown.Contexts = append(shown.Contexts, newContext(x))
	}
	return shown
}

func newContext(x model.ClusterContext) Context {
	shown := Context{Count: x.Count, Attended: rounded(Attended(x)),
		Context: make([]*string, len(x.Context)), Attention: make([]float64, len(x.Attention))}
	for i, share := range x.Attention {
		shown.Attention[i] = annotation.Round(float64(share))
	}
	for i, name := range x.Context {
		if name != "" {
			shown.Context[i] = &name
		}
	}
	return shown
}

// Attended is the attention per event over all the contexts, weighted by their counts and not rounded. "" is NO_EVENT.
func Attended(contexts ...model.ClusterContext) map[string]float64 {
	shares, all := map[string]float64{}, 0.0
	for _, x := range contexts {
		all += float64(x.Count)
	}
	for _, x := range contexts {
		for i, share := range x.Attention[:min(len(x.Attention), len(x.Context))] {
			shares[x.Context[i]] += float64(share) * float64(x.Count) / all
		}
	}
	return shares
}

func rounded(shares map[string]float64) map[string]float64 {
	delete(shares, "")
	for name, share := range shares {
		shares[name] = annotation.Round(share)
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
