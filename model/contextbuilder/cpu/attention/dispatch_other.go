//go:build !amd64

package attention

// available are the kernels that this processor can run, the fastest first.
func available() []kernels { return []kernels{plain} }
