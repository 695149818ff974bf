//go:build !amd64 || purego

package attention

// available are the kernels that this processor can run, the fastest first.
func available() []kernels { return []kernels{plain} }
