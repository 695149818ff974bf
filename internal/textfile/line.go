package textfile

import (
	"bufio"
	"errors"
	"fmt"
)

// MaxRecord is the default for the most bytes of a line, or of a record of several lines.
const MaxRecord = 64 << 20

// LongError means that a line or a record is too long: it would fill the memory.
type LongError struct{ Most int }

func (e LongError) Error() string {
	return fmt.Sprintf("a line or record of more than %d bytes: want shorter ones", e.Most)
}

// ReadLine gives the next line, including its line end, as bufio.Reader.ReadBytes does. A line of more than most bytes is a LongError.
func ReadLine(in *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > most {
			return nil, LongError{most}
		}
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
