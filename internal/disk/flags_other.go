//go:build !unix

package disk

const (
	nonBlock, noFollow = 0, 0

	syncsDirs = false
)

func isLink(error) bool { return false }
