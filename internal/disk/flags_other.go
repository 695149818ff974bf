//go:build !unix

package disk

const nonBlock, noFollow = 0, 0

func isLink(error) bool { return false }
