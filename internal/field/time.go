package field

import (
	"fmt"
	"math"
	"strings"
	"time"

	"connect-deepcase/internal/excerpt"
)

// TimeFormat says how a timestamp is written. The zero value reads one whose form has only one meaning:
//   - RFC 3339 and similar forms: a space in place of the T, slashes, no time of day or no seconds, a comma before the fraction, a zone such
//     as +0000, or no zone, which is UTC.
//   - A number, the time since 1970, with or without a fraction or exponent. With 10 digits before its point it is in seconds, with 13 in
//     milliseconds, with 16 in microseconds, with 19 in nanoseconds. So numbers begin in 2001.
//   - A number of up to three digits, in seconds, for events that are counted from 0.
//
// Any other number is refused. It may be a year, a date without dashes, a day of a spreadsheet or a time since 1601: name its format.
type TimeFormat struct {
	unit   string // "" for a layout, or if the value says what it is
	layout string
}

// Units of numbers that are declared to be times.
const (
	auto         = "auto"
	seconds      = "seconds"
	milliseconds = "milliseconds"
	microseconds = "microseconds"
	nanoseconds  = "nanoseconds"
	filetime     = "filetime"
	excel        = "excel"
)

// timeFormats describes the names that ParseTimeFormat accepts in addition to layouts.
func timeFormats() map[string]string {
	return map[string]string{
		auto: "RFC 3339 and its relatives, or the time since 1970 as a number of 10 (seconds), 13 (milliseconds), 16 (microseconds) or 19 " +
			"(nanoseconds) digits before its point; a number of up to three digits is taken for seconds, so that small examples can count from 0.",
		seconds:      "The seconds since 1970.",
		milliseconds: "The milliseconds since 1970.",
		microseconds: "The microseconds since 1970.",
		nanoseconds:  "The nanoseconds since 1970.",
		filetime:     "Windows' FILETIME: units of 100 nanoseconds since 1601.",
		excel:        "The serial number of a spreadsheet: days since 1899-12-30, in UTC.",
	}
}

// ParseTimeFormat reads a name of timeFormats, "" for auto, or a layout with the % of strptime, such as %d/%b/%Y:%H:%M:%S %z. Without a zone
// in the layout, times are UTC.
func ParseTimeFormat(s string) (TimeFormat, error) {
	switch _, known := timeFormats()[s]; {
	case s == "" || s == auto:
		return TimeFormat{}, nil
	case known:
		return TimeFormat{unit: s}, nil
	case strings.Contains(s, "%"):
		f := TimeFormat{layout: s}
		return f, f.checkLayout()
	}
	return TimeFormat{}, fmt.Errorf("%s: want auto, seconds, milliseconds, microseconds, nanoseconds, filetime, excel, or a layout such as %%Y%%m%%d",
		excerpt.Quote(s))
}

// Parse reads a timestamp.
func (f TimeFormat) Parse(s string) (time.Time, error) {
	n, err := f.Nanos(s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%s: %w", excerpt.Quote(s), err)
	}
	return time.Unix(0, n).UTC(), nil
}

// Nanos is Parse in Unix nanoseconds. Its error does not quote the value.
func (f TimeFormat) Nanos(s string) (int64, error) {
	if f == (TimeFormat{}) { // most times are numbers of seconds
		if seconds, ok := parseSeconds(s); ok {
			return seconds * 1_000_000_000, nil
		}
	}
	s = strings.TrimSpace(s)
	if f.layout != "" {
		return f.layoutNanos(s)
	}
	if f.unit == "" {
		return parseTime(s)
	}
	number, ok := parseDecimal(s)
	if !ok {
		return 0, fmt.Errorf("want a number, as the time format %s has it", f.unit)
	}
	switch f.unit {
	case seconds:
		return number.scaled(9)
	case milliseconds:
		return number.scaled(6)
	case microseconds:
		return number.scaled(3)
	case filetime:
		n, err := number.scaled(0)
		return shifted(n, -11_644_473_600*10_000_000, 100, err)
	case excel:
		n, err := number.scaled(9) // of a day
		return shifted(n, -25_569*1_000_000_000, 86_400, err)
	}
	return number.scaled(0)
}

// shifted is (n + by) × factor.
func shifted(n, by, factor int64, err error) (int64, error) {
	if n += by; err != nil || n < math.MinInt64/factor || n > math.MaxInt64/factor {
		return 0, errTimeRange
	}
	return n * factor, nil
}
