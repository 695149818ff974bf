package redeliver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"testing"

	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// once is an input of one batch.
type once struct{ batch service.MessageBatch }

func newOnce(*service.ParsedConfig, *service.Resources) (*once, error) {
	o := &once{}
	for i := range 8 {
		o.batch = append(o.batch, service.NewMessage(fmt.Append(nil, i)))
	}
	return o, nil
}

func (o *once) Connect(context.Context) error { return nil }

func (o *once) ReadBatch(context.Context) (service.MessageBatch, service.AckFunc, error) {
	batch := o.batch
	if o.batch = nil; batch == nil {
		return nil, nil, service.ErrEndOfInput
	}
	return batch, func(context.Context, error) error { return nil }, nil
}

func (o *once) Close(context.Context) error { return nil }

// Some messages of a batch are refused again and again: each is taken in the end.
func TestWhatIsRefusedTwiceComesAgain(t *testing.T) {
	env := service.NewEnvironment()
	require.NoError(t, env.RegisterBatchInput("once", service.NewConfigSpec(), Constructor(newOnce)))
	builder := env.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.DiscardHandler))
	require.NoError(t, builder.AddInputYAML("once: {}"))
	attempts, taken := map[string]int{}, map[string]bool{}
	require.NoError(t, builder.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
		var failed *service.BatchError
		for i, m := range batch {
			b, err := m.AsBytes()
			require.NoError(t, err)
			name := string(b)
			if attempts[name]++; b[0]%2 == 1 && attempts[name] < 4 {
				if failed == nil {
					failed = service.NewBatchError(batch, errors.New("refused"))
				}
				failed = failed.Failed(i, errors.New("refused"))
				continue
			}
			taken[name] = true
		}
		if failed != nil {
			return failed
		}
		return nil
	}))
	stream, err := builder.Build()
	require.NoError(t, err)
	require.NoError(t, stream.Run(t.Context()))
	require.Len(t, taken, 8)
}

// Without the field batches always come again; with it, unless it is false. The constructor's error comes as it is.
func TestField(t *testing.T) {
	without, with := service.NewConfigSpec(), service.NewConfigSpec().Field(Field())
	for _, test := range []struct {
		spec  *service.ConfigSpec
		yaml  string
		again bool
	}{{without, "{}", true}, {with, "{}", true}, {with, "auto_replay_nacks: true", true}, {with, "auto_replay_nacks: false", false}} {
		conf, err := test.spec.ParseYAML(test.yaml, nil)
		require.NoError(t, err)
		in, err := Constructor(newOnce)(conf, service.MockResources())
		require.NoError(t, err)
		_, once := in.(*once)
		require.Equal(t, test.again, !once, test.yaml)
	}
	conf, err := without.ParseYAML("{}", nil)
	require.NoError(t, err)
	in, err := Constructor(func(*service.ParsedConfig, *service.Resources) (*once, error) { return nil, errors.New("no") })(conf, nil)
	require.EqualError(t, err, "no")
	require.Nil(t, in)
}
