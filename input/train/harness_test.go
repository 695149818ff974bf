package train

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// The child process of the crash test is this test binary with this variable set.
const crashModel = "DEEPCASE_TEST_CRASH_MODEL"

// crashMore are its settings, where they are not quick.
const crashMore = "DEEPCASE_TEST_CRASH_SETTINGS"

func TestMain(m *testing.M) {
	if dir := os.Getenv(crashModel); dir != "" {
		crash(dir)
	}
	os.Exit(m.Run())
}

// crash feeds a trainer without end, and prints the number of each event when it is acknowledged.
func crash(dir string) {
	builder := service.NewStreamBuilder()
	err := builder.AddInputYAML(fmt.Sprintf("deepcase_train:\n    input: {counter: {print: true}}\n    model: %q\n%s", dir, cmp.Or(os.Getenv(crashMore), quick)))
	if err == nil {
		err = builder.AddOutputYAML("drop: {}")
	}
	var s *service.Stream
	if err == nil {
		s, err = builder.Build()
	}
	if err == nil {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		err = s.Run(ctx)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// counter is an input of numbered events: routines of three events on a machine each, in batches of 1 to 3. What is not acknowledged
// is sent again.
type counter struct {
	limit int // 0: none
	print bool
	after string // a file: no event before it is there
	pad   int    // bytes that each document has more

	mu      sync.Mutex
	next    int
	again   [][2]int // from, to
	waiting int      // batches
	nacked  int
}

// counters are the inputs that were built, by the file they wait for.
var counters sync.Map

func init() {
	spec := service.NewConfigSpec().Fields(service.NewBoolField("print").Default(false), service.NewIntField("limit").Default(0), service.NewStringField("after").Default(""), service.NewIntField("pad").Default(0))
	service.MustRegisterBatchInput("counter", spec, func(conf *service.ParsedConfig, _ *service.Resources) (service.BatchInput, error) {
		c := &counter{}
		var err, err2, err3 error
		c.print, err = conf.FieldBool("print")
		c.limit, err2 = conf.FieldInt("limit")
		c.after, err3 = conf.FieldString("after")
		counters.Store(c.after, c)
		var err4 error
		c.pad, err4 = conf.FieldInt("pad")
		return c, errors.Join(err, err2, err3, err4)
	})
}

func (c *counter) Connect(context.Context) error {
	if c.after == "" {
		return nil
	}
	_, err := os.Stat(c.after)
	return err
}

func (c *counter) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	for {
		if at, wait := c.take(); wait {
			select {
			case <-ctx.Done():
				return nil, nil, ctx.Err()
			case <-time.After(time.Millisecond):
			}
		} else if at[0] == at[1] {
			return nil, nil, service.ErrEndOfInput
		} else {
			return c.batch(at), func(_ context.Context, err error) error {
				c.acknowledge(at, err)
				return nil
			}, nil
		}
	}
}

// take gives the numbers of the next batch; none at the end.
func (c *counter) take() (at [2]int, wait bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.again) > 0 {
		at, c.again = c.again[0], c.again[1:]
		c.waiting++
		return at, false
	}
	if c.limit > 0 && c.next >= c.limit {
		return at, c.waiting > 0
	}
	if c.waiting > 100 {
		return at, true
	}
	at = [2]int{c.next, c.next + 1 + c.next%3}
	if c.limit > 0 {
		at[1] = min(at[1], c.limit)
	}
	c.next = at[1]
	c.waiting++
	return at, false
}

func (c *counter) batch(at [2]int) (batch service.MessageBatch) {
	for i := at[0]; i < at[1]; i++ {
		name := []string{"scan", "guess", "login", "cron", "mount", "backup"}[i%6]
		batch = append(batch, service.NewMessage(fmt.Appendf(nil, `{"machine":"m%d","event":%q,"timestamp":%d,"number":%d,"pad":"%s"}`, i/3, name, 1_700_000_000+i, i, strings.Repeat("x", c.pad))))
	}
	return batch
}

func (c *counter) acknowledge(at [2]int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting--
	if err != nil {
		c.nacked++
		c.again = append(c.again, at)
		return
	}
	if c.print {
		for i := at[0]; i < at[1]; i++ {
			fmt.Println(i)
		}
	}
}

func (c *counter) Close(context.Context) error { return nil }

// parsed is the input of the yaml that fromFile makes.
func parsed(t testing.TB, yaml string) *input {
	t.Helper()
	conf, err := spec().ParseYAML(strings.ReplaceAll(strings.TrimPrefix(yaml, "deepcase_train:\n"), "    ", ""), nil)
	require.NoError(t, err)
	in, err := newFromParsed(conf, service.MockResources(), time.Now)
	require.NoError(t, err)
	return in
}

// readToEnd reads and acknowledges all that comes of an input.
func readToEnd(t testing.TB, in *input) (out service.MessageBatch) {
	t.Helper()
	for {
		batch, ack, err := in.ReadBatch(t.Context())
		if errors.Is(err, service.ErrEndOfInput) {
			return out
		}
		require.NoError(t, err)
		require.NoError(t, ack(t.Context(), nil))
		out = append(out, batch...)
	}
}
