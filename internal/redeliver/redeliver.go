// Package redeliver sends batches again that an output has rejected.
package redeliver

import (
	"context"
	"errors"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// Field is auto_replay_nacks: an input that has it sends rejected batches again unless it is false.
func Field() *service.ConfigField { return service.NewAutoRetryNacksToggleField() }

// Constructor is construct, except that the input sends rejected batches again: always, unless its spec has Field.
func Constructor[I service.BatchInput](construct func(*service.ParsedConfig, *service.Resources) (I, error)) service.BatchInputConstructor {
	return func(conf *service.ParsedConfig, mgr *service.Resources) (service.BatchInput, error) {
		again := true
		if conf.Contains(service.AutoRetryNacksToggleFieldName) {
			var err error
			if again, err = conf.FieldBool(service.AutoRetryNacksToggleFieldName); err != nil {
				return nil, err
			}
		}
		in, err := construct(conf, mgr)
		if err != nil {
			return nil, err
		}
		if !again {
			return in, nil
		}
		return whole{service.AutoRetryNacksBatched(in)}, nil
	}
}

// whole sends a batch again as a whole. By itself, service.AutoRetryNacksBatched sends only those messages again that failed. But if some
// of these fail once more, it mistakes others for them (benthos v4.78.0), and the failed ones are lost.
type whole struct{ service.BatchInput }

func (w whole) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	batch, acknowledge, err := w.BatchInput.ReadBatch(ctx)
	if err != nil {
		return nil, nil, err
	}
	return batch, func(ctx context.Context, err error) error {
		if err != nil {
			err = errors.New(err.Error()) // without the errors of single messages
		}
		return acknowledge(ctx, err)
	}, nil
}
