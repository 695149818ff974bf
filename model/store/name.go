package store

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// A version is named by its time in UTC, such as 20261123T141500Z-3f2a: the second, and 1/65536 parts of it in hexadecimal.
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

// CreatedAt is the time in the name of a version, to the second. It may be later than the version was made (Ahead).
func CreatedAt(version string) (time.Time, error) {
	second, _, err := parseName(version)
	return second, err
}

// maxSkew is a difference between two clocks that is not worth mentioning.
const maxSkew = time.Minute

// Ahead tells whether the name of a version is later than its creation. That happens if a clock was ahead when an earlier version was
// written, since names ascend.
func Ahead(version string, created time.Time) bool {
	named, err := CreatedAt(version)
	return err == nil && named.After(created.Add(maxSkew))
}

// nextName names a version of time t. Names ascend: if t is not after last, because the clock went back or stands still, the name is the next
// one after last. last is "" for the first version.
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
