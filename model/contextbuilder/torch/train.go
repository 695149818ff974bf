//go:build gotch

package torch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"time"

	"connect-deepcase/model/contextbuilder"
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
	if err := ctx.Err(); err != nil {
		return err
	}
	t.BatchSize = min(t.BatchSize, rows)
	tr := &trainer{engine: e, Training: t, config: w.Config, samples: rows, random: rand.New(rand.NewPCG(t.Seed, streamOrder)), run: 1}
	defer tr.free()
	if err := tr.upload(w, s); err != nil {
		return err
	}
	err = tr.train(ctx)
	flat := make([]float32, tr.width)
	if down := download(tr.state, flat); down != nil {
		return errors.Join(err, down) // w is what it was
	}
	unflatten(flat, w)
	return err
}

// streamOrder is the stream of random numbers for the order of samples and the teacher's draws.
const streamOrder = 0x6f72646572

// trainer is a running training.
type trainer struct {
	*engine
	contextbuilder.Training
	config  contextbuilder.Config
	samples int
	width   int // numbers of the weights
	random  *rand.Rand

	// on the device: weights with Adam's moments, the same before the run at hand, samples, order of the epoch
	state, before, contexts, events, order tensor

	run int // batches a call
}

func (t *trainer) upload(w *contextbuilder.Weights, s contextbuilder.Samples) (err error) {
	flat := flatten(w)
	t.width = len(flat)
	vectors := int64(1)
	if t.Optimizer != contextbuilder.SGD {
		vectors = 3
		flat = append(flat, make([]float32, 2*t.width)...)
	}
	for _, to := range []*tensor{&t.state, &t.before} {
		if *to, err = upload(t.device, flat, vectors, int64(t.width)); err != nil {
			return err
		}
	}
	if t.contexts, err = upload(t.device, s.Contexts, int64(t.samples), int64(s.Length)); err != nil {
		return err
	}
	t.events, err = upload(t.device, s.Events, int64(t.samples), int64(t.Steps))
	return err
}

func (t *trainer) free() {
	for _, x := range []tensor{t.state, t.before, t.contexts, t.events, t.order} {
		x.free()
	}
}

func (t *trainer) train(ctx context.Context) error {
	order := make([]int32, t.samples)
	for i := range order {
		order[i] = int32(i)
	}
	batches := (t.samples + t.BatchSize - 1) / t.BatchSize
	for epoch := range t.Epochs {
		if !t.InOrder {
			t.random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		if epoch == 0 || !t.InOrder {
			fresh, err := upload(t.device, order, int64(len(order)))
			if err != nil {
				return err
			}
			t.order.free()
			t.order = fresh
		}
		for b := 0; b < batches; {
			count := min(t.run, batches-b)
			if err := t.batches(ctx, epoch, b, count, batches); err != nil {
				return err
			}
			b += count
		}
	}
	return nil
}

// batches trains on some batches of an epoch in one call, and reports each. If it turns out afterwards that the training ends within them, it
// goes back and repeats the ones before the end, which give the same result again.
func (t *trainer) batches(ctx context.Context, epoch, first, count, batches int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	teach := make([]int32, count*t.Steps)
	for i := range teach {
		if i%t.Steps > 0 && t.random.Float64() < t.TeachRatio {
			teach[i] = 1
		}
	}
	if err := t.before.set(t.state); err != nil {
		return err
	}
	began := time.Now()
	losses, err := t.call(epoch*batches+first, first, teach)
	if err != nil {
		return err
	}
	t.pace(time.Since(began))
	ended := ctx.Err() // meanwhile: all of them were learnt
	for i, loss := range losses {
		number := first + i + 1
		stop := i
		if math.IsNaN(loss) || math.IsInf(loss, 0) {
			err = fmt.Errorf("epoch %d, batch %d: loss is %v, training has diverged; try a lower learning rate", epoch+1, number, loss)
		} else {
			if t.Progress != nil {
				rows := min(t.BatchSize, t.samples-(number-1)*t.BatchSize)
				t.Progress(contextbuilder.Progress{Epoch: epoch + 1, Epochs: t.Epochs, Batch: number, Batches: batches, Loss: loss / float64(rows)})
			}
			if ended == nil {
				err = ctx.Err()
			}
			stop++
		}
		if err != nil {
			return errors.Join(err, t.again(epoch*batches+first, first, teach, stop, count))
		}
	}
	return ended
}

// again repeats the first stop of count batches from where they began.
func (t *trainer) again(number, first int, teach []int32, stop, count int) error {
	if stop == count {
		return nil
	}
	if err := t.state.set(t.before); err != nil || stop == 0 {
		return err
	}
	_, err := t.call(number, first, teach[:stop*t.Steps])
	return err
}

// A call is short enough to be cancelled and to show progress, and long enough to keep a GPU busy.
const callTime = 200 * time.Millisecond

// maxMask bounds the numbers that dropout draws for a call.
const maxMask = 1 << 24

// What libtorch's recurrent layers are asked at once: at most so many numbers of one-hot contexts, and rows.
const (
	maxOneHot = 1 << 28
	maxRows   = 1<<16 - 1 // a GPU's limit of blocks in two of three directions
)

// libraryRows is how many rows of a batch libtorch's recurrent layers are asked at once; 0 leaves the batch to the formulas, which take one of any
// size.
func (t *trainer) libraryRows() int {
	most := min(t.maxRows, maxOneHot/(t.config.Length*t.config.Events)) // at least 4: a valid Config has no more than 1<<26 of these
	if t.config.Cells() == 1 && (!t.library || t.BatchSize > most) {
		return 0
	}
	return most
}

func (t *trainer) pace(took time.Duration) {
	switch most := max(1, maxMask/(t.BatchSize*t.Steps*t.config.Hidden)); {
	case took < callTime/2:
		t.run = min(2*t.run, most)
	case took > 2*callTime:
		t.run = max(t.run/2, 1)
	}
}

// call runs batches of the epoch from the first on, one a row of teach. number counts them since the training began.
func (t *trainer) call(number, first int, teach []int32) ([]float64, error) {
	count := len(teach) / t.Steps
	beta1, beta2, epsilon := 0.9, 0.999, 1e-8
	if t.Optimizer == contextbuilder.VarAdam {
		beta2, epsilon = 0.98, 1e-9
	}
	rates := make([]float64, 0, 2*count)
	for i := range count {
		rates = append(rates, t.rate(float64(number+i+1), beta1, beta2)...)
	}
	ints := shape(t.config, int64(t.BatchSize), int64(first), int64(number), int64(t.Seed), int64(t.libraryRows()))
	floats := []float64{t.Dropout, t.Delta, beta1, beta2, epsilon}

	inputs := []tensor{t.state, t.contexts, t.events, t.order}
	own := len(inputs)
	defer func() {
		for _, x := range inputs[own:] {
			x.free()
		}
	}()
	add := func(x tensor, err error) error {
		if err == nil {
			inputs = append(inputs, x)
		}
		return err
	}
	if err := errors.Join(add(upload(cpuDevice, teach, int64(count), int64(t.Steps))), add(upload(cpuDevice, rates, int64(count), 2)),
		add(upload(cpuDevice, ints, int64(len(ints)))), add(upload(cpuDevice, floats, int64(len(floats))))); err != nil {
		return nil, err
	}
	out, err := t.code.train.run(inputs...)
	if err != nil {
		return nil, err
	}
	defer out.free()
	losses := make([]float64, count)
	return losses, download(out, losses)
}

// rate is the learning rate of a step, with Adam divided by 1−β1^step, and √(1−β2^step): Adam's bias corrections (Kingma and Ba, ICLR
// 2015, algorithm 1). The warm-up variant's rate is that of Vaswani et al., NeurIPS 2017, equation 3.
func (t *trainer) rate(step, beta1, beta2 float64) []float64 {
	rate := t.LearningRate
	switch t.Optimizer {
	case contextbuilder.SGD:
		return []float64{rate, 1}
	case contextbuilder.VarAdam:
		rate = t.Factor * math.Pow(float64(t.config.Hidden), -0.5) * min(math.Pow(step, -0.5), step*math.Pow(float64(t.Warmup), -1.5))
	}
	return []float64{rate / (1 - math.Pow(beta1, step)), math.Sqrt(1 - math.Pow(beta2, step))}
}
