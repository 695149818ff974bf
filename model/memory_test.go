package model

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// Each part of a batch holds the gradients of the network, and there are up to 16 parts of 64 samples.
func TestTrainingMemoryCountsTheGradientsOfAllParts(t *testing.T) {
	const names = 2000
	small, large := DefaultParams(), DefaultParams()
	small.Training.BatchSize, large.Training.BatchSize = 64, 1024
	small.Query.BatchSize, large.Query.BatchSize = 1024, 1024 // what a batch takes itself is the same
	network := 4 * small.Network(names+1).Numbers()
	more := large.TrainingMemory(names, 0) - small.TrainingMemory(names, 0)
	assert.InEpsilon(t, 15*network, float64(more), 1e-6)
}
