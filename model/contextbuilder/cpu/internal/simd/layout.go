package simd

import (
	"strings"
	"unsafe"
)

const line = 64 / 4 // floats in a cache line

// Pad rounds a number of columns up to a multiple of lanes.
func Pad(n int) int { return (n + lanes - 1) / lanes * lanes }

// Stride is the length of a row for n columns: whole cache lines, an odd number of them, so that a column walks through all sets of the
// L1 cache and products need no packing.
func Stride(n int) int { return line * ((n+line-1)/line | 1) }

// Make gives n zeros that start on a cache line.
func Make(n int) []float32 {
	s := make([]float32, n+line)
	o := int(-uintptr(unsafe.Pointer(unsafe.SliceData(s)))%64) / 4
	return s[o : o+n : o+n]
}

// Raw gives n numbers with arbitrary values, for large results: to clear 20 MB takes one core 2 ms, and the others wait.
func Raw(n int) []float32 {
	var b strings.Builder // what it grows by is not cleared
	b.Grow(4*n + 1)
	b.WriteByte(0)
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.StringData(b.String()))), n)
}
