package bundle

import (
	"cmp"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
	"unicode/utf8"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

// Formats of versions. A version is written in the oldest format that has a place for all of it, so that as many programs as possible read it.
const (
	oldestFormat = 1
	layersFormat = 2 // several recurrent layers or both directions
	newestFormat = layersFormat
)

// ErrNewerFormat marks a version that a newer program wrote.
var ErrNewerFormat = errors.New("newer format")

// Manifest describes a version.
type Manifest struct {
	Format  int       `json:"format"`
	Created time.Time `json:"created"` // to the second or finer, in UTC
	Lineage
	Params params `json:"params"`
	Names  names  `json:"names"` // the vocabulary, by id
	Counts Counts `json:"counts"`
	// Confidence counts samples by their confidence, in 100 equal parts; nil in versions of earlier programs and without clusters.
	Confidence confidences `json:"confidence,omitempty"`
	// Templates are those that named the events, by the beginning of their checksums.
	Templates templates       `json:"templates,omitempty"`
	Files     map[string]File `json:"files"` // the other files by name
}

// Lineage is what a version says about earlier ones, by name. They may have been removed.
type Lineage struct {
	// Previous was current when this version was published, "" if none was.
	Previous string `json:"previous,omitempty"`
	// SameClusters are versions with the clusters of this one, except for scores: the one that was trained, and later ones, oldest first.
	SameClusters []string `json:"same_clusters,omitempty"`
	// Trained is when the clusters were learnt, or the network if there are none. It is zero in versions of earlier programs.
	Trained time.Time `json:"trained,omitzero"`
}

// maxSameClusters is the most versions that a manifest names. The first one always stays.
const maxSameClusters = 10_000

// bounded leaves out the oldest versions if there are too many.
func (l Lineage) bounded() Lineage {
	if same := l.SameClusters; len(same) > maxSameClusters {
		l.SameClusters = slices.Concat(same[:1], same[len(same)-maxSameClusters+1:])
	}
	return l
}

// Counts are the sizes of a model.
type Counts struct {
	Events   int `json:"events"`   // N of the network, NO_EVENT included
	Samples  int `json:"samples"`  // the model last learnt from, or clustered
	Clusters int `json:"clusters"` // 0 before it was clustered
	Scored   int `json:"scored"`   // clusters with a score
	Vectors  int `json:"vectors"`  // distinct vectors in the clusters
}

// File is the size and checksum that a file must have.
type File struct {
	Size   int64  `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // hexadecimal, lower case
}

func (f File) checkSize(size int64) error {
	if size != f.Size {
		return fmt.Errorf("%d bytes, %s says %d: the file is damaged", size, manifestFile, f.Size)
	}
	return nil
}

func (f File) checkSum(sum []byte) error {
	if hex.EncodeToString(sum) != f.SHA256 {
		return fmt.Errorf("sha256 is %x, %s says %s: the file is damaged", sum, manifestFile, f.SHA256)
	}
	return nil
}

// params are model.Params with their own names in JSON, so that renaming a Go field cannot change the format.
type params struct {
	Length  int      `json:"length"`
	Timeout duration `json:"timeout"`
	Hidden  int      `json:"hidden"`
	LSTM    bool     `json:"lstm"`
	// Layers and Bidirectional are of layersFormat; without them, there is one layer and one direction.
	Layers        int      `json:"layers,omitempty"`
	Bidirectional bool     `json:"bidirectional,omitempty"`
	Training      training `json:"training"`
	Query         query    `json:"query"`
	Interpreter   options  `json:"interpreter"`
}

type training struct {
	Epochs       int                      `json:"epochs"`
	BatchSize    int                      `json:"batch_size"`
	Optimizer    contextbuilder.Optimizer `json:"optimizer"`
	LearningRate float64                  `json:"learning_rate"`
	Factor       float64                  `json:"factor"`
	Warmup       int                      `json:"warmup"`
	Delta        float64                  `json:"delta"`
	TeachRatio   float64                  `json:"teach_ratio"`
	Dropout      float64                  `json:"dropout"`
	Steps        int                      `json:"steps"`
	Seed         uint64                   `json:"seed"`
	InOrder      bool                     `json:"in_order"`
}

type query struct {
	Iterations int `json:"iterations"`
	BatchSize  int `json:"batch_size"`
}

type options struct {
	Eps        float64  `json:"eps"`
	MinSamples int      `json:"min_samples"`
	Threshold  float64  `json:"threshold"`
	Guard      *float64 `json:"guard,omitempty"` // nil for the default, which earlier programs did not write
	Nearest    bool     `json:"nearest,omitempty"`
}

func newOptions(o interpreter.Options) options {
	written := options{Eps: o.Eps, MinSamples: o.MinSamples, Threshold: o.Threshold, Nearest: o.Nearest}
	if o.Guard != interpreter.DefaultGuard {
		written.Guard = &o.Guard
	}
	return written
}

func (o options) interpreter() interpreter.Options {
	read := interpreter.Options{Eps: o.Eps, MinSamples: o.MinSamples, Threshold: o.Threshold, Guard: interpreter.DefaultGuard, Nearest: o.Nearest}
	if o.Guard != nil {
		read.Guard = *o.Guard
	}
	return read
}

// duration is written as Go writes durations ("24h0m0s"): exact, and readable.
type duration time.Duration

func (d duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// confidences are model.Confidences.
type confidences []int

func (c *confidences) UnmarshalJSON(content []byte) error {
	want := len(model.Confidences{})
	counts, err := decodeList[int](content, want, "confidence")
	if err == nil && counts != nil && len(counts) != want {
		err = fmt.Errorf("confidence: %d numbers, need %d", len(counts), want)
	}
	for i, n := range counts {
		if n < 0 {
			err = fmt.Errorf("confidence: number %d is %d, below 0", i, n)
		}
	}
	*c = counts
	return err
}

// describe makes the manifest of m. It names the files, whose sizes and checksums are not known yet.
func describe(m *model.Model, lineage Lineage, created time.Time) *Manifest {
	t, q := m.Params.Training, m.Params.Query
	manifest := &Manifest{
		Format: oldestFormat, Created: created.UTC(), Lineage: lineage.bounded(), Names: m.Names, Counts: count(m), Templates: m.Templates,
		Files: map[string]File{weightsFile: {}},
		Params: params{Length: m.Params.Length, Timeout: duration(m.Params.Timeout), Hidden: m.Params.Hidden, LSTM: m.Params.LSTM,
			Training: training{t.Epochs, t.BatchSize, t.Optimizer, t.LearningRate, t.Factor, t.Warmup, t.Delta, t.TeachRatio, t.Dropout,
				t.Steps, t.Seed, t.InOrder},
			Query: query{q.Iterations, q.BatchSize}, Interpreter: newOptions(m.Params.Interpreter)},
	}
	if p := m.Params; p.Layers > 1 || p.Bidirectional {
		manifest.Format, manifest.Params.Layers, manifest.Params.Bidirectional = layersFormat, p.Layers, p.Bidirectional
	}
	if m.Confidence != nil {
		manifest.Confidence = m.Confidence[:]
	}
	if m.Vectors != nil || m.Clusters != nil {
		manifest.Files[clusterVectorsFile], manifest.Files[clustersFile] = File{}, File{}
	}
	return manifest
}

func count(m *model.Model) Counts {
	return Counts{Events: m.Weights.Config.Events, Samples: m.Samples, Clusters: len(m.Clusters), Scored: m.ScoredClusters(), Vectors: len(m.VectorCluster)}
}

// model gives the parts of a model that are in the manifest.
func (m *Manifest) model() *model.Model {
	p, t := m.Params, m.Params.Training
	var confidence *model.Confidences
	if m.Confidence != nil {
		counts := model.Confidences(m.Confidence)
		confidence = &counts
	}
	return &model.Model{Names: m.Names, Confidence: confidence, Samples: m.Counts.Samples, Templates: m.Templates, Params: model.Params{
		Length: p.Length, Timeout: time.Duration(p.Timeout), Hidden: p.Hidden, LSTM: p.LSTM, Layers: cmp.Or(p.Layers, 1), Bidirectional: p.Bidirectional,
		Training: contextbuilder.Training{Epochs: t.Epochs, BatchSize: t.BatchSize, Optimizer: t.Optimizer, LearningRate: t.LearningRate,
			Factor: t.Factor, Warmup: t.Warmup, Delta: t.Delta, TeachRatio: t.TeachRatio, Dropout: t.Dropout, Steps: t.Steps,
			Seed: t.Seed, InOrder: t.InOrder},
		Query:       contextbuilder.Query{Iterations: p.Query.Iterations, BatchSize: p.Query.BatchSize},
		Interpreter: p.Interpreter.interpreter(),
	}}
}

// matches checks that a model that was read is valid and the one that the manifest describes. known, which may be nil, is a valid model.
func (m *Manifest) matches(read, known *model.Model) error {
	if err := check(read, known); err != nil {
		return err
	}
	if got := count(read); got != m.Counts {
		return fmt.Errorf("the files hold %+v, counts in %s are %+v", got, manifestFile, m.Counts)
	}
	return nil
}

// checkBounds checks, before memory is allocated for the other files, that they can be what the manifest says, and that a model of such sizes
// answers in bounded time and memory.
func (m *Manifest) checkBounds() error {
	params := m.model().Params
	if err := params.Validate(); err != nil {
		return fmt.Errorf("params: %w", err)
	}
	c := params.Network(m.Counts.Events)
	if err := c.Validate(); err != nil {
		return fmt.Errorf("counts and params: %w", err)
	}
	if len(m.Names)+1 > c.Events {
		return fmt.Errorf("names: %d with NO_EVENT, counts has %d events", len(m.Names)+1, c.Events)
	}
	if m.Counts.Samples < 0 {
		return fmt.Errorf("counts: samples: %d is below 0", m.Counts.Samples)
	}
	for _, n := range []int{m.Counts.Clusters, m.Counts.Vectors} {
		if n < 0 || n > math.MaxInt32 {
			return fmt.Errorf("counts: %d clusters or vectors, need 0 to %d", n, math.MaxInt32)
		}
	}
	vectors, ids := float64(m.Counts.Vectors), float64(min(c.Length, c.Events)) // of a vector at most
	for name, numbers := range map[string]float64{weightsFile: c.Numbers(), clusterVectorsFile: 2*vectors + 1 + 2*vectors*ids} {
		if most := 4*numbers + maxHeader + 8; float64(m.Files[name].Size) > most {
			return fmt.Errorf("files: %s has %d bytes, at most %.0f follow from counts and params", name, m.Files[name].Size, most)
		}
	}
	return nil
}

func (m *Manifest) clustered() bool {
	_, there := m.Files[clustersFile]
	return there
}

// names are the names of the other files that a reader needs.
func (m *Manifest) names() []string {
	if m.clustered() {
		return []string{weightsFile, clusterVectorsFile, clustersFile}
	}
	return []string{weightsFile}
}

func (m *Manifest) encode(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(m)
}

// decodeManifest reads a manifest. It checks the format first, because nothing else is known about a newer one.
func decodeManifest(content []byte) (*Manifest, error) {
	var format struct {
		Format *int `json:"format"`
	}
	if err := json.Unmarshal(content, &format); err != nil {
		return nil, err
	}
	switch {
	case format.Format == nil:
		return nil, errors.New("format: is missing")
	case *format.Format < 1:
		return nil, fmt.Errorf("format: %d is not one, need 1 to %d", *format.Format, newestFormat)
	case *format.Format > newestFormat:
		return nil, fmt.Errorf("%w: %d, this program understands 1 to %d; it needs to be updated", ErrNewerFormat, *format.Format, newestFormat)
	}
	m := &Manifest{}
	if err := json.Unmarshal(content, m); err != nil {
		return nil, err
	}
	if p := m.Params; m.Format < layersFormat && (p.Layers > 1 || p.Bidirectional) {
		return nil, fmt.Errorf("params: layers %d, bidirectional %t need format %d, this is %d", p.Layers, p.Bidirectional, layersFormat, m.Format)
	}
	if m.Created.IsZero() {
		return nil, errors.New("created: is missing")
	}
	if _, vectors := m.Files[clusterVectorsFile]; vectors != m.clustered() {
		return nil, fmt.Errorf("files: need both %s and %s, or none of them", clusterVectorsFile, clustersFile)
	}
	for _, name := range m.names() {
		if _, there := m.Files[name]; !there {
			return nil, fmt.Errorf("files: %s is missing", name)
		}
	}
	return m, nil
}

// checkNames refuses names that JSON cannot hold unchanged.
func checkNames(names []string) error {
	if i := slices.IndexFunc(names, func(name string) bool { return !utf8.ValidString(name) }); i >= 0 {
		return fmt.Errorf("names: %q is not valid UTF-8", names[i])
	}
	return nil
}
