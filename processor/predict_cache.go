package processor

import (
	"crypto/sha256"
	"encoding/binary"

	"connect-deepcase/model"
)

// sampleKey is what equal samples share and different ones do not. It has one size, however long names are.
type sampleKey [sha256.Size]byte

// keyOf uses buffer, which grows.
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

// verdictBytes is what a verdict with so many events in its context takes in the cache at most, with its key and its places there.
func verdictBytes(length int) int { return 352 + 5*length }
