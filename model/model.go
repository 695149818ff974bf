// Package model is DeepCASE (van Ede et al., IEEE S&P 2022) as a library: it learns which events before a security event explain it, groups
// events with similar contexts into clusters, and scores new events by the scores that analysts give to clusters.
//
// The steps of use:
//
//  1. Make [Data] of events with their contexts (NewData takes what sequencer.Table.Sequence returns).
//  2. [Train] learns a vocabulary and a network (the Context Builder) on an engine (package model/engine).
//  3. [Model.Cluster] groups the samples (the Interpreter). [Model.WithExamples] says where and when they were seen, for an analyst.
//  4. [Model.WithScores] gives clusters their scores, or [Model.WithLabels] makes them of the labels of the samples, as Cluster does if the data
//     has labels. [Model.Inherit] takes over the scores of an earlier model.
//  5. [NewPredictor] and [Predictor.Predict] answer for new samples with a [Verdict].
//
// Package model/store keeps the versions of a model in a directory. A Model is immutable: each step returns a new one. The same data, params
// and engine give the same model. Package contextbuilder and package interpreter have the parts by event ids.
package model

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

// Model is an immutable set of vocabulary, weights and clusters.
type Model struct {
	Params Params
	// Names are the distinct event names by id. Id len(Names) is NO_EVENT. Train sorts the names. An imported network has an order of its own,
	// and may have room for more events than have names.
	Names    []string
	Weights  *contextbuilder.Weights
	Samples  int       // samples that Train or Cluster last saw
	Clusters []Cluster // by id; nil before Cluster
	// Vectors are the distinct vectors of the clustered samples. VectorCluster is the cluster of each, which names its event.
	Vectors       *interpreter.Vectors
	VectorCluster []int32
	// Confidence counts the samples that Cluster last saw, as far as their verdicts say how confident the network is: not those of events that
	// are unknown or without clusters. nil in models that earlier programs wrote.
	Confidence *Confidences
	// Templates says which sets of templates (package sequencer/template) named the events, by the beginning of their checksums; sorted. It is
	// empty if none did, or if that is not known.
	Templates []string
}

// MaxTemplates is the most sets of templates that a model names.
const MaxTemplates = 64

// Cluster is a group of samples of one event whose contexts have attention on similar events (paper, section III-C).
type Cluster struct {
	ID    int
	Event string
	Size  int     // samples
	Score float64 // interpreter.NoScore if it has none
	// Labels are the labels that Score was made of, by vector and score, or nil: a person scored the cluster, or it inherited its score.
	Labels   []interpreter.Label
	Contexts []ClusterContext // the most frequent ones, at most 10
	// The rest is what WithExamples adds. It is empty in models that earlier programs wrote.
	ContextCount int            // distinct contexts; Cluster counts them
	MachineCount int            // machines
	HourlyMax    int            // most samples of a machine in an hour (each hour by the clock, in UTC); 0 if that is not known
	Machines     []MachineCount // the ones with most samples, at most MaxMachines
	FirstSeen    time.Time
	LastSeen     time.Time
	Examples     []json.RawMessage // documents that represent the samples, by time, at most MaxExamples
}

// MachineCount is how many samples a machine has.
type MachineCount struct {
	Machine string
	Count   int
}

// ClusterContext is one distinct context of a cluster.
type ClusterContext struct {
	Context   []string  // event names, oldest first, "" for NO_EVENT
	Attention []float32 // one share per event of the context
	Count     int
}

// LabelCount is how many samples have a score by their labels.
type LabelCount struct {
	Score float64
	Count int
}

// Mixed counts the labels of a cluster by score, ascending. It is nil if all labels agree or there are none.
func (c *Cluster) Mixed() []LabelCount {
	var counts []LabelCount
	for _, l := range c.Labels {
		i, there := slices.BinarySearchFunc(counts, l.Score, func(x LabelCount, score float64) int { return cmp.Compare(x.Score, score) })
		if !there {
			counts = slices.Insert(counts, i, LabelCount{Score: l.Score})
		}
		counts[i].Count += l.Count
	}
	if len(counts) < 2 {
		return nil
	}
	return counts
}

// ScoredClusters counts the clusters that have a score.
func (m *Model) ScoredClusters() int {
	n := 0
	for _, c := range m.Clusters {
		if c.Score != interpreter.NoScore {
			n++
		}
	}
	return n
}

// Validate checks a model that comes from outside. NewPredictor takes what passes.
func (m *Model) Validate() error {
	if err := m.Params.Validate(); err != nil {
		return err
	}
	if err := validateNames(m.Names); err != nil {
		return err
	}
	if len(m.Templates) > MaxTemplates {
		return fmt.Errorf("templates: %d sets, at most %d", len(m.Templates), MaxTemplates)
	}
	if m.Weights == nil {
		return errors.New("weights: missing")
	}
	c := m.Weights.Config
	if c.Events < len(m.Names)+1 {
		return fmt.Errorf("names: %d with NO_EVENT do not fit a network of %d events", len(m.Names)+1, c.Events)
	}
	if set := m.Params.Network(c.Events); c != set {
		return fmt.Errorf("network has %v, but the settings say %v", c, set)
	}
	if m.Vectors != nil {
		if err := m.Vectors.Validate(c.Events); err != nil {
			return err
		}
	}
	known, err := m.known()
	if err != nil {
		return err
	}
	return known.Validate()
}

// known gives the clusters in the form that an Interpreter takes.
func (m *Model) known() (*interpreter.Clusters, error) {
	known := &interpreter.Clusters{Vectors: m.Vectors, VectorCluster: m.VectorCluster}
	if known.Vectors == nil {
		known.Vectors = &interpreter.Vectors{}
	}
	id := idsByName(m.Names)
	for i, c := range m.Clusters {
		event, there := id[c.Event]
		if !there {
			return nil, fmt.Errorf("cluster %d: event %q is not in the vocabulary", i, c.Event)
		}
		if c.ID != i {
			return nil, fmt.Errorf("cluster %d: has id %d, need %d", i, c.ID, i)
		}
		if err := validateScore(c.Score); err != nil {
			return nil, fmt.Errorf("cluster %d: %w", i, err)
		}
		known.Events, known.Scores, known.Labels = append(known.Events, event), append(known.Scores, c.Score), append(known.Labels, c.Labels)
	}
	return known, nil
}

// validateScore accepts NoScore, and scores that a person can have meant.
func validateScore(x float64) error {
	if x == interpreter.NoScore || x >= 0 && !math.IsInf(x, 0) {
		return nil
	}
	return fmt.Errorf("score %v is neither %d for none nor a finite number of at least 0", x, interpreter.NoScore)
}
