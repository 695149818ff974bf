package interpreter

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"connect-deepcase/model/contextbuilder"
)

// scale is the number of units in 1. Attention is rounded to 4 decimals (half to even), so that vectors hold whole ten-thousandths, and
// distances between them are exact.
const scale = 10_000

// Vectors are n sparse vectors over event ids. Row i has the ids IDs[Offsets[i]:Offsets[i+1]], ascending and distinct, and the values at the same
// indices of Values, which are above 0, in units of 1/10,000.
type Vectors struct {
	Offsets []int32 // n+1
	IDs     []int32
	Values  []int32
}

// Len is the number of vectors.
func (v *Vectors) Len() int { return max(0, len(v.Offsets)-1) }

// Row returns the ids and values of vector i.
func (v *Vectors) Row(i int) (ids, values []int32) {
	from, to := v.Offsets[i], v.Offsets[i+1]
	return v.IDs[from:to], v.Values[from:to]
}

// add adds a vector.
func (v *Vectors) add(ids, values []int32) {
	v.IDs = append(v.IDs, ids...)
	v.Values = append(v.Values, values...)
	v.close()
}

// append adds the vectors of w, which has one at least.
func (v *Vectors) append(w *Vectors) {
	at := int32(len(v.IDs))
	v.IDs = append(v.IDs, w.IDs...)
	v.Values = append(v.Values, w.Values...)
	for _, end := range w.Offsets[1:] {
		v.Offsets = append(v.Offsets, at+end)
	}
}

// close ends the row whose numbers were appended.
func (v *Vectors) close() {
	if len(v.Offsets) == 0 {
		v.Offsets = append(v.Offsets, 0)
	}
	v.Offsets = append(v.Offsets, int32(len(v.IDs)))
}

// Validate checks vectors that come from outside: their shape, and ids below events.
func (v *Vectors) Validate(events int) error {
	if len(v.IDs) != len(v.Values) {
		return fmt.Errorf("vectors: %d ids but %d values", len(v.IDs), len(v.Values))
	}
	if len(v.IDs) > math.MaxInt32 {
		return fmt.Errorf("vectors: %d numbers, at most %d fit", len(v.IDs), math.MaxInt32)
	}
	if len(v.Offsets) == 0 {
		if len(v.IDs) > 0 {
			return fmt.Errorf("vectors: %d ids without offsets", len(v.IDs))
		}
		return nil
	}
	if first, last := v.Offsets[0], v.Offsets[v.Len()]; first != 0 || int(last) != len(v.IDs) {
		return fmt.Errorf("vectors: offsets go from %d to %d, need 0 to %d", first, last, len(v.IDs))
	}
	for i := range v.Len() {
		if v.Offsets[i] > v.Offsets[i+1] {
			return fmt.Errorf("vector %d: offsets %d, %d descend", i, v.Offsets[i], v.Offsets[i+1])
		}
	}
	for i := range v.Len() { // only now is every offset known to be in range
		ids, values := v.Row(i)
		for k, id := range ids {
			if id < 0 || int(id) >= events || k > 0 && id <= ids[k-1] {
				return fmt.Errorf("vector %d: id %d at %d, need ascending ids below %d", i, id, k, events)
			}
			if values[k] <= 0 {
				return fmt.Errorf("vector %d: value %d of id %d is not above 0", i, values[k], id)
			}
		}
	}
	return nil
}

// Vectorize sums the attention (n×L) of each sample's context by event id (paper, section III-C1), and rounds the sums to 4 decimals, as
// vectorize and attended_context of the original do. It sums in float64, like SciPy in the original.
func Vectorize(s contextbuilder.Samples, attention []float32) *Vectors {
	v := &Vectors{Offsets: make([]int32, 1, s.Rows()+1)}
	order := make([]uint64, s.Length) // ids, each with its place in the context
	for row := range s.Rows() {
		share := attention[row*s.Length : (row+1)*s.Length]
		for i, id := range s.Context(row) {
			order[i] = uint64(id)<<32 | uint64(i)
		}
		slices.Sort(order)
		for i := 0; i < len(order); {
			id, sum := int32(order[i]>>32), 0.0
			for ; i < len(order) && int32(order[i]>>32) == id; i++ {
				sum += float64(share[uint32(order[i])])
			}
			if units := math.RoundToEven(sum * scale); units > 0 {
				v.IDs = append(v.IDs, id)
				v.Values = append(v.Values, int32(min(units, math.MaxInt32)))
			}
		}
		v.close()
	}
	return v
}

// sort sorts rows by their vectors, equal ones by number.
func (v *Vectors) sort(rows []int32) {
	type row struct {
		head uint64 // orders as the first number of a vector does
		at   int32
	}
	heads := make([]row, len(rows))
	for i, at := range rows {
		heads[i].at = at
		if ids, values := v.Row(int(at)); len(ids) > 0 {
			heads[i].head = uint64(^uint32(ids[0]))<<32 | uint64(uint32(values[0]))
		}
	}
	slices.SortFunc(heads, func(a, b row) int {
		if a.head != b.head {
			return cmp.Compare(a.head, b.head)
		}
		return cmp.Or(v.compare(int(a.at), int(b.at)), cmp.Compare(a.at, b.at))
	})
	for i, row := range heads {
		rows[i] = row.at
	}
}

// compare orders vectors like their dense rows: by the value of the first id at which they differ.
func (v *Vectors) compare(a, b int) int {
	idsA, valuesA := v.Row(a)
	idsB, valuesB := v.Row(b)
	for k := range min(len(idsA), len(idsB)) {
		if idsA[k] != idsB[k] { // the vector with the larger id has 0 for the smaller one
			return cmp.Compare(idsB[k], idsA[k])
		}
		if valuesA[k] != valuesB[k] {
			return cmp.Compare(valuesA[k], valuesB[k])
		}
	}
	return cmp.Compare(len(idsA), len(idsB))
}
