package model

import (
	"math"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

// Confidences counts samples by their confidence: item i those from i/100 up to (i+1)/100, the last one also those with 1.
type Confidences [100]int

// Add counts a confidence, 0 to 1.
func (c *Confidences) Add(confidence float32) { c[bin(confidence)]++ }

func bin(confidence float32) int {
	n := len(Confidences{})
	return min(max(0, int(confidence*float32(n))), n-1)
}

// total is how many samples were counted.
func (c *Confidences) total() int {
	n := 0
	for _, count := range c {
		n += count
	}
	return n
}

// Mean is the mean confidence, right to 0.005. It is NaN if nothing was counted.
func (c *Confidences) Mean() float64 {
	sum := 0.0
	for i, count := range c {
		sum += float64(count) * (float64(i) + 0.5)
	}
	return sum / float64(len(c)) / float64(c.total())
}

// Below is the share with a confidence below a threshold, as if those of an item were spread evenly. It is NaN if nothing was counted.
func (c *Confidences) Below(threshold float64) float64 {
	sum := 0.0
	for i, count := range c {
		sum += float64(count) * math.Min(1, math.Max(0, threshold*float64(len(c))-float64(i)))
	}
	return sum / float64(c.total())
}

// confidences counts the samples of a clustering whose verdicts say how confident the network is. A confident sample of an event without
// clusters gets the status UnknownEvent, which does not.
func confidences(s contextbuilder.Samples, c *interpreter.Clustering, threshold float64) *Confidences {
	clustered := map[int32]bool{}
	for _, event := range c.Events {
		clustered[event] = true
	}
	var counted Confidences
	steps := interpreter.Steps(s)
	for i, row := range c.First {
		if confidence := c.Confidence[i]; confidence < float32(threshold) || clustered[s.Events[int(row)*steps]] {
			counted[bin(confidence)] += int(c.Count[i])
		}
	}
	return &counted
}
