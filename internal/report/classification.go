// Package report compares a model's answers with labels: a classification report, a confusion matrix, and how much of a stream of alerts an
// analyst would see.
package report

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Quality says how well a class is found.
type Quality struct {
	Precision Share `json:"precision"`
	Recall    Share `json:"recall"`
	F1        Share `json:"f1"`
}

// quality of a class: actual events are in it, found events were said to be in it, and hits are both.
func quality(hits, found, actual int) Quality {
	return Quality{Ratio(hits, found), Ratio(hits, actual), Ratio(2*hits, found+actual)}
}

// Share is a ratio. It is NaN if the whole is 0.
type Share float64

// Ratio is a part of a whole.
func Ratio(part, whole int) Share { return Share(float64(part) / float64(whole)) }

// String has four decimals. It has more if the value would read as 0 or 1 and is neither.
func (s Share) String() string {
	x := float64(s)
	if math.IsNaN(x) {
		return "-"
	}
	for decimals := 4; ; decimals++ {
		text := strconv.FormatFloat(x, 'f', decimals, 64)
		rounded, _ := strconv.ParseFloat(text, 64)
		if x == 0 || x == 1 || rounded != 0 && rounded != 1 {
			return text
		}
	}
}

// MarshalJSON writes null for NaN.
func (s Share) MarshalJSON() ([]byte, error) {
	if math.IsNaN(float64(s)) {
		return []byte("null"), nil
	}
	return strconv.AppendFloat(nil, float64(s), 'g', -1, 64), nil
}

// orZero is s, or 0 if it is NaN, like scikit-learn's zero_division=0.
func (s Share) orZero() float64 {
	if math.IsNaN(float64(s)) {
		return 0
	}
	return float64(s)
}

// Class is a line of a classification report. The averages have no label.
type Class struct {
	Label                 float64
	Precision, Recall, F1 float64 // 0 if not defined
	Support               int     // events that have the label
}

// Classification is scikit-learn's classification report with zero_division=0.
type Classification struct {
	Classes         []Class // one for each label that is true or predicted, ascending
	Accuracy        float64
	Macro, Weighted Class
}

// Classify compares predictions with the truth. Both have one value per event.
func Classify(truth, predicted []float64) Classification {
	type count struct{ hits, found, actual int }
	counts := map[float64]*count{}
	at := func(label float64) *count {
		if counts[label] == nil {
			counts[label] = &count{}
		}
		return counts[label]
	}
	hits := 0
	for i, t := range truth {
		at(t).actual++
		at(predicted[i]).found++
		if t == predicted[i] {
			at(t).hits++
			hits++
		}
	}
	c := Classification{Accuracy: Ratio(hits, len(truth)).orZero()}
	c.Macro.Support, c.Weighted.Support = len(truth), len(truth)
	for label, n := range counts {
		q := quality(n.hits, n.found, n.actual)
		c.Classes = append(c.Classes, Class{label, q.Precision.orZero(), q.Recall.orZero(), q.F1.orZero(), n.actual})
	}
	slices.SortFunc(c.Classes, func(a, b Class) int { return ascending(a.Label, b.Label) })
	for _, class := range c.Classes {
		c.Macro.add(class, 1/float64(len(c.Classes)))
		c.Weighted.add(class, float64(class.Support)/float64(len(truth)))
	}
	return c
}

func (c *Class) add(other Class, weight float64) {
	c.Precision += weight * other.Precision
	c.Recall += weight * other.Recall
	c.F1 += weight * other.F1
}

// Write prints the report in scikit-learn's layout.
func (c Classification) Write(w io.Writer) error {
	width := len("weighted avg")
	for _, class := range c.Classes {
		width = max(width, len(Number(class.Label)))
	}
	var b strings.Builder
	line := func(name string, class Class) {
		fmt.Fprintf(&b, "%*s  %9v %9v %9v %9d\n", width, name, Share(class.Precision), Share(class.Recall), Share(class.F1), class.Support)
	}
	fmt.Fprintf(&b, "%*s  %9s %9s %9s %9s\n\n", width, "", "precision", "recall", "f1-score", "support")
	for _, class := range c.Classes {
		line(Number(class.Label), class)
	}
	fmt.Fprintf(&b, "\n%*s  %9s %9s %9v %9d\n", width, "accuracy", "", "", Share(c.Accuracy), c.Macro.Support)
	line("macro avg", c.Macro)
	line("weighted avg", c.Weighted)
	_, err := io.WriteString(w, b.String())
	return err
}

// Number writes a score or label: 1 and not 1.0, but 0.25.
func Number(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

func ascending(a, b float64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
