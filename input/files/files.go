// Package files holds the input deepcase_files, which reads files, oldest first.
package files

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/redeliver"
)

func init() {
	service.MustRegisterBatchInput("deepcase_files", spec(), redeliver.Constructor(newFromParsed))
}

// maxBatchBytes is the size at which a batch takes no further messages.
const maxBatchBytes = 16 << 20

// input is the input deepcase_files.
type input struct {
	reading reading
	size    int // messages in a batch

	log      *service.Logger
	files    *service.MetricCounter // by outcome
	messages *service.MetricCounter // by outcome

	closing context.Context // ends with Close
	close   context.CancelFunc

	mu    sync.Mutex
	paths []string // to be read
	file  *file    // that is being read; nil: none is open
	here  struct { // what came of file
		messages, refused int
		failed            bool
	}
	all count
}

// count counts files and messages.
type count struct{ files, failed, messages, refused int }

func (i *input) Connect(context.Context) error { return nil }

func (i *input) ReadBatch(ctx context.Context) (service.MessageBatch, service.AckFunc, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(i.closing, cancel)()
	before := i.all
	batch, err := i.batch(ctx)
	if err != nil {
		return nil, nil, err
	}
	refused := int64(i.all.refused - before.refused)
	i.messages.Incr(int64(len(batch))-refused, outcomeRead)
	i.messages.Incr(refused, outcomeRefused)
	return batch, func(_ context.Context, err error) error {
		if err != nil { // what redelivers gives none
			i.log.Errorf("An output rejected a batch, and its %d messages are lost: %v", len(batch), err)
		}
		return nil
	}, nil
}

// batch reads until the batch is full, a stream has nothing more for now, or all files are read.
func (i *input) batch(ctx context.Context) (batch service.MessageBatch, err error) {
	for size := 0; len(batch) < i.size && size < maxBatchBytes; {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if i.file == nil {
			if len(i.paths) == 0 {
				break
			}
			if len(batch) > 0 && isStream(i.paths[0]) {
				return batch, nil
			}
			path := i.paths[0]
			if i.file, err = open(ctx, path, i.reading); ctx.Err() != nil {
				return nil, ctx.Err()
			}
			i.paths = i.paths[1:]
			if err != nil {
				batch = append(batch, i.message(path, piece{err: err, last: true}))
				i.finish(path)
				continue
			}
		}
		f := i.file
		taken := f.text.done
		p, err := f.read(ctx, len(batch) == 0)
		size += f.text.done - taken
		switch {
		case err == nil:
			if batch = append(batch, i.message(f.path, p)); p.last {
				i.finish(f.path)
			}
		case err == io.EOF:
			i.finish(f.path)
		case len(batch) > 0:
			return batch, nil
		default:
			return nil, err
		}
	}
	if len(batch) > 0 {
		return batch, nil
	}
	i.end()
	return nil, service.ErrEndOfInput
}

// message makes a message from a piece of a file, and counts it.
func (i *input) message(path string, p piece) *service.Message {
	if p.err != nil {
		p.content = i.reading.encoding.Escape(p.content)
	}
	m := service.NewMessage(p.content)
	if p.row != nil {
		m.SetStructuredMut(p.row)
	}
	m.MetaSetMut("path", path)
	m.MetaSetMut("line", p.line)
	i.here.messages++
	i.all.messages++
	if p.err == nil {
		return m
	}
	err := fmt.Errorf("%s:%d: %w", path, p.line, p.err)
	if p.line == 0 {
		err = p.err
	}
	m.SetError(err)
	i.here.refused++
	i.all.refused++
	switch {
	case p.last:
		i.here.failed = true
		i.log.Errorf("%v. Nothing more is read of this file", err)
	case i.here.refused == 1:
		i.log.Warnf("%v (further ones of this file are only counted)", err)
	}
	return m
}

// finish closes the file.
func (i *input) finish(path string) {
	if i.file != nil {
		_ = i.file.Close()
		i.file = nil
	}
	outcome := outcomeRead
	if i.here.failed {
		outcome = outcomeFailed
		i.all.failed++
	}
	i.files.Incr(1, outcome)
	i.all.files++
	switch {
	case i.here.messages == 0:
		i.log.Warnf("%s is empty", path)
	case i.here.refused > 1:
		i.log.Warnf("%s: %d of %d messages are flagged with an error", path, i.here.refused, i.here.messages)
	}
	i.here.messages, i.here.refused, i.here.failed = 0, 0, false
}

// end logs the totals of all files, once.
func (i *input) end() {
	all := i.all
	i.all = count{}
	say := i.log.Infof
	switch {
	case all.files == 0:
		return
	case all.refused > 0:
		say = i.log.Errorf
	}
	say("Files read: %d, of which %d failed; messages: %d, of which %d are flagged with an error", all.files, all.failed, all.messages, all.refused)
}

func (i *input) Close(context.Context) error {
	i.close()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.file != nil {
		_ = i.file.Close()
		i.file = nil
	}
	i.paths = nil
	i.end()
	return nil
}
