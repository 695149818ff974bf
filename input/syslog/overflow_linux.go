package syslog

import (
	"encoding/binary"
	"net"

	"golang.org/x/sys/unix"
)

// overflowBytes is the room for what the kernel adds to a datagram after countOverflow.
var overflowBytes = unix.CmsgSpace(4)

// countOverflow asks the kernel to add to each datagram how many it has dropped since the socket was opened.
func countOverflow(conn *net.UDPConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RXQ_OVFL, 1) }); err != nil {
		return err
	}
	return failed
}

// overflow reads how many datagrams the kernel has dropped. The kernel sends no number if there were none.
func overflow(control []byte) (dropped uint32, ok bool) {
	messages, err := unix.ParseSocketControlMessage(control)
	if err != nil {
		return 0, false
	}
	for _, m := range messages {
		if m.Header.Level == unix.SOL_SOCKET && m.Header.Type == unix.SO_RXQ_OVFL && len(m.Data) >= 4 {
			return binary.NativeEndian.Uint32(m.Data), true
		}
	}
	return 0, false
}
