package cpu

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"slices"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu/internal/simd"
)

// Train improves w in place. If the loss is not finite, it stops before that step with an error.
func (e *engine) Train(ctx context.Context, w *contextbuilder.Weights, s contextbuilder.Samples, t contextbuilder.Training) error {
	if err := errors.Join(w.Check(), t.Validate()); err != nil {
		return err
	}
	rows, err := w.Config.CheckSamples(s, t.Steps)
	if err != nil {
		return err
	}
	if rows == 0 {
		return errors.New("no samples to train on")
	}
	m := newModel(w.Config)
	m.learns(t.Steps)
	m.load(w)
	tr := newTrainer(m, s, t, min(runtime.GOMAXPROCS(0), mostParts))
	defer tr.team.stop()
	err = tr.train(ctx)
	m.store(m.w, w)
	return err
}

// trainer is a running training.
type trainer struct {
	*model
	contextbuilder.Training
	samples contextbuilder.Samples
	ranked  []int32 // samples, sorted by their contexts
	order   []int32 // in which they are trained on: ranks, of which a batch is sorted, so that equal prefixes come together
	random  *rand.Rand
	team    *team
	parts   []*pass
	teach   []bool      // whether the true event is a step's input
	scratch [][]float32 // the gradient of a row, per share of the step
	opt     *optimizer
}

// batch is ready to be trained on: its samples, sorted by their contexts, how many events each shares with the one before, and where the parts begin.
type batch struct {
	rows, common []int32
	cuts         []int
}

// The streams of random numbers that a seed gives.
const (
	streamOrder   = 0x6f72646572   // order of samples, draws of the teacher
	streamDropout = 0x64726f706f75 // dropout, by batch and part
)

func newTrainer(m *model, s contextbuilder.Samples, t contextbuilder.Training, workers int) *trainer {
	n := s.Rows()
	tr := &trainer{model: m, Training: t, samples: s, order: make([]int32, n), ranked: byContext(s.Contexts, s.Length, m.N, n), team: newTeam(workers),
		random: rand.New(rand.NewPCG(t.Seed, streamOrder)), teach: make([]bool, t.Steps), opt: newOptimizer(m, t)}
	for range 2 * workers {
		tr.scratch = append(tr.scratch, simd.Make(max(m.ldG, m.ldE)))
	}
	for rank, row := range tr.ranked {
		tr.order[row] = int32(rank)
	}
	for range parts(min(t.BatchSize, n)) {
		tr.parts = append(tr.parts, &pass{model: m, training: true, decoded: true, learning: learning{dropout: t.Dropout}})
	}
	return tr
}

// parts is how many parts a batch is cut into. Sums are rounded by part, so that this must depend on the size only.
func parts(batch int) int { return max(1, min(batch/64, mostParts)) }

const mostParts = 16

func (t *trainer) train(ctx context.Context) error {
	n := len(t.order)
	size := min(t.BatchSize, n)
	batches := (n + size - 1) / size
	prepare := func(b *batch, number int) {
		at := number % batches * size
		if at == 0 && !t.InOrder {
			t.random.Shuffle(n, func(i, j int) { t.order[i], t.order[j] = t.order[j], t.order[i] })
		}
		t.prepare(b, t.order[at:min(n, at+size)])
	}
	current, next := &batch{}, &batch{}
	prepare(current, 0)
	for number := range t.Epochs * batches {
		if err := ctx.Err(); err != nil {
			return err
		}
		epoch, b := number/batches+1, number%batches+1
		loss := t.gradients(current, uint64(number))
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			return fmt.Errorf("epoch %d, batch %d: loss is %v, training has diverged; try a lower learning rate", epoch, b, loss)
		}
		t.step(func() {
			if number+1 < t.Epochs*batches {
				prepare(next, number+1)
			}
		})
		if t.Progress != nil {
			t.Progress(contextbuilder.Progress{Epoch: epoch, Epochs: t.Epochs, Batch: b, Batches: batches, Loss: loss / float64(len(current.rows))})
		}
		current, next = next, current
	}
	return nil
}

// prepare makes a batch of some ranks.
func (t *trainer) prepare(b *batch, ranks []int32) {
	b.rows = append(b.rows[:0], ranks...)
	slices.Sort(b.rows)
	for i, rank := range b.rows {
		b.rows[i] = t.ranked[rank]
	}
	b.common = shared(b.common, t.samples.Contexts, t.L, b.rows, t.Bidirectional)
	b.cuts = t.cut(b)
}

// gradients runs a batch forward and backward, each part in its pass, and returns the loss.
func (t *trainer) gradients(b *batch, number uint64) (loss float64) {
	for s := 1; s < t.Steps; s++ {
		t.teach[s] = t.random.Float64() < t.TeachRatio
	}
	t.team.run(len(t.parts), func(i int) {
		p, from, to := t.parts[i], b.cuts[i], b.cuts[i+1]
		var seed [32]byte
		for k, v := range []uint64{t.Seed, streamDropout, number, uint64(i)} {
			binary.LittleEndian.PutUint64(seed[8*k:], v)
		}
		p.random.Seed(seed)
		p.set(t.samples.Contexts, b.rows[from:to], b.common[from:to], t.Steps)
		p.encode()
		for s := range t.Steps {
			p.decode(s)
			switch {
			case s+1 == t.Steps:
			case t.teach[s+1]:
				p.teach(s, t.samples.Events)
			default:
				p.feed(s)
			}
		}
		p.backward(t.samples.Events, t.Delta)
	})
	for _, p := range t.parts {
		loss += p.loss
	}
	return loss
}

// teach makes the true events of a step the input of the next one.
func (p *pass) teach(step int, events []int32) {
	for i, row := range p.rows {
		p.previous[(step+1)*len(p.rows)+i] = events[int(row)*p.steps+step]
	}
}

// cut divides a sorted batch into parts of equal work. A row costs its own prefixes, and about one and a half more in the decoder.
func (t *trainer) cut(b *batch) []int {
	cost := make([]int, len(b.rows)+1)
	for i, k := range b.common {
		cost[i+1] = cost[i] + 2*(t.L-int(k)) + 3*t.Steps
	}
	cuts := make([]int, len(t.parts)+1)
	for i := range cuts {
		cuts[i], _ = slices.BinarySearch(cost, cost[len(b.rows)]*i/len(t.parts))
	}
	cuts[len(t.parts)] = len(b.rows)
	return cuts
}

// step adds up the gradients of the parts and moves the weights. Workers share the rows of matrices. No number depends on which worker computes
// it. Another thing is done beside, which must not need the weights.
func (t *trainer) step(beside func()) {
	t.opt.next()
	shares := len(t.scratch)
	t.team.run(1+shares, func(part int) {
		if part == 0 {
			beside()
			return
		}
		share := part - 1
		for matrix := range t.w {
			from, to := t.share(matrix, share, shares)
			if from == to {
				continue
			}
			if t.perEvent(matrix) {
				t.stepEvents(matrix, from, to, t.scratch[share][:t.ld[matrix]])
				continue
			}
			first, end := from*t.ld[matrix], to*t.ld[matrix]
			sum := t.parts[0].g[matrix][first:end]
			for _, p := range t.parts[1:] {
				simd.Axpy(sum, p.g[matrix][first:end], 1)
			}
			t.opt.step(t.w, matrix, first, sum)
		}
		t.refresh(share, shares)
	})
}

// stepEvents moves the rows of some events in a matrix by event. scratch has room for the gradient of one row. SGD does not change rows without
// a gradient.
func (t *trainer) stepEvents(matrix, from, to int, gradient []float32) {
	for e := from; e < to; e++ {
		seen := false
		clear(gradient)
		for _, p := range t.parts {
			if r := p.byEvent[matrix]; r.has(e) {
				seen = true
				simd.Axpy(gradient[:r.width], r.at(int32(e)), 1)
			}
		}
		if seen || t.opt.dense() {
			t.opt.step(t.w, matrix, e*t.ld[matrix], gradient)
		}
	}
}
