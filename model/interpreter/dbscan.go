package interpreter

import (
	"context"
	"runtime"

	"connect-deepcase/internal/parallel"
)

// Noise stands for the cluster of a vector that is in none.
const Noise = -1

// dbscan clusters distinct vectors by L1 distance (Ester et al., 1996). A vector is core if the weights of the vectors within eps units, its own
// included, sum to at least minSamples. Cores within eps of each other are in one cluster. Clusters are numbered by their first cores.
// Other vectors join the first cluster that has a core within eps, or are Noise. scikit-learn gives the same answers.
func dbscan(v *Vectors, weights []int32, eps int64, minSamples int) (labels []int32, core []bool) {
	t := newTree(v, nil)
	d := clusterer{tree: t, search: newSearch(t.ids), vectors: v, eps: eps, labels: make([]int32, v.Len()), core: make([]bool, v.Len())}
	for i := range d.labels {
		d.labels[i] = Noise
	}
	d.findCores(weights, int64(minSamples))
	d.joinCores()
	d.joinBorder()
	return d.labels, d.core
}

type clusterer struct {
	tree    *tree
	search  *search
	vectors *Vectors
	eps     int64
	labels  []int32
	core    []bool
}

// findCores stops counting once there is enough weight, so that dense regions cost no more than sparse ones. All cores of the machine count.
func (d *clusterer) findCores(weights []int32, enough int64) {
	const rows = 256
	parallel.Ranges(context.Background(), runtime.GOMAXPROCS(0), len(d.core), rows, func(next func() (int, int, bool)) {
		search, weight := newSearch(d.tree.ids), int64(0)
		count := func(at int32, _ int64) bool {
			weight += int64(weights[d.tree.rows[at]])
			return weight < enough
		}
		for from, to, more := next(); more; from, to, more = next() {
			for i := from; i < to; i++ {
				weight = 0
				if int64(weights[i]) < enough {
					ids, values := d.vectors.Row(i)
					search.within(d.tree, ids, values, d.eps, count)
				}
				d.core[i] = max(weight, int64(weights[i])) >= enough
			}
		}
	})
}

// joinCores walks from core to core. It removes each core from the search once it is reached.
func (d *clusterer) joinCores() {
	d.search.keep(d.tree, func(at int32) bool { return d.core[d.tree.rows[at]] })
	label, stack := int32(-1), []int32(nil)
	reach := func(at int32, _ int64) bool {
		row := d.tree.rows[at]
		d.labels[row] = label
		d.search.remove(d.tree, at)
		stack = append(stack, row)
		return true
	}
	for i := range d.core {
		if !d.core[i] || d.labels[i] != Noise {
			continue
		}
		label++
		d.within(i, reach) // this reaches i, too
		for len(stack) > 0 {
			next := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			d.within(int(next), reach)
		}
	}
}

// joinBorder labels the vectors that are not core.
func (d *clusterer) joinBorder() {
	d.search.keep(d.tree, func(at int32) bool { return d.core[d.tree.rows[at]] })
	first := int32(Noise)
	lower := func(at int32, _ int64) bool {
		if label := d.labels[d.tree.rows[at]]; first == Noise || label < first {
			first = label
		}
		return true
	}
	for i := range d.core {
		if !d.core[i] {
			first = Noise
			d.within(i, lower)
			d.labels[i] = first
		}
	}
}

func (d *clusterer) within(row int, visit func(at int32, distance int64) bool) {
	ids, values := d.vectors.Row(row)
	d.search.within(d.tree, ids, values, d.eps, visit)
}
