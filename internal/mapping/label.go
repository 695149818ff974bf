package mapping

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/field"
)

// Label says where a message has the label of its event, and which text means benign.
type Label struct {
	at     expression
	name   string
	benign string
}

// NewLabel reads the interpolated field name, and the field benign, which has the text that means benign.
func NewLabel(conf *service.ParsedConfig, name, benign string) (*Label, error) {
	l := &Label{name: name}
	var err error
	if l.at, err = newExpression(conf, name); err != nil {
		return nil, err
	}
	l.benign, err = conf.FieldString(benign)
	return l, err
}

// LabelReader reads the labels of a batch.
type LabelReader struct {
	label  evaluation
	benign string
}

// Over makes the label ready for a batch.
func (l *Label) Over(batch service.MessageBatch) LabelReader {
	return LabelReader{l.at.over(batch, l.name), l.benign}
}

// Label reads the label of a message of the batch: a score, or field.NoLabel. An error names the path that was read.
func (r LabelReader) Label(index int) (float64, error) {
	if len(r.label.parts) == 0 {
		return field.NoLabel, nil
	}
	v, err := r.label.value(index)
	if err != nil {
		return 0, err
	}
	label, err := field.ValueLabel(v, r.benign)
	if err != nil {
		return 0, r.label.wrong("", err)
	}
	return label, nil
}
