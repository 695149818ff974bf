package field

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/excerpt"
)

func TestParseTime(t *testing.T) {
	for in, want := range map[string]string{
		"0":                                  "1970-01-01T00:00:00Z",
		"+7":                                 "1970-01-01T00:00:07Z",
		".25":                                "1970-01-01T00:00:00.25Z",
		"999":                                "1970-01-01T00:16:39Z",
		"1000000000":                         "2001-09-09T01:46:40Z",
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
		"1969-12-31":                         "1969-12-31T00:00:00Z",
	} {
		got, err := TimeFormat{}.Parse(in)
		if assert.NoError(t, err, in) {
			assert.Equal(t, want, got.Format(time.RFC3339Nano), in)
			assert.Equal(t, time.UTC, got.Location(), in)
		}
	}
}

func TestParseTimeSaysWhatWouldBeRight(t *testing.T) {
	for _, in := range []string{"", " ", "-", ".", "yesterday", "1e", "1e400", "1_000", "0x10", "NaN", "inf", "12 13", "--1", "2022-01",
		"2022-01-14T",
		"2022-13-14 00:00:00", "2022-02-30 00:00:00", "2023-02-29", "2022-01-14T24:00:00", "2022-01-14 1:00:00", "2022-01/14", "2022-01-14 00:60",
		"2022-01-14 00:00:61", "2022-01-14 00:00:00.", "2022-01-14 00:00 +1", "2022-01-14 00:00 +24:00", "2022-01-14 00:00 CET",
		"2022-01-14Z", "\x00"} {
		_, err := TimeFormat{}.Parse(in)
		assert.EqualError(t, err, strconv.Quote(in)+": "+ErrTime.Error())
	}
	for _, in := range []string{"9999999999", "9223372036854775808", "9999-01-01 00:00:00", "1600-01-01"} {
		_, err := TimeFormat{}.Parse(in)
		assert.EqualError(t, err, strconv.Quote(in)+": want a time between the years 1678 and 2262")
	}
	_, err := TimeFormat{}.Parse(strings.Repeat("x", 10_000))
	assert.Less(t, len(err.Error()), 350)
}

func TestNumbersThatMayBeSomethingElseAreNoTimes(t *testing.T) {
	for in, what := range map[string]string{
		"133374260249410000": "FILETIME", "20240501": "a date", "2024": "a year", "45413.4166667": "a spreadsheet's day", "240501": "a short date",
		"094512": "a time of day", "000512": "a time of day", "2024122": "a day of a year", "20240501100000": "date and time",
		"240501100000": "a short date and time", "736250418.5": "seconds since 2001", "13359133218000000": "microseconds since 1601",
		"638501544180000000": "ticks since year 1", "2460431.9": "a Julian day", "-1": "nothing", "-1642118409": "seconds before 1970",
		"1000": "a counter", "999999999": "1.998e9, or not", "99999999999": "", "1e30": "", "0001": "a counter", "164211840912": "", "1642118409123456789012": "",
	} {
		_, err := TimeFormat{}.Parse(in)
		assert.EqualError(t, err, strconv.Quote(in)+": "+ErrTime.Error(), what)
	}
}

func TestDeclaredtimeFormats(t *testing.T) {
	for _, c := range []struct{ format, in, want string }{
		{"", "1642118409", "2022-01-14T00:00:09Z"}, {"auto", "2022-01-14", "2022-01-14T00:00:00Z"},
		{"seconds", "2024", "1970-01-01T00:33:44Z"}, {"seconds", "-1.5", "1969-12-31T23:59:58.5Z"}, {"seconds", "0001", "1970-01-01T00:00:01Z"},
		{"seconds", "900000000.25", "1998-07-09T16:00:00.25Z"}, {"milliseconds", "1642118409123", "2022-01-14T00:00:09.123Z"},
		{"milliseconds", "7", "1970-01-01T00:00:00.007Z"}, {"microseconds", "1.5", "1970-01-01T00:00:00.0000015Z"},
		{"nanoseconds", "1642118409123456789", "2022-01-14T00:00:09.123456789Z"},
		{"filetime", "133374260249410000", "2023-08-25T08:33:44.941Z"}, {"filetime", "133375196249410000", "2023-08-26T10:33:44.941Z"},
		{"filetime", "116444736000000001", "1970-01-01T00:00:00.0000001Z"},
		{"excel", "45413.5", "2024-05-01T12:00:00Z"}, {"excel", "25569", "1970-01-01T00:00:00Z"},
		{"%Y%m%d", "20240501", "2024-05-01T00:00:00Z"}, {"%Y", "2024", "2024-01-01T00:00:00Z"},
		{"%d/%b/%Y:%H:%M:%S %z", "01/May/2024:10:00:00 +0200", "2024-05-01T08:00:00Z"},
		{"%d/%m/%Y", "29/02/2024", "2024-02-29T00:00:00Z"}, {"%d/%m/%Y", "01/03/2023", "2023-03-01T00:00:00Z"},
		{"%Y-%j", "2024-366", "2024-12-31T00:00:00Z"}, {"%Y-%j", "2024-001", "2024-01-01T00:00:00Z"}, {"%s", "1709251200", "2024-03-01T00:00:00Z"},
		{"%m/%d/%Y %I:%M:%S %p", "05/01/2024 10:00:00 PM", "2024-05-01T22:00:00Z"}, {"%c", "Wed May  1 10:00:00 2024", "2024-05-01T10:00:00Z"},
		{"%Y-%m-%d %H:%M:%S %Z", "2024-05-01 10:00:00 GMT", "2024-05-01T10:00:00Z"}, {"%F %T %Z%z", "2024-05-01 10:00:00 WET+0000", "2024-05-01T10:00:00Z"},
		{"%Y-%m-%d %H", "2024-05-01 10", "2024-05-01T10:00:00Z"},
	} {
		format, err := ParseTimeFormat(c.format)
		require.NoError(t, err)
		got, err := format.Parse(c.in)
		if assert.NoError(t, err, "%+v", c) {
			assert.Equal(t, c.want, got.Format(time.RFC3339Nano), "%+v", c)
		}
	}
	for _, c := range []struct{ format, in, want string }{
		{"filetime", "2024-05-01", `"2024-05-01": want a number, as the time format filetime has it`},
		{"filetime", "9223372036854775807", `"9223372036854775807": want a time between the years 1678 and 2262`},
		{"excel", "99999999", `"99999999": want a time between the years 1678 and 2262`},
		{"%Y%m%d", "2024-05-01", `"2024-05-01": want a time such as "20060102", as the time format "%Y%m%d" has it`},
		{"%d/%m/%Y", "30/02/2024", `"30/02/2024": want a day that the month has`},
		{"%F", "2023-02-29", `"2023-02-29": want a day that the month has`},
		{"%e %B %Y", "31 April 2024", `"31 April 2024": want a day that the month has`},
		{"%d.%m.%Y %H:%M:%S %z", "31.11.2024 23:00:00 -0500", `"31.11.2024 23:00:00 -0500": want a day that the month has`},
		{"%c", "Wed Feb 30 10:00:00 2024", `"Wed Feb 30 10:00:00 2024": want a day that the month has`},
		{"%Y-%j", "2023-366", `"2023-366": want a day that the month has`},
		{"%F %T %Z", "2024-07-01 10:00:00 CEST", `"2024-07-01 10:00:00 CEST": want UTC or GMT, or an offset (%z): the zone CEST may be several`},
		{"%F %T %Z", "2024-07-01 10:00:00 EST", `"2024-07-01 10:00:00 EST": want UTC or GMT, or an offset (%z): the zone EST may be several`},
		{"%Y-%m-%d", "0001-05-01", `"0001-05-01": want a time between the years 1678 and 2262`},
	} {
		format, err := ParseTimeFormat(c.format)
		require.NoError(t, err)
		_, err = format.Parse(c.in)
		assert.EqualError(t, err, c.want)
	}
	for bad, want := range map[string]string{
		"rfc3339": "want auto", "2006-01-02": "want auto", "%b %d %H:%M:%S": "with the year", "%m%d": "with the year",
		"%Y-%m-%d %I:%M:%S": "want %H in place of %I, or %p", "%Y-%d %H:%M:%S": "with month and day", "%Y-%m %H:%M": "with month and day",
		"%Y-%m-%d %M:%S": "with the hour", "%Y-%m-%d %Q": "can be read", "%-d/%m/%Y": "can be read",
	} {
		_, err := ParseTimeFormat(bad)
		assert.ErrorContains(t, err, excerpt.Quote(bad)+": want")
		assert.ErrorContains(t, err, want)
	}
}

// checkRFC3339: the short way reads nothing else than the long one.
func checkRFC3339(t *testing.T, s string) {
	t.Helper()
	if got, ok := parseRFC3339(s); ok {
		want, err := parseDate(s)
		require.NoError(t, err, s)
		require.Equal(t, want.UnixNano(), got, s)
	}
}

func TestDatesAreReadInTheShortWay(t *testing.T) {
	for at := time.Date(1700, 1, 1, 23, 59, 59, 0, time.UTC); at.Year() <= 2200; at = at.AddDate(0, 0, 1) {
		got, ok := parseRFC3339(at.Format(time.RFC3339))
		if !ok || got != at.UnixNano() {
			require.Fail(t, at.String())
		}
	}
	for _, date := range []string{"2024-02-29", "2023-02-29", "1900-02-29", "2000-02-29", "2022-04-31", "2022-00-10", "2022-13-10", "2022-12-31", "2022-12-32", "2022-01-00"} {
		for _, clock := range []string{"T00:00:00", " 23:59:59", "T24:00:00", "T10:60:00", "T10:00:60", "t10:00:00", "T10:00", "T1/:00:00"} {
			for _, fraction := range []string{"", ".", ".5", ".123456789", ".1234567899", ",5", ".5.5"} {
				for _, zone := range []string{"", "Z", "z", "+0000", "+00:00", "-0000", "+01:00", " Z", "UTC", "+000", "Zx"} {
					checkRFC3339(t, date+clock+fraction+zone)
				}
			}
		}
	}
	for _, s := range []string{"2022-01-14T00:00:09Z", "2022-01-14 00:00:09", "2020-03-04T13:55:05.224939+0000"} {
		_, ok := parseRFC3339(s)
		require.True(t, ok, s)
	}
}

// Of ten digits, and of ten bytes that nearly are, the short way reads what the standard library reads.
func TestSecondsAreReadInTheShortWay(t *testing.T) {
	check := func(s string) {
		want, err := strconv.ParseUint(s, 10, 63)
		got, ok := parseSeconds(s)
		require.Equal(t, err == nil && s[0] != '0' && want < maxSecond, ok, s)
		if ok {
			require.Equal(t, int64(want), got, s)
		}
	}
	digits := []byte("1642118409")
	for i, digit := range digits {
		for b := range 256 {
			digits[i] = byte(b)
			check(string(digits))
		}
		digits[i] = digit
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		check(strconv.FormatUint(1e9+r.Uint64N(9e9), 10))
	}
}

func FuzzParseTime(f *testing.F) {
	for _, s := range []string{"1642118409.25", "-1.5e3", "2020-03-04T13:55:05.224939+0000", "2022/01/14 10:20", "x"} {
		f.Add(s, int64(1642118409123456789))
	}
	f.Fuzz(func(t *testing.T, s string, n int64) {
		checkRFC3339(t, strings.TrimSpace(s))
		at, err := TimeFormat{}.Parse(s)
		if err == nil {
			again, err := TimeFormat{}.Parse(at.Format(time.RFC3339Nano))
			require.NoError(t, err)
			require.True(t, at.Equal(again))
			if number, err := strconv.ParseFloat(strings.TrimSpace(s), 64); err == nil && math.Abs(number) < 1e10 {
				require.InDelta(t, number, float64(at.UnixNano())/1e9, 1e-5)
				require.True(t, number < 1000 || number >= 1e9)
			}
		}
		for name := range timeFormats() {
			format, err := ParseTimeFormat(name)
			require.NoError(t, err)
			_, _ = format.Parse(s)
		}
		_, _ = TimeFormat{layout: "%Y%m%d"}.Parse(s)
		if want := time.Unix(0, n).UTC(); n/1e9 > minSecond && n/1e9 < maxSecond-1 {
			for _, form := range []string{time.RFC3339Nano, "2006-01-02 15:04:05.999999999-0700", "2006/01/02 15:04:05,999999999"} {
				got, err := TimeFormat{}.Parse(want.Format(form))
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
				_, _ = TimeFormat{}.Parse(s)
			}
		})
	}
}
