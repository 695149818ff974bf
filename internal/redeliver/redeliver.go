// Package redeliver sends batches again that an output has rejected.
package redeliver

import (
	"context"
	"errors"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// Batched is service.AutoRetryNacksBatched, except that a batch comes again whole. By itself that one sends only the messages again that
// failed; but when some of these fail once more, it takes others for them (benthos v4.78.0), and the failed ones are lost.
func Batched(in service.BatchInput) service.BatchInput {
	return whole{service.AutoRetryNacksBatched(in)}
}

type whole struct{ service.BatchInput }

func (w whole) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	batch, acknowledge, err := w.BatchInput.ReadBatch(ctx)
	if err != nil {
		return nil, nil, err
	}
	return batch, func(ctx context.Context, err error) error {
		if err != nil {
			err = errors.New(err.Error()) // which no longer tells the messages of the batch apart
		}
		return acknowledge(ctx, err)
	}, nil
}
