//go:build !amd64 || purego

package simd

// available are the loops that this processor can run, the fastest first.
func available() []kernels { return []kernels{plain} }
