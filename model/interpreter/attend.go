package interpreter

import (
	"context"
	"fmt"
	"runtime"

	"connect-deepcase/internal/parallel"
	"connect-deepcase/model/contextbuilder"
)

// chunk is how many samples a network is asked about at a time. It is large enough to share the work of common prefixes, and small enough for
// frequent progress, quick cancellation and little memory.
const chunk = 16_384

// Interpreter clusters and scores samples with the help of a network. Cluster, Score, Fit, FitPredict and Use change it. The other methods may
// be called from several goroutines at once.
type Interpreter struct {
	network contextbuilder.Network
	query   contextbuilder.Query
	options Options
	known   *Clusters
	index   func() *index // made when it is first needed
	// labels are, by event, the highest label of each packed vector of its tree, NoScore if it has none; only of events with doubtful clusters.
	labels map[int32][]float64
	// standing is, by cluster, whether the labels of its samples agree with its score; nil if they do in all clusters.
	standing []standing
}

// New makes an Interpreter without clusters. It does not close the network.
func New(n contextbuilder.Network, q contextbuilder.Query, o Options) (*Interpreter, error) {
	if err := q.Validate(); err != nil {
		return nil, err
	}
	if err := o.Validate(); err != nil {
		return nil, err
	}
	q.Distribution = false
	return &Interpreter{network: n, query: q, options: o, known: &Clusters{Vectors: &Vectors{}}, index: func() *index { return &index{} }}, nil
}

// AttentionQuery finds for each of n samples the attention (n×L) that best explains its event, and the confidence (n) in the event under that
// attention. The network is asked once about equal samples. progress, which may be nil, counts distinct samples.
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

// AttendedContext returns the vectors of the samples whose confidence reaches the threshold, in order, and which samples these are.
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
			v.add(a.vectors.Row(int(at)))
		}
	}
	return v, confident, nil
}

// confident compares in float32, as PyTorch does for the original.
func (it *Interpreter) confident(confidence float32) bool {
	return confidence >= float32(it.options.Threshold)
}

// attended is the answer of a network about n samples.
type attended struct {
	confidence []float32 // n
	attention  []float32 // n×L
	vectors    *Vectors  // n
}

// attend asks the network about the given rows of s, chunk by chunk, so that little more than the answers is in memory at once. The answer for
// a row does not depend on the other rows.
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
		vectors := vectorize(ctx, part, answer.Attention)
		if err := ctx.Err(); err != nil {
			return attended{}, err
		}
		for _, v := range vectors {
			a.vectors.append(v)
		}
		if progress != nil {
			progress(to, n)
		}
	}
	return a, nil
}

// vectorize is Vectorize on all cores: the vectors of some rows, then those of the next ones, and so on. If ctx ends, some are missing.
func vectorize(ctx context.Context, s contextbuilder.Samples, attention []float32) []*Vectors {
	const rows = 512
	parts := make([]*Vectors, (s.Rows()+rows-1)/rows)
	parallel.Ranges(ctx, runtime.GOMAXPROCS(0), s.Rows(), rows, func(next func() (int, int, bool)) {
		for row, end, more := next(); more; row, end, more = next() {
			from, to := row*s.Length, end*s.Length
			parts[row/rows] = Vectorize(contextbuilder.Samples{Length: s.Length, Contexts: s.Contexts[from:to]}, attention[from:to])
		}
	})
	return parts
}

// attendAll is attend, and an answer that is not finite is an error.
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

// Finite tells whether all numbers of an answer are finite.
func Finite(confidence float32, attention []float32) bool {
	sum := confidence - confidence // 0, or NaN
	for _, x := range attention {
		sum += x - x
	}
	return sum == 0
}

// check checks that the slices of samples fit together.
func check(s contextbuilder.Samples) error {
	if s.Length < 1 || len(s.Contexts)%s.Length != 0 {
		return fmt.Errorf("samples: %d ids do not make contexts of length %d", len(s.Contexts), s.Length)
	}
	if n := s.Rows(); n == 0 && len(s.Events) > 0 || n > 0 && (len(s.Events) < n || len(s.Events)%n != 0) {
		return fmt.Errorf("samples: %d events for %d contexts", len(s.Events), n)
	}
	return nil
}
