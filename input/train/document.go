package train

import (
	"encoding/json"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// Bounds in bytes of a document that is kept to be an example.
const (
	maxDocument  = 16 << 10
	maxBeginning = 1 << 10 // of one that is larger
)

// document is a message's content to show to an analyst. Of one that is too large it says so, and how it begins.
func document(message *service.Message) json.RawMessage {
	content, _ := message.AsBytes() // never fails
	if len(content) > maxDocument {
		shown, _ := json.Marshal(struct { // text and a number can be
			Omitted string `json:"deepcase_omitted"`
			Bytes   int    `json:"bytes"`
			Begins  string `json:"begins"`
		}{"the document is larger than 16384 bytes", len(content), strings.ToValidUTF8(string(content[:maxBeginning]), "")})
		return shown
	}
	if json.Valid(content) {
		return content
	}
	text, _ := json.Marshal(string(content)) // any text can be
	return text
}
