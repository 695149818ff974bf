package processor

import (
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/model/decisions"
)

// subject reads what a message asks v about. raw is its document if that is known, or empty; after the call, it is there unless the message had to be
// decoded. v may be nil.
func (p *predict) subject(message *service.Message, raw *annotation.Raw, room *field.Room, v *version) (decisions.Subject, error) {
	if err := message.GetError(); err != nil { // a message that failed before keeps its error
		return decisions.Subject{}, err
	}
	sequence, err := p.sequence(message, raw, room)
	if err != nil {
		return decisions.Subject{}, err
	}
	if v != nil {
		p.named.check(v, sequence.Templates)
		if want := v.predictor.Model().Params.Length; len(sequence.Context) != want {
			return decisions.Subject{}, fmt.Errorf("document: %s.context has %d events, model %s needs %d: give deepcase_sequence that length",
				p.target, len(sequence.Context), v.name, want)
		}
	}
	if p.ecs != nil {
		document, _ := mapping.Document(message) // sequence has decoded it
		if err := p.ecs.Check(document); err != nil {
			return decisions.Subject{}, err
		}
	}
	return sequence.Subject(), nil
}

// sequence reads the sequence of a message, and gives its document as subject does.
func (p *predict) sequence(message *service.Message, raw *annotation.Raw, room *field.Room) (s annotation.Sequence, err error) {
	if p.ecs == nil {
		if !raw.OK() {
			*raw, _ = mapping.Raw(message, p.target, room)
		}
		if raw.OK() {
			if s, ok := raw.Sequence(); ok {
				return s, nil
			}
		}
	}
	*raw = annotation.Raw{}
	document, err := mapping.Document(message)
	if err != nil {
		return s, err
	}
	return p.target.Sequence(document)
}
