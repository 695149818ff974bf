package review

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// parse makes the output of a config.
func parse(t *testing.T, yaml string) (*output, error) {
	t.Helper()
	conf, err := spec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	return newFromParsed(conf, service.MockResources())
}

// directories are those of an output, on a free port.
func directories(t *testing.T) string {
	dir := t.TempDir()
	return fmt.Sprintf("model: %s/model\nstore: %s/review\naddress: 127.0.0.1:0\n", dir, dir)
}

// connected is an output that serves, until the end of the test.
func connected(t *testing.T, yaml string) *output {
	t.Helper()
	o, err := parse(t, yaml)
	require.NoError(t, err)
	require.NoError(t, o.Connect(t.Context()))
	t.Cleanup(func() { require.NoError(t, o.Close(context.Background())) })
	return o
}

// today is a time that is not too old for the store.
var today = time.Now().UTC().Truncate(time.Second)

var annotated = `{"timestamp": "` + today.Format(time.RFC3339) + `", "message": "no <b>", "deepcase": {"machine": "web-1", "event": "sshd: failed password",
 "context": [null, "sshd: invalid user"], "status": "unknown_event",
 "pattern": "5d1f7f0c8a4be2b1c9a0d37e6f42a815", "model": "20261123T141500Z-3f2a", "send": true, "case": "new-1", "case_kind": "new", "case_opened": true}}`

func messages(texts ...string) (batch service.MessageBatch) {
	for _, text := range texts {
		batch = append(batch, service.NewMessage([]byte(text)))
	}
	return batch
}

func get(t *testing.T, client *http.Client, url string) (int, string) {
	t.Helper()
	response, err := client.Get(url)
	require.NoError(t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return response.StatusCode, string(text)
}

func TestWrongConfigs(t *testing.T) {
	tokens := filepath.Join(t.TempDir(), "tokens")
	require.NoError(t, os.WriteFile(tokens, []byte("ann boss 0123456789abcdef\n"), 0o600))
	for config, want := range map[string]string{
		`model: ""`:                 "field 'model' is empty: need a directory",
		`store: ""`:                 "field 'store' is empty: need a directory",
		"address: 0.0.0.0:4280":     "field 'auth': mode none with the address 0.0.0.0:4280: anybody who reaches it could decide. Need a loopback address such as 127.0.0.1:4280, or the mode token or proxy",
		"address: here":             `field 'auth': address "here": need a host and a port such as 127.0.0.1:4280`,
		"auth: { mode: token }":     "field 'auth': mode token: need a file of tokens, with a name, a role and a token on each line",
		"auth: { mode: proxy }":     "field 'auth': mode proxy: need the address of the proxy: from others, the header counts for nothing",
		"tls: { cert_file: a.pem }": "field 'tls': need cert_file and key_file",
		"levels: []":                "field 'levels': need the score 0 and at least one above it",
		"timestamp: \"\"":           `field 'timestamp' is empty: need an interpolation such as ${! json("timestamp") }`,
		"keep: 0s":                  "field 'keep': 0s, need longer than 0",
		"hold: 24h\nhold_max: 1h":   "field 'hold_max': 1h0m0s, need at least 24h0m0s, as long as 'hold'",
		"publish_after: 3m":         "field 'publish_at_most': 2m0s, need at least 3m0s, as long as 'publish_after'",
		"levels: [ { score: 0, name: a }, { score: 0, name: b } ]": "field 'levels[1]': the score 0 is there twice, need it once",
		"levels: [ { score: -1, name: a } ]":                       "field 'levels[0]': field 'score': -1, need a finite number of at least 0",
		"levels: [ { score: 0, name: \"\" } ]":                     "field 'levels[0]': need a name for the score 0",
		"auth: { mode: token, tokens_file: " + tokens + " }":       "field 'auth': tokens: " + tokens + ": line 1: the role is none of read, score, publish",
	} {
		yaml := config + "\n"
		for _, field := range []string{"model", "store"} {
			if !strings.HasPrefix(config, field) {
				yaml += field + ": x\n"
			}
		}
		_, err := parse(t, yaml)
		require.EqualError(t, err, want, config)
	}
}

func TestLints(t *testing.T) {
	linter := service.GlobalEnvironment().FullConfigSchema("", "").NewStreamConfigLinter()
	for config, want := range map[string]string{
		`model: ""`:                "model needs a directory",
		`store: ""`:                "store needs a directory",
		"auth: { mode: password }": "value password is not a valid option for this field",
		"target: a..b":             "target needs names divided by single dots",
		"rate: 0":                  "rate needs to be above 0",
	} {
		yaml := "output:\n  deepcase_review:\n    " + config + "\n"
		for _, field := range []string{"model", "store"} {
			if !strings.HasPrefix(config, field) {
				yaml += "    " + field + ": x\n"
			}
		}
		lints, err := linter.LintYAML([]byte(yaml))
		require.NoError(t, err)
		require.Len(t, lints, 1, config)
		require.Contains(t, lints[0].What, want)
	}
}

// one waits until a question is open: lists may be a second old.
func one(t *testing.T, o *output) {
	t.Helper()
	require.Eventually(t, func() bool { return o.server.State().Questions == 1 }, 2*time.Minute, 20*time.Millisecond)
}

func TestAlertsBecomeQuestions(t *testing.T) {
	o := connected(t, directories(t))
	require.NoError(t, o.WriteBatch(t.Context(), messages(annotated, annotated)))
	one(t, o)
	state := o.server.State()
	require.Equal(t, 1, state.Cases)
	require.Equal(t, today, state.Newest.UTC())
	status, page := get(t, http.DefaultClient, o.server.URL())
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "sshd: failed password")
}

func TestEachRefusedMessageFailsByItself(t *testing.T) {
	o := connected(t, directories(t))
	failed := service.NewMessage([]byte(annotated))
	failed.SetError(io.ErrUnexpectedEOF)
	batch := append(messages("not JSON", annotated, `{"timestamp": 1}`, strings.Replace(annotated, today.Format("2006-01-02"), "soon", 1), strings.Replace(annotated, "unknown_event", "odd", 1)), failed)
	indexer := batch.Index()
	err := o.WriteBatch(t.Context(), batch)
	var refused *service.BatchError
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 5, refused.IndexedErrors())
	reasons := map[int]string{}
	refused.WalkMessagesIndexedBy(indexer, func(i int, _ *service.Message, err error) bool {
		if err != nil {
			reasons[i] = err.Error()
		}
		return true
	})
	for i, want := range map[int]string{
		0: "refused: document: not JSON", 2: "refused: deepcase: no annotation of deepcase_predict", 3: "refused: timestamp: ", 4: "refused: document: deepcase.status", 5: "refused: unexpected EOF",
	} {
		require.Contains(t, reasons[i], want)
	}
	require.Len(t, reasons, 5)
	one(t, o)
	require.Regexp(t, "^refused: ", o.WriteBatch(t.Context(), messages("1")).Error()) // what fallback sees of a batch of one
}

func TestWhatIsInTheWayIsNamed(t *testing.T) {
	yaml := directories(t)
	o := connected(t, yaml)
	_, port, err := net.SplitHostPort(strings.TrimSuffix(strings.TrimPrefix(o.server.URL(), "http://"), "/"))
	require.NoError(t, err)
	second, err := parse(t, yaml)
	require.NoError(t, err)
	require.ErrorContains(t, second.Connect(t.Context()), "is in use by another process: a store has one, so end the other one or give this one a directory of its own")
	second, err = parse(t, strings.Replace(directories(t), "127.0.0.1:0", "127.0.0.1:"+port, 1))
	require.NoError(t, err)
	require.ErrorContains(t, second.Connect(t.Context()), "address 127.0.0.1:"+port+" is in use by another program: need a free port, or end that program")
	require.NoError(t, second.Close(t.Context()))
	require.ErrorIs(t, second.WriteBatch(t.Context(), messages(annotated)), service.ErrNotConnected)
}

func TestAlertsSurviveARestart(t *testing.T) {
	yaml := directories(t)
	first := connected(t, yaml)
	require.NoError(t, first.WriteBatch(t.Context(), messages(annotated)))
	require.NoError(t, first.Close(t.Context()))
	require.NoError(t, first.Close(t.Context()), "twice")
	second := connected(t, yaml)
	one(t, second)
}

// A request that does not end holds up Close for a while only.
func TestCloseIsBounded(t *testing.T) {
	o := connected(t, directories(t))
	c, err := net.Dial("tcp", strings.TrimSuffix(strings.TrimPrefix(o.server.URL(), "http://"), "/"))
	require.NoError(t, err)
	defer c.Close()
	_, err = io.WriteString(c, "POST /decide HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx")
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	require.NoError(t, o.Close(ctx))
}

func TestTokensAndTLS(t *testing.T) {
	dir := t.TempDir()
	cert := selfSigned(t, dir)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "tokens"), []byte("ann score 0123456789abcdef\n"), 0o600))
	o := connected(t, directories(t)+fmt.Sprintf("auth: { mode: token, tokens_file: %s/tokens }\ntls: { cert_file: %[1]s/cert.pem, key_file: %[1]s/key.pem }\n", dir))
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	require.Contains(t, o.server.URL(), "https://127.0.0.1:")
	status, page := get(t, client, o.server.URL())
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "Your token")
	status, _ = get(t, client, o.server.URL()+"api/changes?since=0")
	require.Equal(t, http.StatusUnauthorized, status)
}

func selfSigned(t *testing.T, dir string) *x509.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600))
	}
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return cert
}

// Pipelines as users write them: what is refused goes to the second output, with the reason. Batches are those of the input, or those of the
// output if the input sends single messages.
func TestFallbackGetsWhatIsRefused(t *testing.T) {
	whole := []service.MessageBatch{messages(annotated, "not JSON", annotated, `{"timestamp": 1}`), messages(`{"timestamp": 2}`)}
	var single []service.MessageBatch
	for _, batch := range whole {
		for _, message := range batch {
			single = append(single, service.MessageBatch{message.Copy()})
		}
	}
	for name, c := range map[string]struct {
		batching string
		batches  []service.MessageBatch
	}{"batches": {"", whole}, "single messages": {"batching: { count: 5, period: 10s }", single}} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var refused []string
			environment := service.NewEnvironment()
			require.NoError(t, environment.RegisterOutput("kept", service.NewConfigSpec(), func(*service.ParsedConfig, *service.Resources) (service.Output, int, error) {
				return kept(func(text string) {
					mu.Lock()
					defer mu.Unlock()
					refused = append(refused, text)
				}), 1, nil
			}))
			builder := environment.NewStreamBuilder()
			dir, port := t.TempDir(), freePort(t)
			require.NoError(t, builder.SetYAML(fmt.Sprintf(`
output:
  fallback:
    - deepcase_review:
        model: %[1]s/model
        store: %[1]s/review
        address: 127.0.0.1:%[2]d
        %[3]s
    - processors: [ { mapping: 'root = @fallback_error' } ]
      kept: {}
logger: { level: NONE }
`, dir, port, c.batching)))
			send, err := builder.AddBatchProducerFunc()
			require.NoError(t, err)
			stream, err := builder.Build()
			require.NoError(t, err)
			ended := make(chan error, 1)
			go func() { ended <- stream.Run(context.Background()) }()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			var sending sync.WaitGroup
			for _, batch := range c.batches {
				sending.Go(func() {
					if err := send(ctx, batch); err != nil {
						t.Error(err)
					}
				})
			}
			sending.Wait()
			mu.Lock()
			require.Len(t, refused, 3)
			for _, reason := range refused {
				require.Regexp(t, "^refused: ", reason)
			}
			mu.Unlock()
			require.Eventually(t, func() bool {
				_, page := get(t, http.DefaultClient, fmt.Sprintf("http://localhost:%d/queue", port))
				return strings.Contains(page, "sshd: failed password")
			}, 2*time.Minute, 20*time.Millisecond)
			require.NoError(t, stream.Stop(ctx))
			require.NoError(t, <-ended)
		})
	}
}

// kept is an output that keeps texts.
type kept func(text string)

func (kept) Connect(context.Context) error { return nil }
func (kept) Close(context.Context) error   { return nil }
func (k kept) Write(_ context.Context, m *service.Message) error {
	text, err := m.AsBytes()
	k(string(text))
	return err
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestMetrics(t *testing.T) {
	o := connected(t, directories(t))
	require.NoError(t, o.WriteBatch(t.Context(), messages(annotated)))
	status, text := get(t, http.DefaultClient, o.server.URL()+"api/changes?since=0")
	require.Equal(t, http.StatusOK, status)
	require.True(t, json.Valid([]byte(text)), text)
}
