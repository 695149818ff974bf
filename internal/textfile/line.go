package textfile

import (
	"bufio"
	"errors"
	"fmt"
)

// MaxRecord is how many bytes a line, or a record of several lines, may have by default.
const MaxRecord = 64 << 20

// LongError says that a line or a record has more bytes than it may have: it would fill the memory.
type LongError struct{ Most int }

func (e LongError) Error() string {
	return fmt.Sprintf("a line or record of more than %d bytes: want shorter ones", e.Most)
}

// ReadLine gives the next line with its line end, if it has one, as bufio.Reader's ReadBytes does; one of more than so many bytes is a
// LongError.
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
