package original

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The results of pandas.read_csv and np.unique for such columns, from pandas 3.1.1 and numpy 2.4.6.
func TestNamesHaveTheOriginalsOrder(t *testing.T) {
	for name, c := range map[string]struct {
		source Source
		names  []string
		want   []string
	}{
		"whole":                {SourceCSV, []string{"0", "-3", "007", "2", "10"}, []string{"-3", "0", "2", "007", "10"}},
		"signs":                {SourceCSV, []string{"+5", "2"}, []string{"2", "+5"}},
		"64 bits":              {SourceCSV, []string{"9223372036854775807", "-2"}, []string{"-2", "9223372036854775807"}},
		"decimal":              {SourceCSV, []string{"1.5", "10", "2", "1e3", ".5", "5.", "-0.0"}, []string{"-0.0", ".5", "1.5", "2", "5.", "10", "1e3"}},
		"infinite":             {SourceCSV, []string{"inf", "2", "-Infinity"}, []string{"-Infinity", "2", "inf"}},
		"spaces":               {SourceCSV, []string{" 10", "2 ", "\t3"}, []string{"2 ", "\t3", " 10"}},
		"text":                 {SourceCSV, []string{"b", "a", "ß", "B"}, []string{"B", "a", "b", "ß"}},
		"numbers and text":     {SourceCSV, []string{"10", "2", "b", "a"}, []string{"10", "2", "a", "b"}},
		"hexadecimal":          {SourceCSV, []string{"0x10", "2"}, []string{"0x10", "2"}},
		"underscores":          {SourceCSV, []string{"1_000", "2"}, []string{"1_000", "2"}},
		"other digits":         {SourceCSV, []string{"٣", "2"}, []string{"2", "٣"}},
		"a space that is none": {SourceCSV, []string{"\u00a010", "2"}, []string{"2", "\u00a010"}},
		"signs alone":          {SourceCSV, []string{"-", "2", "++1", "1e", "."}, []string{"++1", "-", ".", "1e", "2"}},
		"truth values beside":  {SourceCSV, []string{"true", "1", "0"}, []string{"0", "1", "true"}},
		"txt":                  {SourceText, []string{"10", "2", "99999999999999999999", "-1"}, []string{"-1", "2", "10", "99999999999999999999"}},
		"text in txt":          {SourceText, []string{"b", "a"}, []string{"a", "b"}},
		"text elsewhere":       {SourceOther, []string{"b", "NA", "a"}, []string{"NA", "a", "b"}},
		"both elsewhere":       {SourceOther, []string{"b", "10", "2"}, []string{"10", "2", "b"}},
	} {
		t.Run(name, func(t *testing.T) {
			by, err := OrderOf(c.names, c.source)
			require.NoError(t, err)
			got, err := Sort(c.names, by)
			require.NoError(t, err)
			assert.Equal(t, c.want, got)
		})
	}
}

func TestAnOrderIsNotGuessed(t *testing.T) {
	for name, c := range map[string]struct {
		source Source
		names  []string
	}{
		"numbers from elsewhere":   {SourceOther, []string{"2", "10"}},
		"missing values":           {SourceCSV, []string{"2", "10", "NA"}},
		"missing beside text":      {SourceCSV, []string{"b", "a", "null"}},
		"more than 64 bits":        {SourceCSV, []string{"2", "18446744073709551616"}},
		"truth values":             {SourceCSV, []string{"True", "false"}},
		"numbers and text in txt":  {SourceText, []string{"2", "a"}},
		"decimal numbers in txt":   {SourceText, []string{"2", "1.5"}},
		"nothing but an unknown 1": {SourceOther, []string{"1"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := OrderOf(c.names, c.source)
			assert.ErrorIs(t, err, ErrUnknownOrder)
		})
	}
}

func TestNamesWithoutAPlaceInAnOrderAreErrors(t *testing.T) {
	for want, names := range map[string][]string{
		`events "7" and "007" are the same number`:         {"7", "10", "007"},
		`events "1" and "1.0" are the same number`:         {"1", "1.0", "2"},
		`events "inf" and "1e400" are the same number`:     {"inf", "1e400"},
		`event "a" is not a number`:                        {"1", "a"},
		`"9007199254740993" and "9007199254740992" are th`: {"9007199254740993", "9007199254740992", "1.5"},
	} {
		_, err := Sort(names, ByNumber)
		assert.ErrorContains(t, err, want)
	}
	_, err := Sort([]string{"a"}, "size")
	assert.ErrorContains(t, err, `order "size" is not one of number, text`)
}

func FuzzOrder(f *testing.F) {
	f.Add("10", "2", "1.5", "csv")
	f.Add("NA", "-1e9", "inf", "txt")
	f.Add("login", "10", "2", "csv")
	f.Fuzz(func(t *testing.T, a, b, c, source string) {
		names := []string{a, b, c}
		if a == b || b == c || a == c {
			t.Skip()
		}
		by, err := OrderOf(names, Source(source))
		if err != nil {
			require.ErrorIs(t, err, ErrUnknownOrder)
			return
		}
		sorted, err := Sort(names, by)
		if by == ByText {
			require.NoError(t, err)
		}
		if err == nil {
			require.ElementsMatch(t, names, sorted)
			again, err := Sort([]string{c, a, b}, by)
			require.NoError(t, err)
			require.Equal(t, sorted, again)
		}
	})
}
