package main

import (
	"math/rand/v2"
	"slices"

	"connect-deepcase/model/contextbuilder"
)

// The work of a job is the number of floating-point operations of its products: those of the definition, once for each distinct prefix of the contexts
// that are computed together. A one-hot input selects a row of a matrix, which is no product. Gates, softmax, Adam, padding, ReLU units that flip, and
// the decoder's input, which is the same in all rows but for dropout, are not counted.

// recurrent is W_hh times a state of a network of one layer.
func recurrent(c contextbuilder.Config) float64 { return 2 * float64(c.Gates()*c.Hidden) }

// attend is the attention decoder after its cell.
func attend(c contextbuilder.Config) float64 { return 2 * float64(c.Length*c.Hidden) }

// decide is the event decoder: W1 times the attended events, and W2.
func decide(c contextbuilder.Config) float64 { return 2 * float64(c.Events*(c.Length+c.Events)) }

// forwardWork: each state is multiplied by one W_hh, that of the encoder or, if the context is complete, of the decoder.
func forwardWork(d *dataSet, rows int) float64 {
	c, s := d.model.Weights.Config, head(d.data.Samples, rows)
	states, contexts := prefixes(s)
	return states*recurrent(c) + contexts*(attend(c)+decide(c))
}

// trainWork: each product has two more on the way back, for its input and for its weights.
func trainWork(d *dataSet, rows int) (flop float64) {
	c, s := d.model.Weights.Config, head(d.data.Samples, rows)
	order := rand.New(rand.NewPCG(1, 1)).Perm(s.Rows())
	for batch := range slices.Chunk(order, contextbuilder.DefaultTraining().BatchSize) {
		part := contextbuilder.Samples{Length: s.Length}
		for _, row := range batch {
			part.Contexts = append(part.Contexts, s.Context(row)...)
		}
		states, _ := prefixes(part)
		// dropout makes rows differ after the decoder's cell, even where contexts are equal
		flop += 3 * (states*recurrent(c) + float64(len(batch))*(attend(c)+decide(c)))
	}
	return flop
}

// queryWork: the forward pass without the event decoder, then for each sample three products of N numbers with its K distinct events, in every
// iteration and once before: hidden units, logits and the gradient. If K is 1, there is nothing to search.
func queryWork(d *dataSet, rows int) float64 {
	c, s := d.model.Weights.Config, distinct(d.data.Samples, rows)
	states, contexts := prefixes(s)
	flop := states*recurrent(c) + contexts*attend(c)
	for row := range s.Rows() {
		context := slices.Clone(s.Context(row))
		slices.Sort(context)
		k, times := len(slices.Compact(context)), 1
		if k > 1 {
			times += contextbuilder.DefaultQuery().Iterations
		}
		flop += 3 * 2 * float64(c.Events*k*times)
	}
	return flop
}

// prefixes counts the distinct prefixes of contexts, the empty one left out, and the distinct contexts.
func prefixes(s contextbuilder.Samples) (all, contexts float64) {
	rows := slices.SortedFunc(slices.Chunk(s.Contexts, s.Length), slices.Compare)
	for i, context := range rows {
		common := 0
		for i > 0 && common < s.Length && context[common] == rows[i-1][common] {
			common++
		}
		all += float64(s.Length - common)
		if common < s.Length {
			contexts++
		}
	}
	return all, contexts
}
