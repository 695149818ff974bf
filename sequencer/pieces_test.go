package sequencer

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// randomCSV is a random series of csv syntax. Most results are invalid.
func randomCSV(r *rand.Rand, pieces int) string {
	parts := []string{",", ",", "\n", "\r\n", "\r", `"`, `""`, "a", "b1", `"x,y"`, "\"two\nlines\"", "\"two\r\nlines\",", `"a ""b"""`, ",\"\"\n"}
	var b strings.Builder
	for range r.IntN(pieces) {
		b.WriteString(parts[r.IntN(len(parts))])
	}
	return b.String()
}

// Rows and errors do not depend on how the text is cut and how many pieces are read at once.
func TestPiecesDoNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	valid := func() string {
		quote := func(s string) string {
			if r.IntN(4) == 0 {
				return `"` + s + `"`
			}
			return s
		}
		var b strings.Builder
		for i := range r.IntN(40) {
			more := []string{"", "z", `"a ""b"`, "\"\n\n,\""}[r.IntN(4)]
			fmt.Fprintf(&b, "%s,%s,%s,%s%s", quote(fmt.Sprint(i)), quote(fmt.Sprint("m", r.IntN(5))), quote(fmt.Sprint("e", r.IntN(9))), more,
				[]string{"\n", "\r\n", "\n\n"}[r.IntN(3)])
		}
		return b.String()
	}
	for seed := range 800 {
		text := "timestamp,machine,event,more\n" + valid()
		if seed%2 == 0 {
			text += randomCSV(r, 6) + "\n" + valid()
		}
		opts := ReadOptions{PerFile: seed%3 == 0}
		if seed%5 == 0 {
			opts.Rows = 1 + r.IntN(20)
		}
		comparePieces(t, r, CSV, text, opts)
	}
}

// sameSyntaxError tells whether an error is about JSON that is broken, and checks that another one says the same of the same line. What they quote
// depends on how much was read.
func sameSyntaxError(t *testing.T, want, got error) bool {
	t.Helper()
	syntax, ok := errors.AsType[*json.SyntaxError](want)
	if ok {
		require.ErrorContains(t, got, syntax.Error())
		var wantRow, gotRow *RowError
		require.ErrorAs(t, want, &wantRow)
		require.ErrorAs(t, got, &gotRow)
		require.Equal(t, wantRow.Line, gotRow.Line)
	}
	return ok
}

// comparePieces reads a text whole, and in pieces.
func comparePieces(t *testing.T, r *rand.Rand, format Format, text string, opts ReadOptions) {
	t.Helper()
	opts.Format = format
	one, wantErr := readPieces(text, opts, len(text)+1, 1, false)
	for _, size := range []int{1, 7, 60, 300} {
		workers := 1 + r.IntN(4)
		table, err := readPieces(text, opts, size, workers, r.IntN(2) == 0)
		if !sameSyntaxError(t, wantErr, err) {
			require.Equal(t, wantErr, err, "pieces of %d, %d at once: %q", size, workers, text)
		}
		require.Equal(t, one.rows(), table.rows())
		require.Equal(t, one.machines.texts, table.machines.texts, "numbered in the order of the rows")
		require.Equal(t, one.names.texts, table.names.texts, "no names of rows that were not wanted")
		require.Equal(t, one.kinds.texts, table.kinds.texts)
		require.Equal(t, one.fullKinds(), table.fullKinds())
	}
}

// The same is true of lines: those of JSON, of which some are not objects or not right, and those of txt.
func TestPiecesOfLinesDoNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for seed := range 800 {
		var objects, machines strings.Builder
		for i := range r.IntN(40) {
			label := []string{"", fmt.Sprintf(`,"label":%d`, r.IntN(3))}[r.IntN(2)]
			object := fmt.Sprintf(`{"timestamp":%d,"machine":"m%d","event":"e%d"%s}`, i, r.IntN(5), r.IntN(9), label)
			if seed%2 == 0 && r.IntN(30) == 0 {
				object = []string{"[" + object + ",\n" + object + "]", `{"Records":[` + object + "]}", object + object, "{", "{}", object[:len(object)/2] + "\n" + object[len(object)/2:], `"a"`, "\xff"}[r.IntN(8)]
			}
			objects.WriteString(object + []string{"\n", "\r\n", "\n \n"}[r.IntN(3)])
			for range r.IntN(6) {
				fmt.Fprintf(&machines, "e%d%s", r.IntN(12), []string{" ", "\t", "  "}[r.IntN(3)])
			}
			if seed%2 == 0 && r.IntN(30) == 0 {
				machines.WriteString([]string{"\xff", "a\rb", "\r"}[r.IntN(3)])
			}
			machines.WriteString([]string{"\n", "\r\n", "\n\n"}[r.IntN(3)])
		}
		opts := ReadOptions{PerFile: seed%3 == 0}
		if seed%5 == 0 {
			opts.Rows = 1 + r.IntN(20)
		}
		comparePieces(t, r, NDJSON, objects.String(), opts)
		comparePieces(t, r, Text, machines.String(), opts)
	}
}

func readPieces(text string, opts ReadOptions, size, workers int, bytewise bool) (*Table, error) {
	var in io.Reader = strings.NewReader(text)
	if bytewise {
		in = iotest.OneByteReader(in)
	}
	table := &Table{}
	r, _ := newReader(table, opts)
	r.piece, r.workers = size, workers
	return table, r.stream(in, "a.csv", "a/")
}

// Reading a limited number of rows from a pipe does not wait for the pipe to close.
func TestReadNoFurtherThanTheRowsAskedFor(t *testing.T) {
	in, out := io.Pipe()
	go func() { _, _ = out.Write([]byte("timestamp,machine,event\n1,m,a\n2,m,b\n")) }()
	var table Table
	require.NoError(t, table.ReadStream(in, "a.csv", ReadOptions{Rows: 2}))
	assert.Equal(t, []string{"1 m a", "2 m b"}, table.rows())
}

func TestColumnsAreBounded(t *testing.T) {
	for _, row := range []string{strings.Repeat(",", 20_000), strings.Repeat(`"",`, 20_000)} {
		r, _ := newReader(&Table{}, ReadOptions{})
		err := r.stream(strings.NewReader("timestamp,machine,event\n1,m,a\n"+row+"\n"), "a.csv", "")
		assert.EqualError(t, err, "a.csv:3: more than 10000 columns: want fewer")
		assert.Equal(t, []string{"1 m a"}, r.table.rows())
	}
}

func TestReadKeepsTheRowsBeforeAFailure(t *testing.T) {
	for _, size := range []int{1, 1000} {
		r, _ := newReader(&Table{}, ReadOptions{})
		r.piece = size
		in := io.MultiReader(strings.NewReader("timestamp,machine,event\n1,m,a\n2,m,"), iotest.ErrReader(errors.New("disk gone")))
		assert.EqualError(t, r.stream(in, "a.csv", ""), "a.csv: disk gone")
		assert.Equal(t, []string{"1 m a"}, r.table.rows())
	}
}
