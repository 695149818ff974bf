package field

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"connect-deepcase/internal/excerpt"
)

// NoLabel is the label of an event without a label.
const NoLabel = -1

// ErrBenign says that a text can be a label only if it is known which one means benign.
var ErrBenign = errors.New("want a number, true or false; if labels are texts, set benign to the one that means benign")

// Label reads a label: a number that is at least 0, true for 1, false for 0 (in any case), or nothing or -1 for NoLabel. Spaces around it
// do not count.
//
// Any other text is a label only if benign says which text is benign. That text is 0 (in any case), and any other is the name of an attack
// and 1. If benign is true, false is 1. A text that means benign to most people but is not the declared one is refused.
func Label(s, benign string) (float64, error) {
	s = strings.TrimSpace(s)
	switch benign = strings.TrimSpace(benign); {
	case s == "":
		return NoLabel, nil
	case benign != "" && strings.EqualFold(s, benign):
		return 0, nil
	case strings.EqualFold(s, "true"), strings.EqualFold(s, "false") && strings.EqualFold(benign, "true"):
		return 1, nil
	case strings.EqualFold(s, "false"):
		return 0, nil
	}
	label, err := strconv.ParseFloat(s, 64)
	switch {
	case err == nil && (label >= 0 && !math.IsInf(label, 0) || label == NoLabel):
		return label, nil
	case err == nil || errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("%s: want a number that is at least 0, or -1 or nothing for none", excerpt.Quote(s))
	case benign == "":
		return 0, fmt.Errorf("%s: %w", excerpt.Quote(s), ErrBenign)
	case soundsBenign[plain.Replace(strings.ToLower(s))]:
		return 0, fmt.Errorf("%s does not sound like an attack, but %s was declared benign: want that, a number, or the name of an attack", excerpt.Quote(s), excerpt.Quote(benign))
	}
	return 1, nil
}

// soundsBenign are labels in public data sets and ticket systems that do not name an attack, without the characters that plain removes.
var soundsBenign = map[string]bool{
	"": true, "benign": true, "normal": true, "none": true, "null": true, "nil": true, "nan": true, "n/a": true, "no": true, "ok": true,
	"fp": true, "tn": true, "falsepositive": true, "benignpositive": true, "benigntruepositive": true, "truenegative": true, "noattack": true,
	"notanattack": true, "nonmalicious": true, "notmalicious": true, "nothreat": true, "legitimate": true, "legit": true, "clean": true,
	"background": true, "harmless": true, "safe": true, "good": true, "allowed": true, "expected": true, "expectedactivity": true,
	"informational": true, "informationalexpectedactivity": true, "negative": true, "unknown": true, "undefined": true, "undetermined": true,
	"inconclusive": true, "notset": true, "unclassified": true, "unlabeled": true, "unlabelled": true,
}

var plain = strings.NewReplacer(" ", "", "-", "", "_", "", ",", "")

// JSONLabel is Label for a valid JSON value that is not decoded.
func JSONLabel(value []byte, benign string) (float64, error) {
	if value = oneJSON(value); len(value) > 0 && (value[0] == 't' || value[0] == 'f') {
		return Label(string(value), benign)
	}
	text, err := JSONText(value)
	if err != nil && !errors.Is(err, ErrMissing) {
		return 0, err
	}
	return Label(text, benign)
}

// ValueLabel is Label for a decoded value.
func ValueLabel(v any, benign string) (float64, error) {
	if truth, ok := One(v).(bool); ok {
		return Label(strconv.FormatBool(truth), benign)
	}
	text, err := Text(v)
	if err != nil && !errors.Is(err, ErrMissing) {
		return 0, err
	}
	return Label(text, benign)
}
