// Package simd holds the inner loops of the CPU engine on float32: matrix products, the gates of recurrent cells, and what softmax and
// the optimizers need. Each exists in assembly, for processors with AVX-512 and for those with AVX2 and FMA, and in plain Go (all others,
// and everywhere under the build tag purego). They agree up to rounding; one alone always gives the same bits.
//
// Vectors are padded: lengths of rows are multiples of lanes. A slice that is too short is a fault of the caller and panics.
package simd

//go:generate go -C ../gen run ./simd -out ../simd/kernels_amd64.s -stubs ../simd/kernels_amd64.go -pkg simd

// lanes is what lengths of vectors are multiples of.
const lanes = 16

// kernels are the loops that exist several times; sizes and slices have been checked.
type kernels struct {
	name         string
	gemm         func(m, n, k int, a []float32, rs, cs int, b []float32, ldb int, c []float32, ldc int, add bool)
	gruForward   func(gi, bias, gh, bhn, hp, rznq, h []float32)
	gruBackward  func(dh, rznq, hp, dgi, dgh, dhp []float32, addI, addP bool)
	lstmForward  func(gi, bias, gh, cp, ifgo, c, h []float32)
	lstmBackward func(dh, dc, ifgo, c, cp, dgi, dgh, dcp []float32, addI, addP bool)
	gather       func(dst, base, table []float32, ld int, index []int32, w []float32, floor float32)
	expSum       func(dst, x []float32, shift float32) float32
	maximum      func(x []float32) float32
	axpy         func(dst, x []float32, a float32)
	dot          func(x, y []float32) float32
	scaleShift   func(dst, x []float32, a, b float32)
	maskPositive func(dst, h []float32)
	transpose    func(dst []float32, ldd int, src []float32, lds, rows, cols int)
	adam         func(w, g, m, v []float32, a AdamStep)
}

var use = available()[0]

// Name says which loops are in use: "AVX-512", "AVX2" or "plain Go".
func Name() string { return use.name }

// Gemm computes C = A·B, or C += A·B if add is set. C is m×n, row-major with rows of ldc; B is k×n with rows of ldb; A(i, j) lies at
// a[i·rs + j·cs], so A may be read transposed (rs = 1) or be one number (rs = cs = 0). n is a multiple of lanes.
//
// Each number of C is a chain of additions in the order of k, and depends on nothing else, so that rows may be divided among calls without
// changing a bit.
func Gemm(m, n, k int, a []float32, rs, cs int, b []float32, ldb int, c []float32, ldc int, add bool) {
	if m == 0 {
		return
	}
	_ = c[(m-1)*ldc+n-1]
	if k == 0 {
		for i := 0; i < m && !add; i++ {
			clear(c[i*ldc : i*ldc+n])
		}
		return
	}
	_, _ = a[(m-1)*rs+(k-1)*cs], b[(k-1)*ldb+n-1]
	use.gemm(m, n, k, a, rs, cs, b, ldb, c, ldc, add)
}

var one = []float32{1}

// SumRows sums rows of len(dst) numbers that lie ld apart in src. The sum is added to dst if add is set, else stored.
func SumRows(dst, src []float32, ld, rows int, add bool) {
	Gemm(1, len(dst), rows, one, 0, 0, src, ld, dst, len(dst), add)
}

// GRUForward computes the gates r, z, n and q = W_hn·h + b_hn (stacked in rznq) and the new state h of one row from W_ih·x (gi), W_hh·h (gh) and
// the state before (hp). bias is b_ih + (b_hr, b_hz, 0), bhn is b_hn. len(h) units.
func GRUForward(gi, bias, gh, bhn, hp, rznq, h []float32) {
	n := len(h)
	use.gruForward(gi[:3*n], bias[:3*n], gh[:3*n], bhn[:n], hp[:n], rznq[:4*n], h)
}

// GRUBackward computes from the gradient of a row's new state (dh) those of gi, of gh and of the state before (but for what comes
// through gh). The first is added to dgi if addI is set, else stored; likewise addP for dgh and dhp.
func GRUBackward(dh, rznq, hp, dgi, dgh, dhp []float32, addI, addP bool) {
	n := len(dh)
	use.gruBackward(dh, rznq[:4*n], hp[:n], dgi[:3*n], dgh[:3*n], dhp[:n], addI, addP)
}

// LSTMForward computes the gates i, f, g, o (stacked in ifgo), the new cell state c and the new state h of one row from W_ih·x (gi),
// W_hh·h (gh) and the cell state before (cp). bias is b_ih + b_hh. len(h) units.
func LSTMForward(gi, bias, gh, cp, ifgo, c, h []float32) {
	n := len(h)
	use.lstmForward(gi[:4*n], bias[:4*n], gh[:4*n], cp[:n], ifgo[:4*n], c[:n], h)
}

// LSTMBackward computes from the gradients of a row's new state (dh) and cell state (dc) those of gi and gh (the same) and of the cell
// state before. The first is added to dgi if addI is set, else stored; likewise addP for dgh and dcp.
func LSTMBackward(dh, dc, ifgo, c, cp, dgi, dgh, dcp []float32, addI, addP bool) {
	n := len(dh)
	use.lstmBackward(dh, dc[:n], ifgo[:4*n], c[:n], cp[:n], dgi[:4*n], dgh[:4*n], dcp[:n], addI, addP)
}

// Gather computes dst = max(floor, base + Σ w[k]·table[index[k]]); rows of table lie ld apart. The indices are not checked.
func Gather(dst, base, table []float32, ld int, index []int32, w []float32, floor float32) {
	use.gather(dst, base[:len(dst)], table, ld, index, w[:len(index)], floor)
}

// Softmax writes e^(x − max) to dst, which may be x, and returns the maximum and the sum of what is in dst. The first n numbers count; the rest
// become 0 in dst, and arbitrary in x.
func Softmax(dst, x []float32, n int) (top, sum float32) {
	for i := n; i < len(x); i++ {
		x[i] = lowest
	}
	dst = dst[:len(x)]
	top = use.maximum(x)
	sum = use.expSum(dst, x, top)
	clear(dst[n:])
	return top, sum
}

// lowest stands for −∞ in computations that infinities would spoil: its e^x is 1e-38, which is nothing compared with e^0.
const lowest = -1e30

// Axpy computes dst += a·x.
func Axpy(dst, x []float32, a float32) { use.axpy(dst, x[:len(dst)], a) }

// Dot is Σ x·y.
func Dot(x, y []float32) float32 { return use.dot(x, y[:len(x)]) }

// ScaleShift computes dst = a·x + b.
func ScaleShift(dst, x []float32, a, b float32) { use.scaleShift(dst, x[:len(dst)], a, b) }

// MaskPositive sets dst[i] to 0 if h[i] is not positive.
func MaskPositive(dst, h []float32) { use.maskPositive(dst, h[:len(dst)]) }

// Transpose writes rows×cols numbers of src (rows lie lds apart) as columns of dst (rows lie ldd apart); both are multiples of 8.
func Transpose(dst []float32, ldd int, src []float32, lds, rows, cols int) {
	if rows == 0 || cols == 0 {
		return
	}
	_, _ = dst[(cols-1)*ldd+rows-1], src[(rows-1)*lds+cols-1]
	use.transpose(dst, ldd, src, lds, rows, cols)
}

// AdamStep holds the numbers of one step of Adam: m = β1·m + (1−β1)·g, v = β2·v + (1−β2)·g², w −= Scale·m/(√v·Unbias + Epsilon).
type AdamStep struct{ Beta1, Beta2, Scale, Unbias, Epsilon float32 }

// Adam takes a step with gradient g, moving the moments m and v.
func Adam(w, g, m, v []float32, a AdamStep) {
	n := len(w)
	use.adam(w, g[:n], m[:n], v[:n], a)
}
