package files

import (
	"cmp"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"connect-deepcase/internal/textfile"
)

const (
	orderTime  = "time"
	orderName  = "name"
	orderGiven = "given"
)

// age is what the name of a file says about the time of its events.
type age struct {
	path string
	kind int // dated files come first, rotated ones then, and then those that are neither: they are being written
	date int64
	// rotation is the number at the end of the name: the higher the older.
	rotation int
	stem     string // path without what is above
}

const (
	dated = iota
	rotated
	current
)

var (
	// auth.log.4; a number with a 0 before it is the number of a part.
	rotationPattern = regexp.MustCompile(`\.([1-9]\d{0,4})$`)
	// messages.0, which is a rotated messages only where there is one.
	newestRotation = regexp.MustCompile(`\.0$`)
	// eve.4.json, which is a rotated eve.json only where there is one.
	innerRotation = regexp.MustCompile(`[.-](0|[1-9]\d{0,4})(\.[A-Za-z]+)$`)
	datePattern   = regexp.MustCompile(`(?:^|\D)((?:19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])([-_.]?)(0[1-9]|[12]\d|3[01])` +
		`(?:[-_T. ]?([01]\d|2[0-3])[-_:.h]?([0-5]\d)(?:[-_:.m]?([0-5]\d))?|([01]\d|2[0-3]))?(?:\D|$)`)
	unixPattern = regexp.MustCompile(`(?:^|\D)(1\d{9})(?:\D|$)`)
	// alerts/2026/Jan/ossec-alerts-02.json, or 2026/01/02/records.json
	folderPattern = regexp.MustCompile(`(?:^|/)((?:19|20)\d\d)/(0[1-9]|1[0-2]|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)/(?:[^/\d]*[-_])?` +
		`(0[1-9]|[12]\d|3[01])(?:[-./]|$)`)
)

func ageOf(path string, all map[string]bool) age {
	a := age{path: path, kind: current, stem: textfile.TrimExtension(path)}
	if at := rotationPattern.FindStringSubmatchIndex(a.stem); at != nil {
		a.kind = rotated
		a.rotation, _ = strconv.Atoi(a.stem[at[2]:at[3]])
		a.stem = a.stem[:at[0]]
	} else if at := innerRotation.FindStringSubmatchIndex(a.stem); at != nil && all[a.stem[:at[0]]+a.stem[at[4]:at[5]]] {
		a.kind = rotated
		a.rotation, _ = strconv.Atoi(a.stem[at[2]:at[3]])
		a.stem = a.stem[:at[0]] + a.stem[at[4]:at[5]]
	}
	if stem := newestRotation.ReplaceAllString(a.stem, ""); a.kind == current && stem != a.stem && all[stem] {
		a.kind, a.stem = rotated, stem
	}
	if date, ok := dateIn(filepath.ToSlash(a.stem)); ok {
		a.kind, a.date = dated, date
	}
	return a
}

// dateIn finds the date, in Unix seconds, in the name of a file or in the folders above it.
func dateIn(path string) (int64, bool) {
	name := path[strings.LastIndexByte(path, '/')+1:]
	number := func(s string) int {
		n, _ := strconv.Atoi(s)
		return n
	}
	if m := datePattern.FindStringSubmatch(name); m != nil && m[2] == m[4] {
		hour := cmp.Or(m[6], m[9])
		return time.Date(number(m[1]), time.Month(number(m[3])), number(m[5]), number(hour), number(m[7]), number(m[8]), 0, time.UTC).Unix(), true
	}
	if m := unixPattern.FindStringSubmatch(name); m != nil {
		return int64(number(m[1])), true
	}
	if m := folderPattern.FindStringSubmatch(path); m != nil {
		month := number(m[2])
		if month == 0 {
			month = 1 + strings.Index("JanFebMarAprMayJunJulAugSepOctNovDec", m[2])/3
		}
		return time.Date(number(m[1]), time.Month(month), number(m[3]), 0, 0, 0, 0, time.UTC).Unix(), true
	}
	return 0, false
}

func (a age) compare(b age) int {
	return cmp.Or(
		cmp.Compare(a.kind, b.kind),
		cmp.Compare(a.date, b.date),
		cmp.Compare(b.rotation, a.rotation),
		compareNames(a.path, b.path),
	)
}

// compareNames compares numbers in names by value, and extensions last.
func compareNames(a, b string) int {
	whole := cmp.Compare(a, b)
	a, b = textfile.TrimExtension(a), textfile.TrimExtension(b)
	a, b = strings.TrimSuffix(a, filepath.Ext(a)), strings.TrimSuffix(b, filepath.Ext(b))
	for a != "" && b != "" {
		m, n := digits(a), digits(b)
		if m == 0 || n == 0 {
			if a[0] != b[0] {
				return cmp.Compare(a[0], b[0])
			}
			a, b = a[1:], b[1:]
			continue
		}
		x, y := strings.TrimLeft(a[:m], "0"), strings.TrimLeft(b[:n], "0")
		if order := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y)); order != 0 {
			return order
		}
		a, b = a[m:], b[n:]
	}
	return cmp.Or(cmp.Compare(len(a), len(b)), whole)
}

func digits(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}

// sorted sorts the files, and gives warnings about the order.
func sorted(paths []string, order string) (inOrder, warnings []string) {
	all := map[string]bool{}
	for _, path := range paths {
		all[textfile.TrimExtension(path)] = true
	}
	ages := make([]age, len(paths))
	for i, path := range paths {
		ages[i] = ageOf(path, all)
	}
	seen := map[string]string{}
	for _, path := range paths {
		plain := textfile.TrimExtension(path)
		if other := seen[plain]; other != "" && len(warnings) == 0 {
			warnings = append(warnings, fmt.Sprintf("%s and %s are both read: if they hold the same events, these count twice", other, path))
		}
		seen[plain] = path
	}
	switch order {
	case orderTime:
		slices.SortStableFunc(ages, age.compare)
	case orderName:
		slices.SortStableFunc(ages, func(a, b age) int { return compareNames(a.path, b.path) })
	}
	for i, a := range ages {
		inOrder = append(inOrder, a.path)
		if i > 0 && order != orderTime && a.kind != current && ages[i-1].compare(a) > 0 && stemOf(ages[i-1]) == stemOf(a) {
			warnings = append(warnings, fmt.Sprintf("%s is read after %s, and is older by its name: contexts are wrong where events come in the "+
				"wrong order; want %s: %s", a.path, ages[i-1].path, fieldOrder, orderTime))
			order = orderTime // once
		}
	}
	return inOrder, warnings
}

// stemOf is the name of the series that a file belongs to.
func stemOf(a age) string {
	return datePattern.ReplaceAllString(unixPattern.ReplaceAllString(a.stem, ""), "")
}
