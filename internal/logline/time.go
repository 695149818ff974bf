package logline

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // zones by name, on machines that do not know them, too

	"connect-deepcase/internal/excerpt"
)

var (
	// bsd is the time of RFC 3164 with what devices add: a mark of a clock that is not set, a weekday, a year before or after the day or
	// after the time, a fraction, a zone.
	bsd     = regexp.MustCompile(`^[*.]?(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) )?(?:([0-9]{4}) )?([A-Z][a-z]{2}) {1,2}([0-9]{1,2}) (?:([0-9]{4}) )?([0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?)(?: (?:([A-Z]{3,5}|[+-][0-9]{2}:?[0-9]{2})(?: ([0-9]{4}))?|([0-9]{4})):?(?: |$))?`)
	rfc3339 = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ]([0-9:]{5,8}(?:[.,][0-9]+)?)(?: ?(Z|UTC|[+-][0-9:]{2,6}))?(?:[: ]|$)`)
	offset  = regexp.MustCompile(`^([+-])([0-9]{2}):?([0-9]{2})$`)
)

// timestamp reads the time at the start of text, and gives the text after it.
func timestamp(text string, o Options) (at, rest string, err error) {
	if m := rfc3339.FindString(text); m != "" {
		whole := strings.TrimRight(m, ": ")
		at, err = iso(whole, o)
		return at, text[len(whole):], err
	}
	m := bsd.FindStringSubmatch(text)
	if m == nil {
		return "", text, fmt.Errorf("%w; have %s", errNoTime, excerpt.Quote(text))
	}
	year, month, day, clock, zone := m[1]+m[4]+m[7]+m[8], m[2], m[3], m[5], m[6]
	consumed := m[0]
	if zone != "" && offset.FindString(zone) == "" && !isZone(zone, o) {
		if m[7] != "" || strings.HasSuffix(strings.TrimRight(consumed, " "), ":") && len(consumed) == len(text) {
			return "", text, foreign(consumed, zone, o)
		}
		consumed, zone = consumed[:strings.LastIndex(consumed, " "+zone)], "" // it is the host or the program
	}
	at, err = o.place(year, fmt.Sprintf("%s %s %s", month, day, clock), zone)
	return at, text[len(consumed):], err
}

// isZone reports whether an abbreviation certainly names the offset.
func isZone(name string, o Options) bool {
	if name == "UTC" || name == "GMT" {
		return true
	}
	for month := time.January; month <= time.December; month++ {
		if have, _ := time.Date(o.Now.Year(), month, 1, 0, 0, 0, 0, o.Zone).Zone(); have == name {
			return true
		}
	}
	return false
}

// place adds the year and the zone to a time of RFC 3164.
func (o Options) place(year, text, zone string) (string, error) {
	where := o.Zone
	layout := "2006 Jan 2 15:04:05"
	switch m := offset.FindStringSubmatch(zone); {
	case m != nil:
		layout, text = layout+" -0700", text+" "+m[1]+m[2]+m[3]
	case zone == "UTC" || zone == "GMT":
		where = time.UTC
	case zone != "":
		layout, text = layout+" MST", text+" "+zone
	}
	var years []int
	switch given, _ := strconv.Atoi(year); {
	case given != 0:
		years = []int{given}
	case o.Year != 0:
		years = []int{o.Year}
	default: // more than one year back only for 29 February
		for now := o.Now.In(where).Year() + 1; len(years) < 10; now-- { // a year ahead: 1 January, just after midnight there
			years = append(years, now)
		}
	}
	latest := o.Now.Add(24 * time.Hour)
	for _, y := range years {
		at, err := time.ParseInLocation(layout, fmt.Sprintf("%04d %s", y, text), where)
		if err == nil && (len(years) == 1 || !at.After(latest)) {
			return at.Format(time.RFC3339Nano), nil
		}
	}
	return "", fmt.Errorf("no such time: %q in %d", text, years[min(1, len(years)-1)])
}

// iso reads a time in the format of RFC 3339 or a similar one: with slashes, a comma instead of the point, or no seconds. A time without a zone
// is in the zone of the options. Any other text is returned unchanged, for the parser of times to judge.
func iso(text string, o Options) (string, error) {
	normal := text
	if len(normal) > 10 && normal[4] == '/' && normal[7] == '/' {
		normal = normal[:4] + "-" + normal[5:7] + "-" + normal[8:]
	}
	if len(normal) > 10 && (normal[10] == ' ' || normal[10] == 't') {
		normal = normal[:10] + "T" + normal[11:]
	}
	if len(normal) == len("2006-01-02T15:04") {
		normal += ":00"
	}
	if len(normal) == len("2006-01-02") {
		normal += "T00:00:00"
	}
	const layout = "2006-01-02T15:04:05.999999999"
	if _, err := time.Parse(layout, normal); err != nil {
		if _, err := time.Parse(time.RFC3339Nano, normal); err == nil {
			return normal, nil
		}
		return text, nil
	}
	at, err := time.ParseInLocation(layout, normal, o.Zone)
	if err != nil {
		return "", fmt.Errorf("no such time: %q", text)
	}
	return at.Format(time.RFC3339Nano), nil
}

// Zone reads an offset such as +01:00, or the name of a zone such as Europe/Berlin, with its clock changes. Empty is UTC.
func Zone(name string) (*time.Location, error) {
	if name == "" || name == "Z" || name == "UTC" {
		return time.UTC, nil
	}
	if m := offset.FindStringSubmatch(name); m != nil {
		hours, _ := strconv.Atoi(m[2])
		minutes, _ := strconv.Atoi(m[3])
		if hours <= 14 && minutes < 60 {
			seconds := hours*3600 + minutes*60
			if m[1] == "-" {
				seconds = -seconds
			}
			return time.FixedZone("", seconds), nil
		}
	} else if name != "Local" {
		if zone, err := time.LoadLocation(name); err == nil {
			return zone, nil
		}
	}
	return nil, fmt.Errorf("zone (LOG_UTC_OFFSET in the examples): %q, need an offset such as +01:00, or the name of a zone such as Europe/Berlin", name)
}
