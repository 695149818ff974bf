package textfile

import (
	"encoding/csv"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// compareRecords reads a text with the standard library and with Records: the same records, lines and first error.
func compareRecords(t *testing.T, text string) {
	t.Helper()
	want := csv.NewReader(strings.NewReader(text))
	want.FieldsPerRecord = -1
	have := NewRecords(text, 1, ',')
	for {
		record, err := want.Read()
		fields, wrong := have.Next()
		if errors.Is(err, io.EOF) {
			require.Nil(t, fields, "%q", text)
			require.Nil(t, wrong, "%q", text)
			return
		}
		if parse, ok := errors.AsType[*csv.ParseError](err); ok {
			require.NotNil(t, wrong, "%q: %v", text, err)
			line := parse.Line
			if errors.Is(parse, csv.ErrQuote) {
				line = parse.StartLine
			}
			require.Equal(t, line, wrong.Line, "%q: %v", text, err)
			require.Equal(t, errors.Is(parse, csv.ErrBareQuote), strings.HasPrefix(wrong.Err.Error(), `a " inside`), "%q", text)
			return
		}
		require.Nil(t, wrong, "%q", text)
		require.Equal(t, record, fields, "%q", text)
		for i := range fields {
			line, _ := want.FieldPos(i)
			require.Equal(t, line, have.LineOf(i), "%q: field %d", text, i)
		}
	}
}

// randomCSV strings together what csv is made of; most of it is wrong somewhere.
func randomCSV(r *rand.Rand, pieces int) string {
	parts := []string{",", ",", "\n", "\n", "\r\n", "\r", `"`, `""`, "a", "b1", `"x,y"`, "\"two\nlines\"", "\"two\r\nlines\",", `"a ""b"""`, ",\"\"\n"}
	var b strings.Builder
	for range r.IntN(pieces) {
		b.WriteString(parts[r.IntN(len(parts))])
	}
	return b.String()
}

func TestRecordsAreThoseOfTheStandardLibrary(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		compareRecords(t, randomCSV(r, 12))
	}
}

// Whatever the character between fields is, a record has as many fields as it says, and nothing is read behind the text.
func TestRecordsWithAnyComma(t *testing.T) {
	for comma := range byte(0x80) {
		if strings.IndexByte("\"\r\nx", comma) >= 0 {
			continue
		}
		for fields := range 20 {
			want := slices.Repeat([]string{"x"}, fields+1)
			records := NewRecords(strings.Join(want, string(rune(comma))), 1, comma)
			got, wrong := records.Next()
			require.Nil(t, wrong)
			require.Equal(t, want, got)
			got, wrong = records.Next()
			require.Nil(t, wrong)
			require.Nil(t, got)
		}
	}
}

func FuzzRecords(f *testing.F) {
	f.Add("a,\"b\"\"\r\nc\",\r\n\n\"\"\nd\r")
	f.Fuzz(func(t *testing.T, text string) { compareRecords(t, text) })
}
