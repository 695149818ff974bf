package interpreter

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

func TestVectorize(t *testing.T) {
	s := contextbuilder.Samples{Length: 4, Contexts: []int32{7, 2, 7, 2, 5, 5, 5, 5, 1, 2, 3, 4, 9, 8, 9, 8}}
	v := Vectorize(s, []float32{
		0.1, 0.2, 0.3, 0.4,
		0.25, 0.25, 0.25, 0.25,
		0.00004, 0.5, 0.49996, 0, // the first is 0 when rounded, the last is 0
		0.00003, 0.00004, 0.00003, 0.00004, // rounded after the sum, not before
	})
	require.Equal(t, &Vectors{
		Offsets: []int32{0, 2, 3, 5, 7},
		IDs:     []int32{2, 7, 5, 2, 3, 8, 9},
		Values:  []int32{6000, 4000, 10000, 5000, 5000, 1, 1},
	}, v)
	require.NoError(t, v.Validate(10))
}

func TestVectorizeRoundsHalfToEven(t *testing.T) {
	s := contextbuilder.Samples{Length: 1, Contexts: []int32{0}}
	require.Equal(t, []int32{312}, Vectorize(s, []float32{1.0 / 32}).Values) // 312.5
	require.Equal(t, []int32{938}, Vectorize(s, []float32{3.0 / 32}).Values) // 937.5
}

func TestCompareIsThatOfDenseRows(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	v := shape{vectors: 80, ids: 4, entries: 3, scale: 3}.draw(r)
	at := func(row int, id int32) int32 {
		ids, values := v.Row(row)
		for k := range ids {
			if ids[k] == id {
				return values[k]
			}
		}
		return 0
	}
	for a := range v.Len() {
		for b := range v.Len() {
			want := 0
			for id := int32(0); id < 4 && want == 0; id++ {
				if x, y := at(a, id), at(b, id); x < y {
					want = -1
				} else if x > y {
					want = 1
				}
			}
			require.Equal(t, want, v.compare(a, b))
		}
	}
}

// Vectors of which many are equal, or begin alike, or are empty.
func TestSortIsStableAndByCompare(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	v := shape{vectors: 300, ids: 4, entries: 3, scale: 3}.draw(r)
	v.add(nil, nil)
	v.add(nil, nil)
	var rows []int32
	for i := range v.Len() {
		rows = append(rows, int32(i))
	}
	want := slices.Clone(rows)
	slices.SortStableFunc(want, func(a, b int32) int { return v.compare(int(a), int(b)) })
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	v.sort(rows)
	require.Equal(t, want, rows)
}

func TestValidateVectors(t *testing.T) {
	good := func() *Vectors {
		return &Vectors{Offsets: []int32{0, 2, 2, 3}, IDs: []int32{1, 4, 0}, Values: []int32{1, 2, 3}}
	}
	require.NoError(t, good().Validate(5))
	require.NoError(t, (&Vectors{}).Validate(5))
	for want, spoil := range map[string]func(v *Vectors){
		"vectors: 3 ids but 2 values":                        func(v *Vectors) { v.Values = v.Values[:2] },
		"vectors: 3 ids without offsets":                     func(v *Vectors) { v.Offsets = nil },
		"vectors: offsets go from 1 to 3, need 0 to 3":       func(v *Vectors) { v.Offsets[0] = 1 },
		"vectors: offsets go from 0 to 2, need 0 to 3":       func(v *Vectors) { v.Offsets[3] = 2 },
		"vector 1: offsets 200, 2 descend":                   func(v *Vectors) { v.Offsets[1] = 200 },
		"vector 0: offsets 0, -1 descend":                    func(v *Vectors) { v.Offsets[1] = -1 },
		"vector 0: id 1 at 1, need ascending ids below 5":    func(v *Vectors) { v.IDs[1] = 1 },
		"vector 0: id 5 at 1, need ascending ids below 5":    func(v *Vectors) { v.IDs[1] = 5 },
		"vector 2: id -1 at 0, need ascending ids below 5":   func(v *Vectors) { v.IDs[2] = -1 },
		"vector 2: value 0 of id 0 is not above 0":           func(v *Vectors) { v.Values[2] = 0 },
		"vector 0: value -2147483648 of id 4 is not above 0": func(v *Vectors) { v.Values[1] = math.MinInt32 },
	} {
		v := good()
		spoil(v)
		require.EqualError(t, v.Validate(5), want)
	}
}

// FuzzVectors checks that whatever passes Validate can be clustered and searched.
func FuzzVectors(f *testing.F) {
	f.Add([]byte{0, 2, 2, 3}, []byte{1, 4, 0}, []byte{1, 2, 3})
	f.Add([]byte{0, 1, 2, 3}, []byte{1, 1, 1}, []byte{200, 7, 7})
	f.Fuzz(func(t *testing.T, offsets, ids, values []byte) {
		v := &Vectors{}
		for _, x := range offsets {
			v.Offsets = append(v.Offsets, int32(int8(x)))
		}
		for _, x := range ids {
			v.IDs = append(v.IDs, int32(int8(x)))
		}
		for _, x := range values {
			v.Values = append(v.Values, int32(int8(x))<<24>>3)
		}
		if v.Len() > 200 || v.Validate(100) != nil {
			return
		}
		weights := make([]int32, v.Len())
		for i := range weights {
			weights[i] = int32(i%3) + 1
		}
		labels, core := dbscan(v, weights, 1000, 3)
		wantLabels, wantCore := scan(v, weights, 1000, 3)
		require.Equal(t, wantLabels, labels)
		require.Equal(t, wantCore, core)
	})
}
