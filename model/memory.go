package model

import (
	"connect-deepcase/model/contextbuilder"
)

// Bytes that learning takes, as `make memory` measures it.
const (
	eventMemory   = 250 // per event, besides its context
	contextMemory = 12  // per event of a context
	nameMemory    = 200 // per name, besides its letters
)

// Default limits of a training.
const (
	DefaultMaxNames  = 2000
	DefaultMaxMemory = 8 << 30
)

// TrainingMemory estimates the bytes of memory that Train and Cluster take, given the number of distinct event names and of samples. It is an
// upper bound for usual data, in which most samples occur more than once.
func (p Params) TrainingMemory(names, events int) int64 {
	// Weights, the engine's form of them, what is written, and the gradients of each part of a batch: the CPU engine cuts it into parts of 64 samples,
	// up to 16.
	copies := 4 + max(1, min(p.Training.BatchSize/64, 16))
	if p.Training.Optimizer != contextbuilder.SGD {
		copies += 2 // moments
	}
	weights := 4 * p.Network(names+1).Numbers()
	batch := 4 * float64(max(p.Training.BatchSize, p.Query.BatchSize)) * float64(8*(names+1)+4*p.Length*(p.Hidden+1)*p.Network(names+1).Cells())
	return int64(float64(copies)*weights + batch + float64(events)*float64(eventMemory+contextMemory*p.Length) + nameMemory*float64(names))
}
