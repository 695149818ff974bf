package annotation

import "strings"

// TemplatesLength is how many digits of the checksum of templates a document has.
const TemplatesLength = 16

// IsTemplates tells whether a text is the beginning of a checksum of templates.
func IsTemplates(text string) bool {
	return len(text) == TemplatesLength && strings.Trim(text, "0123456789abcdef") == ""
}

// Template is what deepcase_template says about a message.
type Template struct {
	Name   string // "" if there is none
	Status string
}

// WriteTemplate puts t into a document that passed Check. It removes an old name.
func (t Target) WriteTemplate(document map[string]any, named Template) {
	object := objectAt(document, t...)
	delete(object, "name")
	if named.Name != "" {
		object["name"] = named.Name
	}
	object["status"] = named.Status
}
