package interpreter

import (
	"context"
	"fmt"

	"connect-deepcase/model/contextbuilder"
)

// chunk is the number of samples a network is asked at a time: enough to share the work of common prefixes, and few enough that
// progress and cancellation come often and an engine's own memory stays small.
const chunk = 16_384

// Interpreter clusters and scores samples by id with the help of a network. Cluster, Score, Fit, FitPredict and Use change it; what
// only reads it may be called from several goroutines at once.
type Interpreter struct {
	network contextbuilder.Network
	query   contextbuilder.Query
	options Options
	known   *Clusters
	trees   map[int32]*tree // by event: the vectors of its clusters, tagged with the cluster
	ids     int             // above all ids in trees
}

// New makes an Interpreter that knows no clusters yet.
func New(n contextbuilder.Network, q contextbuilder.Query, o Options) (*Interpreter, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	q.Distribution = false
	return &Interpreter{network: n, query: q, options: o, known: &Clusters{Vectors: &Vectors{}}}, nil
}

// AttentionQuery finds for each sample the attention (n×L) that best explains its event, and the confidence in the event under it.
// Equal samples are asked once. progress is called with the distinct samples done and their total; it may be nil.
func (it *Interpreter) AttentionQuery(ctx context.Context, s contextbuilder.Samples, progress func(done, total int)) (
	confidence, attention []float32, err error) {
	if err := check(s); err != nil {
		return nil, nil, err
	}
	g := Distinct(s)
	a, err := it.attendAll(ctx, s, g.First, progress)
	if err != nil {
		return nil, nil, err
	}
	for _, at := range g.Of {
		confidence = append(confidence, a.confidence[at])
		attention = append(attention, a.attention[int(at)*s.Length:int(at+1)*s.Length]...)
	}
	return confidence, attention, nil
}

// AttendedContext gives the vectors of the confident samples, in order, and tells which samples are.
func (it *Interpreter) AttendedContext(ctx context.Context, s contextbuilder.Samples, progress func(done, total int)) (
	v *Vectors, confident []bool, err error) {
	if err := check(s); err != nil {
		return nil, nil, err
	}
	g := Distinct(s)
	a, err := it.attendAll(ctx, s, g.First, progress)
	if err != nil {
		return nil, nil, err
	}
	v, confident = &Vectors{}, make([]bool, s.Rows())
	for row, at := range g.Of {
		if confident[row] = it.confident(a.confidence[at]); confident[row] {
			v.Append(a.vectors.Row(int(at)))
		}
	}
	return v, confident, nil
}

// confident compares in float32, as PyTorch does for the original.
func (it *Interpreter) confident(confidence float32) bool {
	return confidence >= float32(it.options.Threshold)
}

// attended is what a network says of n samples.
type attended struct {
	confidence []float32 // n
	attention  []float32 // n×L
	vectors    *Vectors  // n
}

// attend asks the network for the given rows of s, chunk by chunk, so that only the answers are ever there as a whole. A row's answer
// does not depend on the others.
func (it *Interpreter) attend(ctx context.Context, s contextbuilder.Samples, rows []int32, progress func(done, total int)) (attended, error) {
	n := len(rows)
	a := attended{make([]float32, 0, n), make([]float32, 0, n*s.Length), &Vectors{Offsets: make([]int32, 1, n+1)}}
	for from := 0; from < n; from += chunk {
		if err := ctx.Err(); err != nil {
			return attended{}, err
		}
		to := min(n, from+chunk)
		part := Pick(s, rows[from:to])
		answer, err := it.network.Query(ctx, part, it.query)
		if err != nil {
			return attended{}, fmt.Errorf("attention query: %w", err)
		}
		a.confidence = append(a.confidence, answer.Confidence...)
		a.attention = append(a.attention, answer.Attention...)
		vectors := Vectorize(part, answer.Attention)
		for i := range to - from {
			a.vectors.Append(vectors.Row(i))
		}
		if progress != nil {
			progress(to, n)
		}
	}
	return a, nil
}

// attendAll is attend where every row must have numbers.
func (it *Interpreter) attendAll(ctx context.Context, s contextbuilder.Samples, rows []int32, progress func(done, total int)) (attended, error) {
	a, err := it.attend(ctx, s, rows, progress)
	if err != nil {
		return attended{}, err
	}
	for at, row := range rows {
		if !Finite(a.confidence[at], a.attention[at*s.Length:(at+1)*s.Length]) {
			return attended{}, fmt.Errorf("sample %d: %w", row, ErrNotFinite)
		}
	}
	return a, nil
}

// Finite tells whether an answer of a network consists of numbers.
func Finite(confidence float32, attention []float32) bool {
	sum := confidence - confidence // 0, or NaN
	for _, x := range attention {
		sum += x - x
	}
	return sum == 0
}

// check tells whether the slices of samples fit together.
func check(s contextbuilder.Samples) error {
	if s.Length < 1 || len(s.Contexts)%s.Length != 0 {
		return fmt.Errorf("samples: %d ids do not make contexts of length %d", len(s.Contexts), s.Length)
	}
	if n := s.Rows(); n == 0 && len(s.Events) > 0 || n > 0 && (len(s.Events) < n || len(s.Events)%n != 0) {
		return fmt.Errorf("samples: %d events for %d contexts", len(s.Events), n)
	}
	return nil
}
