package processor

import (
	"crypto/sha256"
	"encoding/binary"

	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

// remembered is what is kept of a sample. The answers of people are not: they change while a version serves.
type remembered struct {
	verdict model.Verdict
	keys    [4]decisions.Key // of the sample on the machine that it was first seen on
}

// sampleKey is the same for equal samples and differs for others. Its size does not depend on the length of names.
type sampleKey [sha256.Size]byte

// keyOf is the key of a sample. It uses buffer, which grows.
func keyOf(s model.Sample, buffer *[]byte) sampleKey {
	text := binary.AppendUvarint((*buffer)[:0], uint64(len(s.Event)))
	text = append(text, s.Event...)
	for _, name := range s.Context {
		text = binary.AppendUvarint(text, uint64(len(name)))
		text = append(text, name...)
	}
	*buffer = text
	return sha256.Sum256(text)
}

// verdictBytes is the most bytes that a remembered verdict takes, with its key and the structures around it, if its context has length events.
func verdictBytes(length int) int { return 416 + 5*length }
