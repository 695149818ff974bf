package field

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/itchyny/timefmt-go"

	"connect-deepcase/internal/excerpt"
)

// checkLayout refuses a layout that writes two different times alike, or that cannot be read.
func (f TimeFormat) checkLayout() error {
	write := func(year int) string { return timefmt.Format(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC), f.layout) }
	if write(2001) == write(2007) { // both a Monday
		return fmt.Errorf("%s: want a layout with the year", excerpt.Quote(f.layout))
	}
	in := time.Date(2006, 11, 27, 17, 48, 0, 0, time.UTC)
	out, err := timefmt.ParseInLocation(timefmt.Format(in, f.layout), f.layout, time.UTC)
	switch morning := in.Hour() - 12; {
	case err != nil:
		return fmt.Errorf("%s: want a layout that can be read: %w", excerpt.Quote(f.layout), errors.Unwrap(err))
	case out.YearDay() != in.YearDay() && (out.Hour() != 0 || out.Minute() != 0):
		return fmt.Errorf("%s: want a layout with month and day", excerpt.Quote(f.layout))
	case out.Hour() == morning:
		return fmt.Errorf("%s: want %%H in place of %%I, or %%p for morning and afternoon", excerpt.Quote(f.layout))
	case out.Hour() != in.Hour() && out.Minute() == in.Minute():
		return fmt.Errorf("%s: want a layout with the hour", excerpt.Quote(f.layout))
	}
	return nil
}

// layoutNanos reads a time that is written by the layout, in Unix nanoseconds.
func (f TimeFormat) layoutNanos(s string) (int64, error) {
	t, err := timefmt.ParseInLocation(s, f.layout, time.UTC)
	if err != nil {
		return 0, fmt.Errorf("want a time such as %s, as the time format %s has it",
			excerpt.Quote(timefmt.Format(time.Date(2006, 1, 2, 15, 4, 5, 0, time.UTC), f.layout)), excerpt.Quote(f.layout))
	}
	if f.isNextMonth(s, t) {
		return 0, errors.New("want a day that the month has")
	}
	// The library reads unknown names as UTC.
	if name, seconds := t.Zone(); seconds == 0 && name != "" && name != "UTC" && name != "GMT" && !strings.Contains(f.layout, "z") {
		return 0, fmt.Errorf("want UTC or GMT, or an offset (%%z): the zone %s may be several", name)
	}
	t, err = inRange(t)
	return t.UnixNano(), err
}

// isNextMonth says whether a time in the first days of a month was written as a day that the month before does not have.
func (f TimeFormat) isNextMonth(s string, t time.Time) bool {
	if t.Day() > 3 {
		return false
	}
	day := strconv.Itoa(t.AddDate(0, 0, -t.Day()).Day() + t.Day())
	written := strings.NewReplacer("%%", "%%", "%d", day, "%e", day, "%j", "366", "%F", "%Y-%m-"+day, "%v", day+"-%b-%Y", "%D", "%m/"+day+"/%y",
		"%x", "%m/"+day+"/%y", "%c", "%a %b "+day+" %H:%M:%S %Y", "%+", "%a %b "+day+" %H:%M:%S %Z %Y").Replace(f.layout)
	_, err := timefmt.ParseInLocation(s, written, time.UTC)
	return written != f.layout && err == nil
}
