package textfile

import (
	"bufio"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestReadLine(t *testing.T) {
	in := bufio.NewReaderSize(strings.NewReader("a\n\n"+strings.Repeat("b", 99)+"\nlast"), 16)
	for _, want := range []string{"a\n", "\n", strings.Repeat("b", 99) + "\n"} {
		line, err := readLine(in, 100)
		require.NoError(t, err)
		assert.Equal(t, want, string(line))
	}
	line, err := readLine(in, 100)
	assert.Equal(t, io.EOF, err)
	assert.Equal(t, "last", string(line))
}

// endless never has a line end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	e.read += len(p)
	return len(p), nil
}

func TestALongLineEndsTheReading(t *testing.T) {
	source := &endless{}
	_, err := readLine(bufio.NewReader(source), 1<<20)
	assert.Equal(t, LongError{1 << 20}, err)
	assert.ErrorContains(t, err, "more than 1048576 bytes")
	assert.Less(t, source.read, 2<<20)
}
