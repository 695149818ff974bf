package syslog

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"
	"unicode/utf8"

	"connect-deepcase/internal/textfile"
)

const (
	networkTCP = "tcp"
	networkTLS = "tls"
	networkUDP = "udp"

	handshakeTimeout = 10 * time.Second
	// drainTime is how long the input reads what the kernel still holds when it ends.
	drainTime = 200 * time.Millisecond
	// datagramBytes is larger than any datagram.
	datagramBytes = 1 << 16
	// socketBuffer is the buffer for datagrams that the kernel is asked for. It may give less.
	socketBuffer = 4 << 20
)

// server listens, and passes messages on.
type server struct {
	tcpAddress, udpAddress string
	tls                    *tls.Config // nil: plain TCP
	framing                string
	encoding               textfile.Encoding // of what is not UTF-8
	maxMessage             int
	maxConnections         int
	idle                   time.Duration // 0: for ever
	put                    func(received)
	*observer

	listener *net.TCPListener
	packets  *net.UDPConn
	readers  sync.WaitGroup

	mu         sync.Mutex
	open       map[net.Conn]struct{}
	drainUntil time.Time // zero: not draining
	closed     bool
}

// listen opens the sockets and starts to read them.
func (s *server) listen(ctx context.Context) error {
	s.open = map[net.Conn]struct{}{}
	var config net.ListenConfig
	if s.tcpAddress != "" {
		l, err := config.Listen(ctx, "tcp", s.tcpAddress)
		if err != nil {
			return fmt.Errorf("field '%s': %w", fieldTCP, err)
		}
		s.listener = l.(*net.TCPListener)
	}
	if s.udpAddress != "" {
		p, err := config.ListenPacket(ctx, "udp", s.udpAddress)
		if err != nil {
			if s.listener != nil {
				_ = s.listener.Close()
			}
			return fmt.Errorf("field '%s': %w", fieldUDP, err)
		}
		s.packets = p.(*net.UDPConn)
		_ = s.packets.SetReadBuffer(socketBuffer)
		if err := countOverflow(s.packets); err != nil {
			s.log.Warnf("The kernel does not say how many datagrams it drops: %v", err)
		}
	}
	if s.listener != nil {
		s.log.Infof("Listening for syslog at %s (%s)", s.listener.Addr(), s.network())
		s.readers.Go(s.accept)
	}
	if s.packets != nil {
		s.log.Infof("Listening for syslog at %s (%s)", s.packets.LocalAddr(), networkUDP)
		s.readers.Go(s.readDatagrams)
	}
	return nil
}

func (s *server) network() string {
	if s.tls != nil {
		return networkTLS
	}
	return networkTCP
}

// accept accepts connections until the server ends.
func (s *server) accept() {
	pause := time.Millisecond
	for {
		conn, err := s.listener.Accept()
		switch {
		case err == nil:
			pause = time.Millisecond
			if s.admit(conn) {
				s.readers.Go(func() { s.serve(conn) })
			} else {
				_ = conn.Close()
			}
		case s.ending():
			return
		default: // too many open files, say
			s.log.Errorf("A connection was not accepted: %v", err)
			time.Sleep(pause)
			pause = min(2*pause, time.Second)
		}
	}
}

func (s *server) ending() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed || !s.drainUntil.IsZero()
}

// admit counts a connection, unless there are too many.
func (s *server) admit(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return false
	}
	if len(s.open) >= s.maxConnections {
		s.refusedConnection(conn.RemoteAddr(), len(s.open))
		return false
	}
	s.open[conn] = struct{}{}
	s.connections.Set(int64(len(s.open)))
	return true
}

func (s *server) leave(conn net.Conn) {
	_ = conn.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
	s.connections.Set(int64(len(s.open)))
}

// extend gives the sender time until its next bytes.
func (s *server) extend(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.drainUntil.IsZero() {
		_ = conn.SetReadDeadline(s.drainUntil)
	} else if s.idle > 0 {
		_ = conn.SetReadDeadline(time.Now().Add(s.idle))
	}
}

// serve reads a connection to its end.
func (s *server) serve(accepted net.Conn) {
	defer s.leave(accepted)
	s.extend(accepted)
	conn, peer := accepted, address(accepted.RemoteAddr())
	if s.tls != nil {
		secured := tls.Server(accepted, s.tls)
		ctx, cancel := context.WithTimeout(context.Background(), handshakeTimeout)
		err := secured.HandshakeContext(ctx)
		cancel()
		if err != nil {
			s.failedHandshake(peer, err)
			return
		}
		conn = secured
	}
	f := &framer{framing: s.framing, max: s.maxMessage, emit: func(text []byte, why problem, details string) {
		s.receive(received{text: text, network: s.network(), peer: peer}, why, details)
	}}
	defer f.close()
	for chunk := make([]byte, 16<<10); ; {
		n, err := conn.Read(chunk)
		f.write(chunk[:n])
		s.extend(accepted)
		if err != nil {
			if errors.Is(err, os.ErrDeadlineExceeded) && !s.ending() {
				s.log.Infof("The connection of %s was silent for %s and is closed", peer, s.idle)
			}
			return
		}
	}
}

// readDatagrams reads datagrams until the server ends: each is a message.
func (s *server) readDatagrams() {
	datagram, control := make([]byte, datagramBytes), make([]byte, overflowBytes)
	var dropped uint32
	pause := time.Millisecond
	for {
		n, m, _, peer, err := s.packets.ReadMsgUDPAddrPort(datagram, control)
		if err != nil {
			if s.ending() {
				return
			}
			s.log.Errorf("A datagram was not read: %v", err)
			time.Sleep(pause)
			pause = min(2*pause, time.Second)
			continue
		}
		pause = time.Millisecond
		if now, ok := overflow(control[:m]); ok && now != dropped {
			s.droppedDatagrams(now - dropped) // wraps as the kernel's counter does
			dropped = now
		}
		one := framer{emit: func(text []byte, why problem, details string) {
			s.receive(received{text: text, network: networkUDP, peer: name(peer.Addr())}, why, details)
		}}
		if n > s.maxMessage {
			one.refuse(datagram[:min(n, excerptBytes)], tooLong, fmt.Sprintf("the message has %d bytes, need at most %d", n, s.maxMessage))
		} else {
			one.message(datagram[:n])
		}
	}
}

// receive counts a message and passes it on. A refused message is passed on as far as it came, flagged with the reason.
func (s *server) receive(r received, why problem, details string) {
	s.messages.Incr(1, r.network)
	if why == noProblem && !utf8.Valid(r.text) {
		r.text = s.encoding.Decode(r.text)
		if err := s.encoding.Check(r.text); err != nil && s.encoding != (textfile.Encoding{}) {
			r.text = s.encoding.Escape(r.text)
			why, details = badText, fmt.Sprintf("the message is not UTF-8, and %v (field '%s')", err, fieldEncoding)
		}
	}
	if why != noProblem {
		r.err = s.refusedMessage(r, why, details)
	}
	s.put(r)
}

// drain reads what has arrived, for a short time, and then accepts nothing more.
func (s *server) drain() {
	s.mu.Lock()
	s.drainUntil = time.Now().Add(drainTime)
	if s.listener != nil {
		_ = s.listener.SetDeadline(s.drainUntil)
	}
	if s.packets != nil {
		_ = s.packets.SetReadDeadline(s.drainUntil)
	}
	for conn := range s.open {
		_ = conn.SetReadDeadline(s.drainUntil)
	}
	s.mu.Unlock()
	s.readers.Wait()
}

// close closes the sockets. Readers end once what they hold has been put.
func (s *server) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.listener != nil {
		_ = s.listener.Close()
	}
	if s.packets != nil {
		_ = s.packets.Close()
	}
	for conn := range s.open {
		_ = conn.Close()
	}
}

// address is the peer's address without its port, which says nothing about the machine.
func address(a net.Addr) string {
	if tcp, ok := a.(*net.TCPAddr); ok {
		return name(tcp.AddrPort().Addr())
	}
	return a.String()
}

func name(a netip.Addr) string { return a.Unmap().String() }
