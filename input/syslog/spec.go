package syslog

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/configfield"
	"connect-deepcase/internal/redeliver"
	"connect-deepcase/internal/textfile"
)

const (
	fieldTCP          = "tcp_address"
	fieldUDP          = "udp_address"
	fieldTLS          = "tls"
	fieldCertFile     = "cert_file"
	fieldKeyFile      = "key_file"
	fieldClientCAFile = "client_ca_file"
	fieldFraming      = "framing"
	fieldEncoding     = "encoding"

	leastMessage = 480 // RFC 5424: what every receiver must accept
	mostMessage  = 64 << 20
)

var (
	fieldMaxMessage     = configfield.IntBetween("max_message_bytes", leastMessage, mostMessage)
	fieldMaxConnections = configfield.IntBetween("max_connections", 1, 1<<20)
	fieldIdle           = configfield.DurationFrom0("idle_timeout")
	fieldMaxBytes       = configfield.IntBetween("max_bytes", 1<<16, 1<<40)
	fieldBatchSize      = configfield.IntBetween("batch_size", 1, 100_000)
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Stable().
		Version("0.1.0").
		Categories("DeepCASE", "Network").
		Summary("Listens for syslog over TCP, TLS and UDP.").
		Description(`
Each message is one syslog message, including its header, without its framing. A batch holds what has arrived since the last one, in the order of each connection.

== Framing

Over TCP and TLS, each message may have a framing of its own (RFC 6587): an octet count before it, or a newline or NUL after it. Because a line may begin with a number, a number is an octet count only if a space and a priority follow it (`+"`98 <38>`"+`). If the sender closes the connection, the text since the last message is one, too. Messages that contain newlines need an octet count, or NUL and `+"`framing: nul`"+`.

Over UDP, each datagram is one message, with or without a newline.

Newlines, carriage returns and NULs at the end of a message are removed. Blank messages are skipped.

== Messages that are refused

A refused message has the first 1024 bytes of its text, and is flagged with an error that names the sender and the reason, so that it becomes a dead letter. The next message is read as usual.

- `+"`too_long`"+`: more than `+"`max_message_bytes`"+`
- `+"`bad_count`"+`: text between a message with an octet count and the next one: the count was too small
- `+"`encoding`"+`: it is neither UTF-8 nor in the `+"`encoding`"+` that is set. It has all of its text, with the bytes that are wrong as `+"`\x81`"+`
- `+"`cut_off`"+`: the connection ended before all bytes of the octet count had arrived

== Guarantees

Syslog has no acknowledgement: what the kernel or this process holds at a crash is lost.

A message that an output rejects is sent again. At most `+"`max_bytes`"+` of messages wait or are in flight. If there are more, connections are not read until there is room, so that TCP slows the senders down. Datagrams then wait in the kernel's buffer, and the kernel drops what does not fit. On Linux, dropped datagrams are counted.

At SIGTERM or SIGINT, the input reads what has arrived by then, passes it on, closes its sockets and ends. Connect stops its inputs at the same moment and drops what they still hold, unless the config gives them time: set `+"`shutdown_delay: 1s`"+` at its top level. What is lost all the same is counted and logged at level error.

== Memory

Up to `+"`max_bytes`"+`, plus up to `+"`max_message_bytes`"+` and 16 KiB for each of `+"`max_connections`"+` connections. With the defaults this is 64 MiB, and 136 MiB if each connection holds an unfinished message of maximum size.

== Security

Syslog over TCP and UDP is not authenticated, and a datagram can name any sender. Listen on loopback or a network that you trust, or use TLS with `+"`client_ca_file`"+`.

== Metadata

- `+"`syslog_peer`"+`: the sender's address, without its port
- `+"`syslog_network`: `tcp`, `tls` or `udp`"+`

== Metrics

- `+"`deepcase_syslog_messages`"+` (counter, label `+"`network`"+`): messages that arrived, including refused ones
- `+"`deepcase_syslog_refused`"+` (counter, label `+"`reason`"+`): refused messages
- `+"`deepcase_syslog_connections`"+` (gauge): open connections
- `+"`deepcase_syslog_refused_connections`"+` (counter, label `+"`reason`: `too_many` or `tls`"+`)
- `+"`deepcase_syslog_dropped_datagrams`"+` (counter): datagrams that the kernel dropped (Linux only)
- `+"`deepcase_syslog_lost`"+` (counter): messages that had arrived and were not acknowledged when the input was stopped`).
		Fields(
			service.NewStringField(fieldTCP).
				Description("Where to listen for connections: a host and a port. If it is empty, nowhere.").
				Example("0.0.0.0:514").
				Default("127.0.0.1:5514"),
			service.NewStringField(fieldUDP).
				Description("Where to listen for datagrams: a host and a port. If it is empty, nowhere.").
				Example("0.0.0.0:514").
				Default("127.0.0.1:5514"),
			service.NewObjectField(fieldTLS,
				service.NewStringField(fieldCertFile).Description("A PEM file with the certificate of the server.").Default(""),
				service.NewStringField(fieldKeyFile).Description("A PEM file with the private key of the certificate.").Default(""),
				service.NewStringField(fieldClientCAFile).Description("A PEM file with certificates of authorities. If it is set, senders need a certificate that one of these authorities has signed.").Default(""),
			).Description("If `cert_file` and `key_file` are set, connections to `tcp_address` use TLS (1.2 or newer). The files are read at the start."),
			service.NewStringAnnotatedEnumField(fieldFraming, map[string]string{
				framingAuto: "By octet count, newline or NUL, detected for each message.",
				framingNUL:  "By NUL only, so that messages may contain newlines.",
			}).Description("How the messages of a connection are separated.").Advanced().Default(framingAuto),
			service.NewStringField(fieldEncoding).
				Description("The code page of senders that do not send UTF-8: `windows-1252`, `iso-8859-1`, `gbk`, `shift_jis`, `koi8-r` … A message that is UTF-8 stays as it is, and any other is decoded. If bytes of it are no characters of the code page, it is refused. With `utf-8`, messages stay as they are; then a machine or an event that is not UTF-8 is refused later, by `deepcase_sequence`.").
				Example("gbk").
				Default("utf-8"),
			fieldMaxMessage.Field().
				Description("Maximum size of a message in bytes. A longer message is refused.").
				Default(128<<10),
			fieldMaxConnections.Field().
				Description("Maximum number of open connections. Further ones are closed at once.").
				Default(512),
			fieldIdle.Field().
				Description("How long a connection may be silent before it is closed. Many senders lose a message when that happens. 0: for ever; the kernel still detects peers that are gone.").
				Advanced().
				Default("0s"),
			fieldMaxBytes.Field().
				Description("Maximum bytes of messages that wait or are not acknowledged yet. Each message counts 512 bytes more than it has.").
				Advanced().
				Default(64<<20),
			fieldBatchSize.Field().
				Description("Messages in a batch, at most. A batch does not wait to become full.").
				Advanced().
				Default(500),
			redeliver.Field(),
		).
		Example("One port for TCP and UDP", "The machine is the host in a message, or the sender if there is none.", `
shutdown_delay: 1s # time to take what has come when it is stopped

input:
  deepcase_syslog:
    tcp_address: 192.0.2.1:514
    udp_address: 192.0.2.1:514

pipeline:
  processors:
    - mapping: |
        root = content().string().parse_deepcase_syslog()
        root.host = root.host | @syslog_peer
`).
		Example("TLS", "Senders must have a certificate.", `
input:
  deepcase_syslog:
    tcp_address: 0.0.0.0:6514
    udp_address: ""
    tls:
      cert_file: /etc/deepcase/server.pem
      key_file: /etc/deepcase/server.key
      client_ca_file: /etc/deepcase/senders.pem
`)
}

func newFromParsed(conf *service.ParsedConfig, mgr *service.Resources) (in *input, err error) {
	s := &server{}
	in = &input{server: s}
	if s.tcpAddress, err = conf.FieldString(fieldTCP); err != nil {
		return nil, err
	}
	if s.udpAddress, err = conf.FieldString(fieldUDP); err != nil {
		return nil, err
	}
	if s.tcpAddress == "" && s.udpAddress == "" {
		return nil, fmt.Errorf("fields '%s' and '%s' are empty: need at least one, such as 127.0.0.1:5514", fieldTCP, fieldUDP)
	}
	if s.tls, err = serverTLS(conf); err != nil {
		return nil, err
	}
	if s.framing, err = conf.FieldString(fieldFraming); err != nil {
		return nil, err
	}
	encoding, err := conf.FieldString(fieldEncoding)
	if err != nil {
		return nil, err
	}
	if s.encoding, err = textfile.ParseEncoding(encoding); err != nil {
		return nil, fmt.Errorf("field '%s': %w", fieldEncoding, err)
	}
	if strings.HasPrefix(s.encoding.String(), "utf-16") {
		return nil, fmt.Errorf("field '%s': %q, need utf-8 or a code page: syslog has no UTF-16", fieldEncoding, encoding)
	}
	if s.maxMessage, err = fieldMaxMessage.Parse(conf); err != nil {
		return nil, err
	}
	if s.maxConnections, err = fieldMaxConnections.Parse(conf); err != nil {
		return nil, err
	}
	if s.idle, err = fieldIdle.Parse(conf); err != nil {
		return nil, err
	}
	maxBytes, err := fieldMaxBytes.Parse(conf)
	if err != nil {
		return nil, err
	}
	if in.batchSize, err = fieldBatchSize.Parse(conf); err != nil {
		return nil, err
	}
	in.queue = newQueue(maxBytes)
	s.put = in.queue.put
	s.observer = newObserver(mgr, s.network(), networkUDP)
	in.stopped = make(chan struct{})
	in.patience = 5 * time.Second
	return in, nil
}

// serverTLS reads the fields of TLS: nil where they are not set.
func serverTLS(conf *service.ParsedConfig) (*tls.Config, error) {
	authorities, err := conf.FieldString(fieldTLS, fieldClientCAFile)
	if err != nil {
		return nil, err
	}
	config, err := configfield.ParseCertificate(conf, fieldTLS, fieldCertFile, fieldKeyFile)
	if err != nil {
		return nil, err
	}
	if config == nil && authorities != "" {
		return nil, fmt.Errorf("field '%s': need %s and %s", fieldTLS, fieldCertFile, fieldKeyFile)
	}
	if authorities != "" {
		pem, err := os.ReadFile(authorities)
		if err != nil {
			return nil, fmt.Errorf("field '%s.%s': %w", fieldTLS, fieldClientCAFile, err)
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("field '%s.%s': %s holds no certificate in PEM", fieldTLS, fieldClientCAFile, authorities)
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}
