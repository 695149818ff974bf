package syslog

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// open starts an input on free ports of loopback, unless conf says otherwise.
func open(t *testing.T, conf string) *input {
	t.Helper()
	in := parse(t, conf)
	require.NoError(t, in.Connect(t.Context()))
	t.Cleanup(func() { assert.NoError(t, in.Close(context.Background())) })
	return in
}

func parse(t *testing.T, conf string) *input {
	t.Helper()
	for _, field := range []string{fieldTCP, fieldUDP} {
		if !strings.Contains(conf, field) {
			conf += fmt.Sprintf("\n%s: 127.0.0.1:0", field)
		}
	}
	parsed, err := spec().ParseYAML(conf, nil)
	require.NoError(t, err)
	in, err := newFromParsed(parsed, service.MockResources())
	require.NoError(t, err)
	return in
}

func dialTCP(t *testing.T, in *input) net.Conn { return dial(t, "tcp", in.listener.Addr()) }
func dialUDP(t *testing.T, in *input) net.Conn { return dial(t, "udp", in.packets.LocalAddr()) }

func dial(t *testing.T, network string, to net.Addr) net.Conn {
	t.Helper()
	conn, err := net.Dial(network, to.String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	return conn
}

// read gives n messages, and acknowledges them.
func read(t *testing.T, in *input, n int) (messages []*service.Message) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for len(messages) < n {
		batch, acknowledge, err := in.ReadBatch(ctx)
		require.NoError(t, err)
		require.NoError(t, acknowledge(ctx, nil))
		messages = append(messages, batch...)
	}
	require.Len(t, messages, n)
	return messages
}

func text(t *testing.T, m *service.Message) string {
	t.Helper()
	content, err := m.AsBytes()
	require.NoError(t, err)
	return string(content)
}

func meta(t *testing.T, m *service.Message, key string) string {
	t.Helper()
	value, ok := m.MetaGet(key)
	require.True(t, ok, key)
	return value
}

func TestEachFrameIsAMessageWhileTheConnectionIsOpen(t *testing.T) {
	in := open(t, "")
	frames, err := os.ReadFile("testdata/frames.bin")
	require.NoError(t, err)
	conn := dialTCP(t, in)
	_, err = conn.Write(frames)
	require.NoError(t, err)
	for i, m := range read(t, in, 3) {
		require.Contains(t, text(t, m), []string{"Failed password for root", "Accepted password for root", "Connection closed"}[i])
		require.Equal(t, "127.0.0.1", meta(t, m, "syslog_peer"))
		require.Equal(t, "tcp", meta(t, m, "syslog_network"))
		require.NoError(t, m.GetError())
	}
}

func TestADatagramIsAMessage(t *testing.T) {
	in := open(t, "max_message_bytes: 480")
	conn := dialUDP(t, in)
	for _, datagram := range []string{"<38>a", "<38>b\nc\n", "\n", "", strings.Repeat("x", 481), "<38>d"} {
		_, err := conn.Write([]byte(datagram))
		require.NoError(t, err)
	}
	messages := read(t, in, 4)
	require.Equal(t, "<38>a", text(t, messages[0]))
	require.Equal(t, "<38>b\nc", text(t, messages[1]))
	require.EqualError(t, messages[2].GetError(), "syslog from 127.0.0.1 (udp): the message has 481 bytes, need at most 480")
	require.Equal(t, "<38>d", text(t, messages[3]))
	require.Equal(t, "udp", meta(t, messages[3], "syslog_network"))
}

// Senders of one port may send UTF-8, or the code page that is set.
func TestMessagesOfACodePage(t *testing.T) {
	in := open(t, "encoding: gbk")
	conn := dialTCP(t, in)
	for _, text := range []string{"<38>a: \xb5\xc7\xc2\xbc\n", "<38>a: 登录\n", "9 <38>a: \xb5\xc7", "<38>a: x\xff\n", "<38>a: x\n"} {
		_, err := conn.Write([]byte(text))
		require.NoError(t, err)
	}
	messages := read(t, in, 5)
	for i, want := range []string{"<38>a: 登录", "<38>a: 登录", "<38>a: 登", `<38>a: x\xff`, "<38>a: x"} {
		assert.Equal(t, want, text(t, messages[i]))
		if i != 3 {
			assert.NoError(t, messages[i].GetError())
		}
	}
	assert.EqualError(t, messages[3].GetError(), "syslog from 127.0.0.1 (tcp): the message is not UTF-8, and has the byte 0xFF, which is not gbk: want another encoding (field 'encoding')")

	in = open(t, "")
	_, err := dialUDP(t, in).Write([]byte("<38>a: caf\xe9"))
	require.NoError(t, err)
	messages = read(t, in, 1)
	assert.Equal(t, "<38>a: caf\xe9", text(t, messages[0]))
	assert.NoError(t, messages[0].GetError(), "a name in it is refused later")
}

func TestADatagramBeforeSIGTERMIsDelivered(t *testing.T) {
	in := open(t, "")
	const n = 200
	conn, stream := dialUDP(t, in), dialTCP(t, in)
	for i := range n {
		_, err := fmt.Fprintf(conn, "<38>%d", i)
		require.NoError(t, err)
	}
	_, err := stream.Write([]byte("<38>no newline"))
	require.NoError(t, err)
	terminate(t)
	require.Len(t, read(t, in, n+1), n+1)
	_, _, err = in.ReadBatch(t.Context())
	require.ErrorIs(t, err, service.ErrEndOfInput)
	_, err = net.Dial("tcp", in.listener.Addr().String())
	require.Error(t, err, "it still listens")
	require.Zero(t, in.queue.unacknowledged())
}

func TestWhatIsLostIsCounted(t *testing.T) {
	in := parse(t, "")
	require.NoError(t, in.Connect(t.Context()))
	conn := dialUDP(t, in)
	for range 3 {
		_, err := conn.Write([]byte("<38>a"))
		require.NoError(t, err)
	}
	require.Eventually(t, func() bool { return in.queue.unacknowledged() == 3 }, 2*time.Minute, time.Millisecond)
	_, _, err := in.ReadBatch(t.Context()) // taken, and not acknowledged
	require.NoError(t, err)
	require.NoError(t, in.Close(context.Background()))
	require.Equal(t, 3, in.queue.unacknowledged())
}

func TestConnectionsAreLimited(t *testing.T) {
	in := open(t, "max_connections: 1")
	first := dialTCP(t, in)
	_, err := first.Write([]byte("<38>a\n"))
	require.NoError(t, err)
	read(t, in, 1)
	second := dialTCP(t, in)
	_, err = second.Read(make([]byte, 1))
	require.Error(t, err, "it is not closed")
	_, err = first.Write([]byte("<38>b\n"))
	require.NoError(t, err)
	read(t, in, 1)
	require.NoError(t, first.Close())
	require.Eventually(t, func() bool {
		third := dialTCP(t, in)
		_, _ = third.Write([]byte("<38>c\n"))
		_ = third.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, err := third.Read(make([]byte, 1))
		return os.IsTimeout(err)
	}, 2*time.Minute, 10*time.Millisecond)
}

func TestASilentConnectionIsClosed(t *testing.T) {
	in := open(t, "idle_timeout: 50ms")
	conn := dialTCP(t, in)
	_, err := conn.Write([]byte("<38>no newline"))
	require.NoError(t, err)
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(2*time.Minute)))
	_, err = conn.Read(make([]byte, 1))
	require.False(t, os.IsTimeout(err), "%v", err)
	require.Equal(t, "<38>no newline", text(t, read(t, in, 1)[0]))
}

// With an output that stands still, messages wait in the sender, not here.
func TestBytesAreBounded(t *testing.T) {
	in := open(t, "max_bytes: 65536\nbatch_size: 1")
	conn := dialTCP(t, in)
	line := []byte("<38>" + strings.Repeat("x", 1000) + "\n")
	go func() {
		for range 50_000 { // more than the kernel's buffers hold
			if _, err := conn.Write(line); err != nil {
				return
			}
		}
		_ = conn.Close()
	}()
	held := func() int {
		in.queue.mu.Lock()
		defer in.queue.mu.Unlock()
		return in.queue.bytes
	}
	require.Eventually(t, func() bool { return held() > 60_000 }, 2*time.Minute, time.Millisecond)
	read(t, in, 50_000)
	require.LessOrEqual(t, held(), 65_536)
	// One that is larger than all that may be held still comes through.
	big := dialTCP(t, in)
	_, err := big.Write([]byte("<38>" + strings.Repeat("x", 100_000) + "\n"))
	require.NoError(t, err)
	require.Len(t, text(t, read(t, in, 1)[0]), 100_004)
}

func TestNothingIsLeftRunning(t *testing.T) {
	open(t, "") // what the first one starts for the whole process
	before := runtime.NumGoroutine()
	for range 20 {
		in := parse(t, "max_bytes: 65536")
		require.NoError(t, in.Connect(t.Context()))
		for range 5 {
			conn := dialTCP(t, in)
			_, err := conn.Write([]byte(strings.Repeat("<38>a\n", 200))) // more than may be held
			require.NoError(t, err)
		}
		_, err := dialUDP(t, in).Write([]byte("<38>a"))
		require.NoError(t, err)
		require.NoError(t, in.Close(context.Background()))
		require.NoError(t, in.Close(context.Background()), "twice")
	}
	require.NoError(t, parse(t, "").Close(context.Background()), "never connected")
	require.Eventually(t, func() bool { return runtime.NumGoroutine() <= before+1 }, 2*time.Minute, time.Millisecond,
		"%d goroutines before, and one that looks", before)
}

func TestAnAddressThatIsTakenIsAnError(t *testing.T) {
	in := open(t, "")
	again := parse(t, fmt.Sprintf("udp_address: %s", in.packets.LocalAddr()))
	require.ErrorContains(t, again.Connect(t.Context()), "field 'udp_address': ")
	require.NoError(t, again.Close(context.Background()))
}

func TestConfigsThatAreRefused(t *testing.T) {
	for conf, want := range map[string]string{
		"tcp_address: ''\nudp_address: ''":               "fields 'tcp_address' and 'udp_address' are empty: need at least one",
		"max_message_bytes: 100":                         "field 'max_message_bytes': 100, need 480 to 67108864",
		"max_connections: 0":                             "field 'max_connections': 0, need 1 to",
		"max_bytes: 1":                                   "field 'max_bytes': 1, need 65536 to",
		"batch_size: 0":                                  "field 'batch_size': 0, need 1 to 100000",
		"idle_timeout: -1s":                              "field 'idle_timeout': -1s, need 0 or longer",
		"tls: {cert_file: a.pem}":                        "field 'tls': need cert_file and key_file",
		"tls: {cert_file: none.pem, key_file: none.key}": "field 'tls': open none.pem",
		"encoding: gbq":                                  "field 'encoding': \"gbq\" is no encoding: want utf-8",
		"encoding: utf-16":                               "field 'encoding': \"utf-16\", need utf-8 or a code page: syslog has no UTF-16",
		"tls: {client_ca_file: a.pem}":                   "field 'tls': need cert_file and key_file",
	} {
		parsed, err := spec().ParseYAML(conf, nil)
		require.NoError(t, err)
		_, err = newFromParsed(parsed, service.MockResources())
		assert.ErrorContains(t, err, want, conf)
	}
}
