package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"time"

	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
)

// cluster is model.Cluster with its own names in JSON, so that renaming a Go field cannot change the format.
type cluster struct {
	ID           int               `json:"id"`
	Event        string            `json:"event"`
	Size         int               `json:"size"`
	Score        float64           `json:"score"`
	Labels       *labels           `json:"labels,omitempty"`
	Contexts     []clusterContext  `json:"contexts"`
	ContextCount int               `json:"context_count,omitempty"`
	MachineCount int               `json:"machine_count,omitempty"`
	HourlyMax    int               `json:"hourly_max,omitempty"`
	Machines     []machineCount    `json:"machines,omitempty"`
	FirstSeen    time.Time         `json:"first_seen,omitzero"`
	LastSeen     time.Time         `json:"last_seen,omitzero"`
	Examples     []json.RawMessage `json:"examples,omitempty"`
}

// labels are columns: there may be as many rows as vectors.
type labels struct {
	Vectors []int32   `json:"vectors"`
	Scores  []float64 `json:"scores"`
	Counts  []int     `json:"counts"`
}

func newLabels(list []interpreter.Label) *labels {
	if list == nil {
		return nil
	}
	columns := &labels{}
	for _, l := range list {
		columns.Vectors, columns.Scores, columns.Counts = append(columns.Vectors, l.Vector), append(columns.Scores, l.Score), append(columns.Counts, l.Count)
	}
	return columns
}

// model needs columns of one length. Without rows it gives nil.
func (l *labels) model() []interpreter.Label {
	if l == nil || len(l.Vectors) == 0 {
		return nil
	}
	list := make([]interpreter.Label, len(l.Vectors))
	for i, vector := range l.Vectors {
		list[i] = interpreter.Label{Vector: vector, Score: l.Scores[i], Count: l.Counts[i]}
	}
	return list
}

// UnmarshalJSON checks the lengths, which nothing after it can see.
func (l *labels) UnmarshalJSON(content []byte) error {
	type columns labels // without this method
	if err := json.Unmarshal(content, (*columns)(l)); err != nil {
		return err
	}
	if v, s, c := len(l.Vectors), len(l.Scores), len(l.Counts); v != s || v != c {
		return fmt.Errorf("labels: %d vectors, %d scores and %d counts, need as many of each", v, s, c)
	}
	return nil
}

type clusterContext struct {
	Context   []string  `json:"context"`
	Attention []float32 `json:"attention"`
	Count     int       `json:"count"`
}

type machineCount struct {
	Machine string `json:"machine"`
	Count   int    `json:"count"`
}

func newCluster(c model.Cluster) cluster {
	return cluster{c.ID, c.Event, c.Size, c.Score, newLabels(c.Labels),
		each(c.Contexts, func(x model.ClusterContext) clusterContext { return clusterContext(x) }), c.ContextCount, c.MachineCount, c.HourlyMax,
		each(c.Machines, func(x model.MachineCount) machineCount { return machineCount(x) }), c.FirstSeen, c.LastSeen, c.Examples}
}

func (c cluster) model() model.Cluster {
	return model.Cluster{ID: c.ID, Event: c.Event, Size: c.Size, Score: c.Score, Labels: c.Labels.model(),
		Contexts:     each(c.Contexts, func(x clusterContext) model.ClusterContext { return model.ClusterContext(x) }),
		ContextCount: c.ContextCount, MachineCount: c.MachineCount, HourlyMax: c.HourlyMax,
		Machines:  each(c.Machines, func(x machineCount) model.MachineCount { return model.MachineCount(x) }),
		FirstSeen: c.FirstSeen, LastSeen: c.LastSeen, Examples: c.Examples}
}

// each converts the items of a list. It keeps nil, which is null in JSON.
func each[From, To any](list []From, convert func(From) To) []To {
	if list == nil {
		return nil
	}
	converted := make([]To, len(list))
	for i, x := range list {
		converted[i] = convert(x)
	}
	return converted
}

// encodeClusters writes a JSON array, one cluster per line, so that people can read the file. line may give the line of a cluster, or nil.
func encodeClusters(w io.Writer, clusters []model.Cluster, line func(i int) ([]byte, error)) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	between := "["
	for i, c := range clusters {
		if _, err := io.WriteString(w, between); err != nil {
			return err
		}
		known, err := line(i)
		if err != nil {
			return err
		}
		if known != nil {
			if _, err := w.Write(known); err != nil {
				return err
			}
		} else if err := e.Encode(newCluster(c)); err != nil { // ends the line
			return fmt.Errorf("cluster %d: %w", i, err)
		}
		between = ","
	}
	if len(clusters) == 0 {
		_, err := io.WriteString(w, "[]\n")
		return err
	}
	_, err := io.WriteString(w, "]\n")
	return err
}

// decodeClusters reads up to most clusters.
func decodeClusters(content []byte, most int) ([]model.Cluster, error) {
	clusters, err := decodeList[cluster](content, most, "clusters")
	if err == nil && clusters == nil {
		return nil, errors.New("is null, need an array of clusters")
	}
	return each(clusters, cluster.model), err
}

// checkClusters checks what model.Validate does not check, because predictions do not need it. before, which may
// be nil, passed: its clusters are not checked again.
func checkClusters(m, before *model.Model) error {
	known := make(map[string]bool, len(m.Names))
	for _, name := range m.Names {
		known[name] = true
	}
	if before != nil && (before.Params.Length != m.Params.Length || !slices.Equal(before.Names, m.Names)) {
		before = nil
	}
	for i, c := range m.Clusters {
		if before != nil && i < len(before.Clusters) && reflect.DeepEqual(c, before.Clusters[i]) { // quick, because they share slices
			continue
		}
		if c.Size < 0 {
			return fmt.Errorf("cluster %d: size %d is below 0", i, c.Size)
		}
		if c.HourlyMax < 0 || c.HourlyMax > c.Size {
			return fmt.Errorf("cluster %d: hourly max %d is not in 0 to %d, its size", i, c.HourlyMax, c.Size)
		}
		left := c.Size
		for _, l := range c.Labels {
			if left -= l.Count; left < 0 {
				return fmt.Errorf("cluster %d: more labels than its %d samples", i, c.Size)
			}
		}
		for _, x := range c.Contexts {
			if len(x.Context) != m.Params.Length || len(x.Attention) != m.Params.Length {
				return fmt.Errorf("cluster %d: a context has %d events and %d shares of attention, need %d",
					i, len(x.Context), len(x.Attention), m.Params.Length)
			}
			if x.Count < 1 {
				return fmt.Errorf("cluster %d: a context has count %d, need at least 1", i, x.Count)
			}
			for _, name := range x.Context {
				if name != "" && !known[name] {
					return fmt.Errorf("cluster %d: event %q of a context is not in the vocabulary", i, name)
				}
			}
		}
	}
	return nil
}
