package textfile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// MaxRecord is the default for the most bytes of a line, or of a record of several lines.
const MaxRecord = 64 << 20

// LongError means that a line or a record is too long: it would fill the memory.
type LongError struct{ Most int }

func (e LongError) Error() string {
	return fmt.Sprintf("a line or record of more than %d bytes: want shorter ones", e.Most)
}

// readLine gives the next line, including its line end, which may be in the memory of in: it is valid until the next read. A line of more than
// most bytes is a LongError.
func readLine(in *bufio.Reader, most int) ([]byte, error) {
	var line []byte
	for {
		part, err := in.ReadSlice('\n')
		if len(line)+len(part) > most {
			return nil, LongError{most}
		}
		if whole := !errors.Is(err, bufio.ErrBufferFull); whole && line == nil {
			return part, err
		} else if line = append(line, part...); whole {
			return line, err
		}
	}
}

// EachLine calls use for each line that is not blank, with its number from 1. The line stays valid. At an error, of reading or of use, it ends and
// gives the number of the line.
func EachLine(in *bufio.Reader, use func(number int, line []byte) error) (number int, err error) {
	for number = 1; ; number++ {
		line, err := readLine(in, MaxRecord)
		if len(bytes.TrimSpace(line)) > 0 {
			if err := use(number, bytes.Clone(line)); err != nil {
				return number, err
			}
		}
		if errors.Is(err, io.EOF) {
			return number, nil
		} else if err != nil {
			return number, err
		}
	}
}
