package mapping

import (
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/field"
)

const fieldTarget = "target"

// TargetField says where a document has its annotation; ParseTarget reads it.
func TargetField() *service.ConfigField {
	return service.NewStringField(fieldTarget).
		Description("The path of the object in the document that holds context and verdict, with dots between its parts.").
		Example("security.deepcase").
		LintRule(`root = if this == "" || this.split(".").any(part -> part == "") { "target needs names divided by single dots" }`).
		Default("deepcase")
}

// ParseTarget is where TargetField says that a document has its annotation.
func ParseTarget(conf *service.ParsedConfig) (annotation.Target, error) {
	path, err := conf.FieldString(fieldTarget)
	if err != nil {
		return nil, err
	}
	target, err := annotation.ParseTarget(path)
	if err != nil {
		return nil, fmt.Errorf("field '%s': %w", fieldTarget, err)
	}
	return target, nil
}

// Document is a message's document, to be read only.
func Document(m *service.Message) (map[string]any, error) {
	content, err := m.AsStructured()
	if err != nil {
		return nil, fmt.Errorf("document: not JSON: %w", err)
	}
	return annotation.Document(content)
}

// Raw is a message's document as bytes. It is not ok if the message is decoded already, or if the document has to be.
func Raw(m *service.Message, target annotation.Target, room *field.Room) (raw annotation.Raw, ok bool) {
	content, ok := Bytes(m)
	if !ok {
		return raw, false
	}
	return target.Raw(content, room)
}

// Bytes are a message's document, if it is not decoded.
func Bytes(m *service.Message) (content []byte, ok bool) {
	if m.HasStructured() || !m.HasBytes() {
		return nil, false
	}
	content, err := m.AsBytes()
	return content, err == nil
}

// Mutable is a message's document, to be changed. If Document found one, there is one.
func Mutable(m *service.Message) map[string]any {
	content, _ := m.AsStructuredMut()
	document, _ := content.(map[string]any)
	return document
}
