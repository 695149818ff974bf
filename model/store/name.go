package store

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// A version is named by its time in UTC: 20261123T141500Z-3f2a, the second and the part of it in 1/65536.
const (
	nameLayout = "20060102T150405Z"
	nameParts  = 1 << 16
)

var namePattern = regexp.MustCompile(`^\d{8}T\d{6}Z-[0-9a-f]{4}$`)

func formatName(second time.Time, part int64) string {
	return fmt.Sprintf("%s-%04x", second.UTC().Format(nameLayout), part)
}

func parseName(name string) (second time.Time, part int64, err error) {
	wrong := fmt.Errorf("%q is not the name of a version, need one like 20261123T141500Z-3f2a", name)
	if !namePattern.MatchString(name) {
		return time.Time{}, 0, wrong
	}
	second, err = time.Parse(nameLayout, name[:len(nameLayout)])
	if err != nil {
		return time.Time{}, 0, wrong
	}
	part, err = strconv.ParseInt(name[len(nameLayout)+1:], 16, 64)
	return second, part, err
}

// CreatedAt is when the version of this name was made, to the second.
func CreatedAt(version string) (time.Time, error) {
	second, _, err := parseName(version)
	return second, err
}

// maxSkew is the difference between two clocks that nobody needs to know of.
const maxSkew = time.Minute

// Ahead tells whether a version's name is later than the version was made, since an earlier one was made by a clock that was ahead.
func Ahead(version string, created time.Time) bool {
	named, err := CreatedAt(version)
	return err == nil && named.After(created.Add(maxSkew))
}

// nextName names a version of time t. Names ascend: where t is not after last ("" where there is none), since the clock stands still or
// went back, the name is the next one after last.
func nextName(last string, t time.Time) (string, error) {
	name := formatName(t, int64(t.Nanosecond())*nameParts/int64(time.Second))
	if name <= last {
		second, part, err := parseName(last)
		if err != nil {
			return "", err
		}
		if part++; part == nameParts {
			second, part = second.Add(time.Second), 0
		}
		name = formatName(second, part)
	}
	_, _, err := parseName(name) // the clock may be beyond the year 9999
	return name, err
}
