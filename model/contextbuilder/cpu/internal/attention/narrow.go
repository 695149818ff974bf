package attention

import "connect-deepcase/model/contextbuilder/cpu/internal/simd"

// narrowest is the most events for which a block of samples is narrow.
const narrowest = 16

// narrow is what the kernels for few events work on: each row has one number per lane, so that sums over events cross no lanes. Columns have sixteen
// rows; there is one for the first event, which P and A are relative to, and one for each other event (see relate).
type narrow struct {
	on           bool
	p, a         []float32
	active, next [narrowest]uint16     // by unit, a bit per lane
	column       [narrowColumn]float32 // on its way into A
}

const narrowColumn = narrowest * lanes // numbers

// canBeNarrow tells whether blocks can be narrow. Units flip in all lanes at once there, those of most lanes 0 times: that must be 0.
func (d *Decoder) canBeNarrow() bool {
	if d.stride > narrowest || d.kernels.narrowFlip == nil {
		return false
	}
	for _, x := range d.w2 {
		if !(x > -0x1p126 && x < 0x1p126) {
			return false // a difference of such numbers can be infinite
		}
	}
	return true
}

// turn makes a block narrow that is relative to the first event.
func (b *block) turn() {
	t, d := &b.narrow, b.d
	if need := b.k * narrowColumn; need > len(t.p) {
		t.p, t.a = simd.Make(need), simd.Make(need)
	}
	clear(t.column[:]) // also of lanes that are not in use
	for j := range b.k {
		simd.Transpose(t.p[j*narrowColumn:], lanes, b.p[(j+1)*narrowest:], b.pStride, lanes, narrowest)
		for lane := range b.rows {
			to := t.column[lane*narrowest:][:narrowest]
			copy(to, d.a[b.offsets[j*lanes+lane]:]) // zeros if there is no such column
			if j > 0 && j < b.distinct[lane] {
				simd.Axpy(to, d.a[b.offsets[lane]:], -1)
			}
		}
		simd.Transpose(t.a[j*narrowColumn:], lanes, t.column[:], narrowest, lanes, narrowest)
	}
	clear(t.active[:])
	for lane, units := range b.active[:b.rows] {
		for unit := range narrowest {
			t.active[unit] |= uint16(units>>unit&1) << lane
		}
	}
	t.on = true
}
