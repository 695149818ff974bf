package sequencer

import (
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseTime(t *testing.T) {
	for in, want := range map[string]string{
		"0":                                  "1970-01-01T00:00:00Z",
		"-1.5":                               "1969-12-31T23:59:58.5Z",
		"+7":                                 "1970-01-01T00:00:07Z",
		".25":                                "1970-01-01T00:00:00.25Z",
		"00012":                              "1970-01-01T00:00:12Z",
		"1642118409":                         "2022-01-14T00:00:09Z",
		"1642118409.":                        "2022-01-14T00:00:09Z",
		"1642118409.123456789":               "2022-01-14T00:00:09.123456789Z",
		"1642118409.12345678999":             "2022-01-14T00:00:09.123456789Z",
		"1.642118409e+09":                    "2022-01-14T00:00:09Z",
		"1.642118409123E9":                   "2022-01-14T00:00:09.123Z",
		"16421184090e-1":                     "2022-01-14T00:00:09Z",
		"1642118409123":                      "2022-01-14T00:00:09.123Z",
		"1642118409123.5":                    "2022-01-14T00:00:09.1235Z",
		"1642118409123456":                   "2022-01-14T00:00:09.123456Z",
		"1642118409123456789":                "2022-01-14T00:00:09.123456789Z",
		"1e-100":                             "1970-01-01T00:00:00Z",
		"2022-01-14T00:00:09Z":               "2022-01-14T00:00:09Z",
		" 2022-01-14t00:00:09z\n":            "2022-01-14T00:00:09Z",
		"2022-01-14T00:00:09+01:30":          "2022-01-13T22:30:09Z",
		"2022-01-14T00:00:09-0130":           "2022-01-14T01:30:09Z",
		"2022-01-14 00:00:09 +01":            "2022-01-13T23:00:09Z",
		"2020-03-04T13:55:05.224939+0000":    "2020-03-04T13:55:05.224939Z",
		"2020-10-09T21:33:19.425Z":           "2020-10-09T21:33:19.425Z",
		"2022-01-14 00:00:09,123":            "2022-01-14T00:00:09.123Z",
		"2022-01-14 00:00:09.1234567891 UTC": "2022-01-14T00:00:09.123456789Z",
		"2022/01/14 10:20":                   "2022-01-14T10:20:00Z",
		"2022-01-14":                         "2022-01-14T00:00:00Z",
		"2024-02-29 23:59:60":                "2024-03-01T00:00:00Z",
	} {
		got, err := ParseTime(in)
		if assert.NoError(t, err, in) {
			assert.Equal(t, want, got.Format(time.RFC3339Nano), in)
			assert.Equal(t, time.UTC, got.Location(), in)
		}
	}
}

func TestParseTimeSaysWhatWouldBeRight(t *testing.T) {
	form := ": want seconds, millis, micros or nanos since 1970, or a date and time such as 2006-01-02T15:04:05Z"
	for _, in := range []string{"", " ", "-", ".", "yesterday", "1e", "1e400", "1_000", "0x10", "NaN", "inf", "12 13", "--1", "2022-01",
		"2022-01-14T",
		"2022-13-14 00:00:00", "2022-02-30 00:00:00", "2023-02-29", "2022-01-14T24:00:00", "2022-01-14 1:00:00", "2022-01/14", "2022-01-14 00:60",
		"2022-01-14 00:00:61", "2022-01-14 00:00:00.", "2022-01-14 00:00 +1", "2022-01-14 00:00 +24:00", "2022-01-14 00:00 CET",
		"2022-01-14Z", "\x00"} {
		_, err := ParseTime(in)
		assert.EqualError(t, err, "time "+strconv.Quote(in)+form)
	}
	for _, in := range []string{"99999999999", "9223372036854775808", "1e30", "9999-01-01 00:00:00", "1600-01-01", "-9999999999",
		strings.Repeat("9", 50)} {
		_, err := ParseTime(in)
		assert.EqualError(t, err, "time "+strconv.Quote(in)+": want a time between the years 1678 and 2262")
	}
	_, err := ParseTime(strings.Repeat("x", 10_000))
	assert.Less(t, len(err.Error()), 250)
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"1642118409.25", "-1.5e3", "2020-03-04T13:55:05.224939+0000", "2022/01/14 10:20", "x"} {
		f.Add(s, int64(1642118409123456789))
	}
	f.Fuzz(func(t *testing.T, s string, n int64) {
		at, err := ParseTime(s)
		if err == nil {
			again, err := ParseTime(at.Format(time.RFC3339Nano))
			require.NoError(t, err)
			require.True(t, at.Equal(again))
			if number, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil && math.Abs(number) < 1e10 {
				require.InDelta(t, number, float64(at.UnixNano())/1e9, 1e-5)
			}
		}
		if want := time.Unix(0, n).UTC(); n/1e9 > minSecond && n/1e9 < maxSecond-1 {
			for _, form := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999-0700", "2006/01/02 15:04:05,999999999"} {
				got, err := ParseTime(want.Format(form))
				require.NoError(t, err)
				require.True(t, want.Equal(got), "%s", want.Format(form))
			}
		}
	})
}

func BenchmarkParseTime(b *testing.B) {
	for _, s := range []string{"1642118409", "2020-03-04T13:55:05.224939+0000"} {
		b.Run(s, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = ParseTime(s)
			}
		})
	}
}
