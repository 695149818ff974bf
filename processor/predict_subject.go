package processor

import (
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/model/decisions"
)

// subject reads what a message asks v about, and gives its document unless it had to be decoded. v may be nil.
func (p *predict) subject(message *service.Message, v *version) (_ decisions.Subject, raw annotation.Raw, err error) {
	if err := message.GetError(); err != nil { // a message that failed before keeps its error
		return decisions.Subject{}, raw, err
	}
	sequence, raw, err := p.sequence(message)
	if err != nil {
		return decisions.Subject{}, raw, err
	}
	if v != nil {
		p.named.check(v, sequence.Templates)
		if want := v.predictor.Model().Params.Length; len(sequence.Context) != want {
			return decisions.Subject{}, raw, fmt.Errorf("document: %s.context has %d events, model %s needs %d: give deepcase_sequence that length",
				p.target, len(sequence.Context), v.name, want)
		}
	}
	if p.ecs != nil {
		document, _ := mapping.Document(message) // sequence has decoded it
		if err := p.ecs.Check(document); err != nil {
			return decisions.Subject{}, raw, err
		}
	}
	return sequence.Subject(), raw, nil
}

// sequence reads the sequence of a message, and gives its document unless it had to be decoded.
func (p *predict) sequence(message *service.Message) (s annotation.Sequence, raw annotation.Raw, err error) {
	if p.ecs == nil {
		if raw, ok := mapping.Raw(message, p.target); ok {
			if s, ok := raw.Sequence(); ok {
				return s, raw, nil
			}
		}
	}
	document, err := mapping.Document(message)
	if err != nil {
		return s, raw, err
	}
	s, err = p.target.Sequence(document)
	return s, raw, err
}
