package model

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

const (
	probes      = 64               // questions of each kind
	probeLimit  = 30 * time.Second // a network that takes longer for a hundred questions is of no use
	probeRandom = 0x70726f6265
)

// probe asks the network about contexts of its own clusters and about made-up ones, because finite weights can overflow, too.
func (p *Predictor) probe() error {
	s := p.questions()
	ctx, cancel := context.WithTimeoutCause(context.Background(), probeLimit, fmt.Errorf("%d questions took longer than %v", s.Rows(), probeLimit))
	defer cancel()
	answer, err := p.network.Query(ctx, s, p.model.Params.Query)
	if err != nil {
		return fmt.Errorf("%w (%w)", err, context.Cause(ctx))
	}
	for row, event := range s.Events {
		if !interpreter.Finite(answer.Confidence[row], answer.Attention[row*s.Length:(row+1)*s.Length]) {
			return fmt.Errorf("event %q: %w", p.model.Names[event], interpreter.ErrNotFinite)
		}
	}
	return nil
}

// questions are always the same for the same model.
func (p *Predictor) questions() contextbuilder.Samples {
	n, noEvent := len(p.model.Names), int32(len(p.model.Names))
	s := contextbuilder.Samples{Length: p.model.Params.Length}
	for i := range min(probes, len(p.model.Clusters)) {
		c := p.model.Clusters[i*len(p.model.Clusters)/min(probes, len(p.model.Clusters))]
		if len(c.Contexts) == 0 {
			continue
		}
		for _, name := range c.Contexts[0].Context {
			id, there := p.ids[name]
			if !there {
				id = noEvent
			}
			s.Contexts = append(s.Contexts, id)
		}
		s.Events = append(s.Events, p.ids[c.Event])
	}
	random := rand.New(rand.NewPCG(probeRandom, 0))
	for i := range min(probes, n*n) {
		event := int32(i * n / min(probes, n*n))
		s.Events = append(s.Events, event)
		for range s.Length {
			switch i % 3 {
			case 0:
				s.Contexts = append(s.Contexts, noEvent)
			case 1:
				s.Contexts = append(s.Contexts, event)
			default:
				s.Contexts = append(s.Contexts, random.Int32N(int32(n)+1))
			}
		}
	}
	return s
}
