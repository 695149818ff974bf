package report

import (
	"io"
	"slices"
	"strconv"
	"strings"
)

// Confusion counts events by label (rows) and prediction (columns).
type Confusion struct {
	Labels      []float64 // ascending
	Predictions []float64 // ascending
	Counts      [][]int   // label × prediction
}

// Confuse compares predictions with the truth. Both have one value per event. The columns are all labels, all predictions and the original's
// codes −3, −2 and −1, so that each event is in one cell.
func Confuse(truth, predicted []float64) Confusion {
	c := Confusion{Labels: distinct(truth), Predictions: distinct(truth, predicted, []float64{-3, -2, -1})}
	c.Counts = make([][]int, len(c.Labels))
	for i := range c.Counts {
		c.Counts[i] = make([]int, len(c.Predictions))
	}
	for i, t := range truth {
		row, _ := slices.BinarySearch(c.Labels, t)
		column, _ := slices.BinarySearch(c.Predictions, predicted[i])
		c.Counts[row][column]++
	}
	return c
}

func distinct(lists ...[]float64) []float64 {
	seen := map[float64]bool{}
	for _, list := range lists {
		for _, x := range list {
			seen[x] = true
		}
	}
	var all []float64
	for x := range seen {
		all = append(all, x)
	}
	slices.Sort(all)
	return all
}

// codes names the predictions that are no scores. The original's command line swaps the names of −1 and −3.
var codes = map[float64]string{-3: "NO CLUSTER", -2: "NOT IN TRAIN", -1: "LOW CONFIDENCE"}

// Write prints the matrix: T\P stands for true (rows) and predicted (columns).
func (c Confusion) Write(w io.Writer) error {
	head := []string{`T\P`}
	for _, p := range c.Predictions {
		name, ok := codes[p]
		if !ok {
			name = Number(p)
		}
		head = append(head, name)
	}
	rows := [][]string{head}
	for i, label := range c.Labels {
		row := []string{Number(label)}
		for _, n := range c.Counts[i] {
			row = append(row, strconv.Itoa(n))
		}
		rows = append(rows, row)
	}
	return Table(w, rows)
}

// Table prints rows of cells in columns, the first column aligned left, the others right. It makes cells Visible.
func Table(w io.Writer, rows [][]string) error {
	var widths []int
	for r, row := range rows {
		rows[r] = slices.Clone(row)
		for i, cell := range row {
			cell = Visible(cell)
			rows[r][i] = cell
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(cell)))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			pad := strings.Repeat(" ", widths[i]-len([]rune(cell)))
			if i == 0 {
				line = cell + pad
			} else {
				line += "  " + pad + cell
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
