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
	t, err := parseTime(s)
	if err != nil {
		return time.Time{}, fmt.Errorf("time %s: %w", shorten(s), err)
	}
	return t, nil
}

func parseTime(s string) (time.Time, error) {
	s = strings.TrimSpace(s)
	if t, err := parseEpoch(s); err != errTimeForm {
		return t, err
	}
	return parseDate(s)
}

// parseEpoch reads a decimal number exactly, to the nanosecond; what is smaller is cut off.
func parseEpoch(s string) (time.Time, error) {
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
		return time.Time{}, errTimeForm
	}
	point := len(whole) // of the digits, how many are before the point
	if sc.skip("eE") {
		shift, err := strconv.ParseInt(sc.rest, 10, 8)
		if err != nil {
			return time.Time{}, errTimeForm
		}
		point, sc.rest = point+int(shift), ""
	}
	if sc.rest != "" {
		return time.Time{}, errTimeForm
	}
	number := whole + fraction
	for len(number) > 0 && number[0] == '0' {
		number, point = number[1:], point-1
	}
	if number == "" {
		return time.Unix(0, 0).UTC(), nil
	}
	switch { // from here on, point is about nanoseconds
	case point <= 11:
		point += 9
	case point <= 14:
		point += 6
	case point <= 17:
		point += 3
	}
	if point > 19 {
		return time.Time{}, errTimeRange
	}
	if point <= 0 {
		return time.Unix(0, 0).UTC(), nil
	}
	if len(number) > point {
		number = number[:point]
	}
	n, err := strconv.ParseInt(number+strings.Repeat("0", point-len(number)), 10, 64)
	if err != nil {
		return time.Time{}, errTimeRange
	}
	if negative {
		n = -n
	}
	return inRange(time.Unix(0, n).UTC())
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
	if sc.rest == "" || strings.IndexByte(set, sc.rest[0]) < 0 {
		return false
	}
	sc.rest = sc.rest[1:]
	return true
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
