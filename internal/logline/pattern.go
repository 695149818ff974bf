package logline

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"connect-deepcase/internal/excerpt"
)

// Time reads a whole text as a time of RFC 3164 or like RFC 3339, and adds the year and the zone that it lacks. Any other text is returned
// unchanged.
func Time(text string, o Options) (string, error) {
	at, rest, err := timestamp(text, o)
	switch word := strings.Trim(rest, " "); {
	case at == "" && err != nil && bsd.FindString(text) != "": // of that form, but no time
		return "", err
	case err != nil:
		return iso(text, o)
	case rest == "" || word == "":
		return at, nil
	case bsd.FindString(text) != "" && strings.ToUpper(word) == word && strings.Trim(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "":
		return "", foreign(text, word, o)
	}
	return iso(text, o)
}

// foreign says that an abbreviation does not name an offset for certain.
func foreign(text, zone string, o Options) error {
	return fmt.Errorf("the time %q has the zone %s, which does not belong to the zone %s: give the zone of the device (LOG_UTC_OFFSET in the examples), such as America/New_York",
		excerpt.Of(strings.TrimRight(text, ": "), excerpt.Short), zone, o.Zone)
}

// TimeAs reads a time that is written by a pattern of Java's SimpleDateFormat, as LEEF gives them: "MM/dd/yy-HH:mm:ss.SSSSSS". The options add
// the year and the zone that it lacks.
func TimeAs(text, pattern string, o Options) (string, error) {
	w := written{text: strings.TrimSpace(text), hour: -1}
	for rest := strings.TrimSpace(pattern); rest != ""; {
		var part string
		part, rest = cutPattern(rest)
		if err := w.take(part); err != nil {
			return "", fmt.Errorf("the time %s is not of the pattern %s: %w", excerpt.Quote(text), excerpt.Quote(pattern), err)
		}
	}
	if w.text != "" {
		return "", fmt.Errorf("the time %s is not of the pattern %s: %s comes after it", excerpt.Quote(text), excerpt.Quote(pattern), excerpt.Quote(w.text))
	}
	if w.month == 0 || w.day == 0 || w.hour < 0 {
		return "", fmt.Errorf("the pattern of a time %s: want at least a month, a day and an hour, such as MMM dd yyyy HH:mm:ss", excerpt.Quote(pattern))
	}
	if w.zone != "" && offset.FindString(w.zone) == "" && !isZone(w.zone, o) {
		return "", foreign(text, w.zone, o)
	}
	if w.half == "PM" {
		w.hour += 12
	}
	clock := fmt.Sprintf("%s %d %02d:%02d:%02d%s", time.Month(w.month).String()[:3], w.day, w.hour, w.minute, w.second, w.fraction)
	return o.place(w.year, clock, w.zone)
}

// written is a time on its way from text to numbers.
type written struct {
	text                             string // what is not read yet
	year, zone, fraction, half       string
	month, day, hour, minute, second int
}

// cutPattern cuts the first part off a pattern: a run of one letter, or a text in quotes or of other characters.
func cutPattern(pattern string) (part, rest string) {
	if pattern[0] == '\'' {
		if end := strings.IndexByte(pattern[1:], '\''); end >= 0 {
			return pattern[:end+2], pattern[end+2:]
		}
		return pattern, ""
	}
	letter := func(b byte) bool { return b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' }
	end := 1
	for end < len(pattern) && letter(pattern[0]) && pattern[end] == pattern[0] {
		end++
	}
	return pattern[:end], pattern[end:]
}

// take reads what a part of the pattern stands for.
func (w *written) take(part string) (err error) {
	switch part[0] {
	case '\'':
		literal := strings.Trim(part, "'")
		if part == "''" {
			literal = "'"
		}
		return w.literal(literal)
	case ' ':
		w.text = strings.TrimLeft(w.text, " ")
	case 'y', 'u':
		want, century := 4, ""
		if len(part) == 2 {
			want, century = 2, "20"
		}
		digits := w.digits(want)
		if len(digits) != want {
			return fmt.Errorf("the year is %q, want %d digits", digits, want)
		}
		w.year = century + digits
	case 'M', 'L':
		if len(part) < 3 {
			return w.number(&w.month, 1, 12)
		}
		word := w.word()
		for month := time.January; month <= time.December; month++ {
			if len(word) >= 3 && strings.HasPrefix(strings.ToLower(month.String()), strings.ToLower(strings.TrimSuffix(word, "."))) {
				w.month = int(month)
				return nil
			}
		}
		return fmt.Errorf("%q is no month", word)
	case 'd':
		return w.number(&w.day, 1, 31)
	case 'H':
		return w.number(&w.hour, 0, 23)
	case 'h':
		if err := w.number(&w.hour, 1, 12); err != nil {
			return err
		}
		w.hour %= 12
	case 'm':
		return w.number(&w.minute, 0, 59)
	case 's':
		return w.number(&w.second, 0, 59)
	case 'S':
		digits := w.digits(len(part))
		if len(digits) != len(part) {
			return fmt.Errorf("the fraction has %d digits", len(digits))
		}
		w.fraction = "." + digits
	case 'a':
		if w.half = strings.ToUpper(w.word()); w.half != "AM" && w.half != "PM" {
			return errors.New("want AM or PM")
		}
	case 'E':
		w.word()
	case 'z', 'Z', 'X', 'x', 'V':
		return w.offset()
	default:
		if unicode.IsLetter(rune(part[0])) {
			return fmt.Errorf("the letters %s are not known", part)
		}
		return w.literal(part)
	}
	return nil
}

func (w *written) literal(want string) error {
	rest, found := strings.CutPrefix(w.text, want)
	if !found {
		return fmt.Errorf("want %q at %s", want, excerpt.Quote(w.text))
	}
	w.text = rest
	return nil
}

func (w *written) cut(belongs func(i int, b byte) bool) string {
	end := 0
	for end < len(w.text) && belongs(end, w.text[end]) {
		end++
	}
	part := w.text[:end]
	w.text = w.text[end:]
	return part
}

func (w *written) digits(most int) string {
	return w.cut(func(i int, b byte) bool { return i < most && b >= '0' && b <= '9' })
}

func (w *written) word() string {
	return w.cut(func(_ int, b byte) bool { return b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z' || b == '.' })
}

func (w *written) number(n *int, least, most int) error {
	digits := w.digits(2)
	value, err := strconv.Atoi(digits)
	if err != nil || value < least || value > most {
		return fmt.Errorf("%q is not from %d to %d", digits, least, most)
	}
	*n = value
	return nil
}

// offset reads Z, UTC, EST, +01:00, +0100 or GMT+01:00.
func (w *written) offset() error {
	name := w.word()
	digits := w.cut(func(i int, b byte) bool {
		return i == 0 && (b == '+' || b == '-') || i > 0 && i < 6 && (b >= '0' && b <= '9' || b == ':')
	})
	switch {
	case digits != "" && (name == "" || name == "GMT" || name == "UTC"):
		if len(digits) == 3 {
			digits += "00"
		}
		if offset.FindString(digits) == "" {
			return fmt.Errorf("%q is no zone", digits)
		}
		w.zone = digits
	case digits == "" && name == "Z":
		w.zone = "UTC"
	case digits == "" && name != "":
		w.zone = name
	default:
		return fmt.Errorf("want a zone at %s", excerpt.Quote(name+digits+w.text))
	}
	return nil
}
