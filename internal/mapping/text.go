package mapping

import (
	"errors"
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/field"
)

// Text says where a message has a text that is neither its machine, nor its event, time, id or label.
type Text struct {
	at   expression
	name string
}

// NewText reads the interpolated field name.
func NewText(conf *service.ParsedConfig, name string) (t Text, err error) {
	t.name = name
	t.at, err = newExpression(conf, name)
	return t, err
}

// TextReader reads the texts of a batch.
type TextReader struct{ text evaluation }

// Over makes the text ready for a batch.
func (t Text) Over(batch service.MessageBatch) TextReader {
	return TextReader{t.at.over(batch, t.name)}
}

// Text reads the text of a message of the batch, which is empty if the field is. An error names the field, the path that was read, and what was
// found there.
func (r TextReader) Text(index int) (string, error) {
	if len(r.text.parts) == 0 {
		return "", nil
	}
	v, err := r.text.value(index)
	if err != nil {
		return "", err
	}
	text, err := field.Text(v)
	if errors.Is(err, field.ErrMissing) {
		err = fmt.Errorf("%w: want a text", err)
	}
	if err != nil {
		return "", r.text.wrong("", err)
	}
	return text, nil
}

// MetaTemplates is the metadata of a message that says, by their checksum, which templates its event was named by.
const MetaTemplates = "deepcase_templates"

// Templates is MetaTemplates of a message, "" if it has none.
func Templates(m *service.Message) string {
	if templates, _ := m.MetaGet(MetaTemplates); annotation.IsTemplates(templates) {
		return templates
	}
	return ""
}
