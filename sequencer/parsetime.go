package sequencer

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

var (
	errTimeForm  = errors.New("want seconds, millis, micros or nanos since 1970, or a date and time such as 2006-01-02T15:04:05Z")
	errTimeRange = errors.New("want a time between the years 1678 and 2262")
)

// ParseTime reads a timestamp: a number of seconds, millis, micros or nanos since 1970, with or without a fraction or exponent, or
// RFC 3339 and its relatives: a space for the T, slashes, no time of day or no seconds, a comma before the fraction, a zone
// such as +0000, or no zone (UTC). A number is told by the digits before its point: up to 11 are seconds, 14 millis, 17 micros.
func ParseTime(s string) (time.Time, error) {
	n, err := parseTime(s)
	if err != nil {
		return time.Time{}, fmt.Errorf("time %s: %w", shorten(s), err)
	}
	return time.Unix(0, n).UTC(), nil
}

// parseTime gives Unix nanoseconds.
func parseTime(s string) (int64, error) {
	s = strings.TrimSpace(s)
	if seconds, ok := parseSeconds(s); ok {
		return seconds * 1_000_000_000, nil
	}
	if n, err := parseEpoch(s); err != errTimeForm {
		return n, err
	}
	t, err := parseDate(s)
	return t.UnixNano(), err
}

// parseSeconds reads what is most frequent, some digits, in a fraction of the time; anything else is not ok.
func parseSeconds(s string) (seconds int64, ok bool) {
	if s == "" || len(s) > 10 {
		return 0, false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		seconds = 10*seconds + int64(s[i]-'0')
	}
	return seconds, seconds < maxSecond
}

// parseEpoch reads a decimal number exactly, to the nanosecond; what is smaller is cut off.
func parseEpoch(s string) (int64, error) {
	sc := scanner{s}
	negative := sc.skip("-")
	if !negative {
		sc.skip("+")
	}
	whole := sc.digits()
	fraction := ""
	if sc.skip(".") {
		fraction = sc.digits()
	}
	if whole == "" && fraction == "" {
		return 0, errTimeForm
	}
	exponent := 0
	if sc.skip("eE") {
		shift, err := strconv.ParseInt(sc.rest, 10, 8)
		if err != nil {
			return 0, errTimeForm
		}
		exponent, sc.rest = int(shift), ""
	}
	if sc.rest != "" {
		return 0, errTimeForm
	}
	if whole = strings.TrimLeft(whole, "0"); whole == "" {
		digits := len(fraction)
		fraction = strings.TrimLeft(fraction, "0")
		exponent -= digits - len(fraction)
	}
	if whole == "" && fraction == "" {
		return 0, nil
	}
	point := len(whole) + exponent // how many of the digits, with zeros after them, are before the point
	switch {                       // from here on, point is about nanoseconds
	case point <= 11:
		point += 9
	case point <= 14:
		point += 6
	case point <= 17:
		point += 3
	}
	if point > 19 {
		return 0, errTimeRange
	}
	number := uint64(0) // 19 digits fit
	left := max(0, point)
	for _, digits := range [...]string{whole, fraction} {
		digits = digits[:min(left, len(digits))]
		for i := range len(digits) {
			number = 10*number + uint64(digits[i]-'0')
		}
		left -= len(digits)
	}
	for ; left > 0; left-- {
		number *= 10
	}
	switch {
	case negative && number <= -minSecond*1_000_000_000:
		return -int64(number), nil
	case !negative && number < maxSecond*1_000_000_000:
		return int64(number), nil
	}
	return 0, errTimeRange
}

// parseDate reads RFC 3339 and its relatives.
func parseDate(s string) (time.Time, error) {
	sc := scanner{s}
	year := sc.number(4)
	separator := "-"
	if strings.HasPrefix(sc.rest, "/") {
		separator = "/"
	}
	sc.need(separator)
	month := sc.number(2)
	sc.need(separator)
	day := sc.number(2)
	var hour, minute, second, nanosecond, offset int
	if sc.rest != "" {
		sc.need("Tt ")
		hour = sc.number(2)
		sc.need(":")
		minute = sc.number(2)
		if sc.skip(":") {
			second = sc.number(2)
			if sc.skip(".,") {
				fraction := sc.digits()
				if fraction == "" {
					return time.Time{}, errTimeForm
				}
				nanosecond, _ = strconv.Atoi((fraction + "000000000")[:9])
			}
		}
		offset = sc.zone()
	}
	if sc.rest != "" {
		return time.Time{}, errTimeForm
	}
	midnight := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if month != int(midnight.Month()) || day != midnight.Day() || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, errTimeForm
	}
	return inRange(time.Date(year, time.Month(month), day, hour, minute, second-offset, nanosecond, time.UTC))
}

func inRange(t time.Time) (time.Time, error) {
	if s := t.Unix(); s < minSecond || s >= maxSecond {
		return time.Time{}, errTimeRange
	}
	return t, nil
}

// scanner eats a text from its start. What is not as needed stays in rest: a failure leaves "\x00" there, which nothing eats.
type scanner struct{ rest string }

func (sc *scanner) fail() { sc.rest = "\x00" }

// skip eats one byte of the set, if it is next.
func (sc *scanner) skip(set string) bool {
	if sc.rest == "" {
		return false
	}
	for i := range len(set) { // one to three: shorter than a call
		if set[i] == sc.rest[0] {
			sc.rest = sc.rest[1:]
			return true
		}
	}
	return false
}

func (sc *scanner) need(set string) {
	if !sc.skip(set) {
		sc.fail()
	}
}

// digits eats all digits that are next.
func (sc *scanner) digits() string {
	n := 0
	for n < len(sc.rest) && sc.rest[n] >= '0' && sc.rest[n] <= '9' {
		n++
	}
	digits := sc.rest[:n]
	sc.rest = sc.rest[n:]
	return digits
}

// number eats a number of exactly n digits, n ≤ 9.
func (sc *scanner) number(n int) int {
	all := sc.rest
	if len(sc.digits()) < n {
		sc.fail()
		return 0
	}
	sc.rest = all[n:]
	v, _ := strconv.Atoi(all[:n])
	return v
}

// zone eats a zone up to the end and returns its offset from UTC in seconds.
func (sc *scanner) zone() int {
	sc.skip(" ")
	switch sc.rest {
	case "", "Z", "z", "UTC", "GMT":
		sc.rest = ""
		return 0
	}
	sign := 1
	if sc.skip("-") {
		sign = -1
	} else {
		sc.need("+")
	}
	hours, minutes := sc.number(2), 0
	if sc.rest != "" {
		sc.skip(":")
		minutes = sc.number(2)
	}
	if hours > 23 || minutes > 59 {
		sc.fail()
	}
	return sign * (hours*3600 + minutes*60)
}
