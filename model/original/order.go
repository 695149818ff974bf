package original

import (
	"cmp"
	"errors"
	"fmt"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Order is how the original numbered events. It takes the distinct values of the event column in ascending order (np.unique), so the
// numbers depend on the type that pandas gave the column.
type Order string

// The two orders.
const (
	ByText   Order = "text"   // the column was text: "10" before "2"
	ByNumber Order = "number" // the column was numbers: 2 before 10
)

// Source is where event names come from. It can tell what type they had in the original.
type Source string

// The sources.
const (
	SourceCSV   Source = "csv"   // read by pandas.read_csv, which turns a column of numbers into numbers
	SourceText  Source = "txt"   // read by the original's Preprocessor.text, which turns all events into whole numbers
	SourceOther Source = "other" // nothing is known
)

// ErrUnknownOrder says that the order cannot be told from the names.
var ErrUnknownOrder = errors.New("the order in which the original numbered these events cannot be known")

// missing are the names that pandas.read_csv takes for a missing value.
var missing = []string{"", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
	"NULL", "NaN", "None", "n/a", "nan", "null"}

// OrderOf finds the order in which the original numbered the distinct names from a source. If the names do not tell, the error is
// ErrUnknownOrder.
func OrderOf(names []string, source Source) (Order, error) {
	numbers, whole, text := "", "", ""
	for _, name := range names {
		x, number := parseNumber(name)
		switch {
		case source == SourceCSV && slices.Contains(missing, strings.TrimSpace(name)):
			return "", fmt.Errorf("%w: pandas takes %q for a missing value", ErrUnknownOrder, name)
		case !number:
			text = name
		case source == SourceCSV && x.whole != nil && !x.whole.IsInt64():
			return "", fmt.Errorf("%w: %q does not fit 64 bits, and versions of pandas differ there", ErrUnknownOrder, name)
		default:
			numbers = name
			if x.whole != nil {
				whole = name
			}
		}
	}
	switch {
	case numbers == "":
		if source == SourceCSV && len(names) > 0 && !slices.ContainsFunc(names, func(name string) bool { return !isBool(name) }) {
			return "", fmt.Errorf("%w: pandas takes them for true and false", ErrUnknownOrder)
		}
		return ByText, nil
	case text != "" && source == SourceText:
		return "", fmt.Errorf("%w: its txt reader takes only whole numbers, but there are both %q and %q", ErrUnknownOrder, numbers, text)
	case text != "": // a column of both is text
		return ByText, nil
	case source == SourceCSV || source == SourceText && whole != "" && allWhole(names):
		return ByNumber, nil
	}
	return "", fmt.Errorf("%w: they are numbers, such as %q, and it may have read them as numbers or as text", ErrUnknownOrder, numbers)
}

// Sort returns the distinct names in an order. ByNumber, each name must be a number, and all numbers must differ: the original took "7" and
// "007" for one event.
func Sort(names []string, by Order) ([]string, error) {
	sorted := slices.Clone(names)
	switch by {
	case ByText:
		slices.Sort(sorted) // bytes of UTF-8 sort as Python's characters do
		return sorted, nil
	case ByNumber:
	default:
		return nil, fmt.Errorf("order %q is not one of %s, %s", by, ByNumber, ByText)
	}
	values := make(map[string]number, len(names))
	for _, name := range names {
		x, ok := parseNumber(name)
		if !ok {
			return nil, fmt.Errorf("event %q is not a number: it has no place in the order by number", name)
		}
		values[name] = x
	}
	compare := number.compareFloat
	if allWhole(names) {
		compare = number.compareWhole
	}
	slices.SortStableFunc(sorted, func(a, b string) int { return compare(values[a], values[b]) })
	for i := range len(sorted) - 1 {
		if a, b := sorted[i], sorted[i+1]; compare(values[a], values[b]) == 0 {
			return nil, fmt.Errorf("events %q and %q are the same number, which the original took for one event: write both the same way", a, b)
		}
	}
	return sorted, nil
}

// number is a name that pandas reads as a number.
type number struct {
	whole *big.Int // nil if it is not whole
	float float64
}

func (a number) compareWhole(b number) int { return a.whole.Cmp(b.whole) }
func (a number) compareFloat(b number) int { return cmp.Compare(a.float, b.float) }

var (
	wholePattern = regexp.MustCompile(`^[+-]?\d+$`)
	floatPattern = regexp.MustCompile(`(?i)^[+-]?(\d+\.?\d*(e[+-]?\d+)?|\.\d+(e[+-]?\d+)?|inf|infinity)$`)
)

func parseNumber(name string) (number, bool) {
	name = strings.Trim(name, " \t\n\v\f\r")
	if len(name) > 1000 || !floatPattern.MatchString(name) {
		return number{}, false
	}
	var x number
	x.float, _ = strconv.ParseFloat(name, 64) // a number that is too large is infinite, as in pandas
	if wholePattern.MatchString(name) {
		x.whole, _ = new(big.Int).SetString(name, 10)
	}
	return x, true
}

func allWhole(names []string) bool {
	return !slices.ContainsFunc(names, func(name string) bool {
		x, _ := parseNumber(name)
		return x.whole == nil
	})
}

func isBool(name string) bool {
	return slices.Contains([]string{"True", "TRUE", "true", "False", "FALSE", "false"}, strings.TrimSpace(name))
}
