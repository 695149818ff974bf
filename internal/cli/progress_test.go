package cli

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"

	"connect-deepcase/model/contextbuilder"
)

func TestProgressShowsEpochAndLoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var screen strings.Builder
		b := progress{&screen}.start("training")
		for batch := range 4 {
			b.training(contextbuilder.Progress{Epoch: 1 + batch/2, Epochs: 2, Batch: 1 + batch%2, Batches: 2, Loss: 0.5})
			time.Sleep(110 * time.Millisecond) // on the test's clock: the bar is drawn at most so often
		}
		b.end()
		assert.Contains(t, screen.String(), "epoch 2 of 2, loss 0.5000")
		assert.Contains(t, screen.String(), "50%")
	})
}

func TestProgressIsSilentWithoutATerminal(t *testing.T) {
	b := progress{}.start("reading")
	b.to(1, 2)
	b.rows(2, 2)
	b.end()
	assert.Nil(t, b.bar)
}

func TestProgressWaitsForATotal(t *testing.T) {
	var screen strings.Builder
	b := progress{&screen}.start("reading")
	b.to(5, 0)
	b.end()
	assert.Empty(t, screen.String())
}
