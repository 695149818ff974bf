package syslog

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// certificate writes a certificate of 127.0.0.1 that signs itself, and its key.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	write := func(kind string, content []byte) string {
		path := filepath.Join(t.TempDir(), "pem")
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600))
		return path
	}
	return write("CERTIFICATE", cert), write("PRIVATE KEY", private)
}

func TestTLS(t *testing.T) {
	cert, key := certificate(t)
	trusted, err := os.ReadFile(cert)
	require.NoError(t, err)
	pool := x509.NewCertPool()
	require.True(t, pool.AppendCertsFromPEM(trusted))
	client, err := tls.LoadX509KeyPair(cert, key)
	require.NoError(t, err)

	for name, c := range map[string]struct {
		conf   string
		client []tls.Certificate
		taken  bool
	}{
		"any sender":                   {"", nil, true},
		"a sender with a certificate":  {"client_ca_file: " + cert, []tls.Certificate{client}, true},
		"a sender without certificate": {"client_ca_file: " + cert, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			in := open(t, fmt.Sprintf("tls:\n  cert_file: %s\n  key_file: %s\n  %s", cert, key, c.conf))
			plain := dialTCP(t, in) // does not shake hands, and holds nobody up
			_, err := plain.Write([]byte("<38>plain\n"))
			require.NoError(t, err)
			conn, err := tls.Dial("tcp", in.listener.Addr().String(), &tls.Config{RootCAs: pool, Certificates: c.client})
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close() })
			_, err = conn.Write([]byte("5 <38>a<38>b\n"))
			require.NoError(t, err)
			if !c.taken {
				_, err = conn.Read(make([]byte, 1))
				require.ErrorContains(t, err, "certificate")
				return
			}
			messages := read(t, in, 2)
			require.Equal(t, "<38>a", text(t, messages[0]))
			require.Equal(t, "tls", meta(t, messages[1], "syslog_network"))
		})
	}
}
