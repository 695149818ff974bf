package field

import (
	"encoding/binary"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
)

const (
	minSecond = math.MinInt64/1_000_000_000 + 1
	maxSecond = math.MaxInt64 / 1_000_000_000
)

var (
	// ErrTime says that a value is not a time in the format auto.
	ErrTime = errors.New("want a date and time such as 2006-01-02T15:04:05Z, or the time since 1970 in seconds (10 digits), " +
		"milliseconds (13), microseconds (16) or nanoseconds (19); another form needs a time format")
	errTimeRange = errors.New("want a time between the years 1678 and 2262")
)

// parseTime gives Unix nanoseconds.
func parseTime(s string) (int64, error) {
	if at, ok := parseRFC3339(s); ok {
		return at, nil
	}
	if number, ok := parseDecimal(s); ok {
		return number.nanos()
	}
	t, err := parseDate(s)
	return t.UnixNano(), err
}

// parseSeconds reads ten digits, the most frequent number, much faster than parseDecimal. Anything else is not ok.
func parseSeconds(s string) (seconds int64, ok bool) {
	if len(s) != 10 || s[0] == '0' {
		return 0, false
	}
	high, ok := eightDigits(s)
	low, last := s[8]-'0', s[9]-'0'
	seconds = 100*high + 10*int64(low) + int64(last)
	return seconds, ok && low <= 9 && last <= 9 && seconds < maxSecond
}

// eightDigits is the number that the first eight bytes of s are. They are added in pairs, pairs of pairs, and once more.
func eightDigits(s string) (n int64, ok bool) {
	word := binary.LittleEndian.Uint64([]byte(s))
	const ones = 0x0101010101010101
	word ^= ones * '0'                                // digits become 0 to 9
	ok = (word|(word+ones*6))&(ones*0xf0) == 0        // 10 to 15 would reach 16 with 6 more
	word = (word*10 + word>>8) & 0x00ff00ff00ff00ff   // 0 to 99
	word = (word*100 + word>>16) & 0x0000ffff0000ffff // 0 to 9999
	return int64(uint32(word)*10_000 + uint32(word>>32)), ok
}

// parseRFC3339 reads the most frequent date and time, such as 2006-01-02T15:04:05.999Z, much faster than parseDate. It may have a space in place
// of the T, any fraction, and the zone +0000, +00:00 or none. Anything else, also what is not right, is not ok.
func parseRFC3339(s string) (nanoseconds int64, ok bool) {
	const form = "0000-00-00T00:00:00"
	if len(s) < len(form) {
		return 0, false
	}
	for i := range len(form) {
		switch digit := s[i] - '0'; form[i] {
		case '0':
			ok = digit <= 9
		case 'T':
			ok = s[i] == 'T' || s[i] == ' '
		default:
			ok = s[i] == form[i]
		}
		if !ok {
			return 0, false
		}
	}
	two := func(i int) int { return int(s[i]-'0')*10 + int(s[i+1]-'0') }
	year, month, day, hour, minute, second := 100*two(0)+two(2), two(5), two(8), two(11), two(14), two(17)
	if year < 1700 || year > 2200 || month < 1 || month > 12 || day < 1 || day > 28 && day > daysOf(year, month) || hour > 23 || minute > 59 || second > 59 {
		return 0, false
	}
	i := len(form)
	if i < len(s) && s[i] == '.' {
		i++
		for unit := int64(100_000_000); i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
			nanoseconds += int64(s[i]-'0') * unit
			unit /= 10
		}
		if i == len(form)+1 {
			return 0, false
		}
	}
	switch s[i:] {
	case "", "Z", "+0000", "+00:00":
		seconds := int64(((days(year, month, day)*24+hour)*60+minute)*60 + second)
		return seconds*1_000_000_000 + nanoseconds, true
	}
	return 0, false
}

// days is how many days there are from 1970-01-01 to a date, which is after 1600.
func days(year, month, day int) int {
	if month -= 3; month < 0 { // a year that begins in March has its leap day at the end
		month += 12
		year--
	}
	return 365*year + year/4 - year/100 + year/400 + (153*month+2)/5 + day - 1 - 719_468
}

func daysOf(year, month int) int {
	if month == 12 {
		return 31
	}
	return days(year, month+1, 1) - days(year, month, 1)
}

// decimal is a number as it is written, without leading zeros.
type decimal struct {
	negative, padded bool   // padded: it had leading zeros
	whole, fraction  string // its digits
	point            int    // how many of the digits, with zeros after them, are before the point
}

// parseDecimal reads a number with or without a fraction or exponent.
func parseDecimal(s string) (d decimal, ok bool) {
	sc := scanner{s}
	if d.negative = sc.skip("-"); !d.negative {
		sc.skip("+")
	}
	d.whole = sc.digits()
	if sc.skip(".") {
		d.fraction = sc.digits()
	}
	if d.whole == "" && d.fraction == "" {
		return d, false
	}
	exponent := 0
	if sc.skip("eE") {
		shift, err := strconv.ParseInt(sc.rest, 10, 8)
		if err != nil {
			return d, false
		}
		exponent, sc.rest = int(shift), ""
	}
	if sc.rest != "" {
		return d, false
	}
	d.padded = len(d.whole) > 1 && d.whole[0] == '0'
	if d.whole = strings.TrimLeft(d.whole, "0"); d.whole == "" {
		digits := len(d.fraction)
		d.fraction = strings.TrimLeft(d.fraction, "0")
		exponent -= digits - len(d.fraction)
	}
	if d.point = len(d.whole) + exponent; d.whole == "" && d.fraction == "" {
		d.point = 0
	}
	return d, true
}

// nanos is a number in Unix nanoseconds. The number of its digits says what it counts.
func (d decimal) nanos() (int64, error) {
	switch {
	case d.negative || d.padded:
	case d.point <= 3, d.point == 10:
		return d.scaled(9)
	case d.point == 13:
		return d.scaled(6)
	case d.point == 16:
		return d.scaled(3)
	case d.point == 19:
		return d.scaled(0)
	}
	return 0, ErrTime
}

// scaled is the number × 10^shift, exactly but for its fraction, which is cut off.
func (d decimal) scaled(shift int) (int64, error) {
	point := d.point + shift
	if point > 19 {
		return 0, errTimeRange
	}
	number := uint64(0) // 19 digits fit
	left := max(0, point)
	for _, digits := range [...]string{d.whole, d.fraction} {
		digits = digits[:min(left, len(digits))]
		for i := range len(digits) {
			number = 10*number + uint64(digits[i]-'0')
		}
		left -= len(digits)
	}
	for ; left > 0 && number > 0; left-- {
		number *= 10
	}
	switch {
	case d.negative && number <= -minSecond*1_000_000_000:
		return -int64(number), nil
	case !d.negative && number < maxSecond*1_000_000_000:
		return int64(number), nil
	}
	return 0, errTimeRange
}

// parseDate reads RFC 3339 and similar forms.
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
					return time.Time{}, ErrTime
				}
				nanosecond, _ = strconv.Atoi((fraction + "000000000")[:9])
			}
		}
		offset = sc.zone()
	}
	if sc.rest != "" {
		return time.Time{}, ErrTime
	}
	midnight := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	if month != int(midnight.Month()) || day != midnight.Day() || hour > 23 || minute > 59 || second > 60 {
		return time.Time{}, ErrTime
	}
	return inRange(time.Date(year, time.Month(month), day, hour, minute, second-offset, nanosecond, time.UTC))
}

func inRange(t time.Time) (time.Time, error) {
	if s := t.Unix(); s < minSecond || s >= maxSecond {
		return time.Time{}, errTimeRange
	}
	return t, nil
}

// scanner reads a text from its start. rest is what is left. After a failure rest is "\x00", which nothing reads.
type scanner struct{ rest string }

func (sc *scanner) fail() { sc.rest = "\x00" }

// skip reads one byte if it is in the set.
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

// digits reads all digits that come next.
func (sc *scanner) digits() string {
	n := 0
	for n < len(sc.rest) && sc.rest[n] >= '0' && sc.rest[n] <= '9' {
		n++
	}
	digits := sc.rest[:n]
	sc.rest = sc.rest[n:]
	return digits
}

// number reads a number of exactly n digits, n ≤ 9.
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

// zone reads a zone up to the end, and returns its offset from UTC in seconds.
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
