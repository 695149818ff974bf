package search

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/Jeffail/checkpoint"
	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/configfield"
)

// cursorKeeper keeps in a cache how far reading has been acknowledged. Batches may be acknowledged out of order: the cursor moves behind a
// batch once it and all batches before it are acknowledged.
type cursorKeeper struct {
	cache    *configfield.Cache
	key      string
	order    order
	timeout  time.Duration
	failures *service.MetricCounter
	log      *service.Logger

	mu      sync.Mutex
	open    *checkpoint.Uncapped[position]
	written *position
}

func newCursorKeeper(conf *service.ParsedConfig, mgr *service.Resources, timeout time.Duration) (*cursorKeeper, error) {
	cache, err := configfield.ParseCache(conf, mgr)
	if err != nil || cache == nil {
		return nil, err
	}
	k := &cursorKeeper{
		cache:    cache,
		timeout:  timeout,
		failures: mgr.Metrics().NewCounter("deepcase_search_cursor_failures"),
		log:      mgr.Logger().With("cache", cache.Label),
		open:     checkpoint.NewUncapped[position](),
	}
	k.failures.Incr(0)
	k.key, err = conf.FieldString(fieldCacheKey)
	return k, err
}

// load gives the position that an earlier run wrote, or the beginning if there is none.
func (k *cursorKeeper) load(ctx context.Context) (p position, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cache %q, key %q: %w", k.cache.Label, k.key, err)
		}
	}()
	var b []byte
	var inner error
	if err := k.cache.Access(ctx, func(c service.Cache) { b, inner = c.Get(ctx, k.key) }); err != nil {
		return p, err
	}
	if errors.Is(inner, service.ErrKeyNotFound) {
		return p, nil
	}
	if inner != nil {
		return p, inner
	}
	return decodeCursor(k.order, b)
}

// track notes the position behind a batch that is sent now. The function that it gives must be called when the batch is acknowledged.
func (k *cursorKeeper) track(behind position) func(context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	resolve := k.open.Track(behind, 1)
	return func(ctx context.Context) {
		k.mu.Lock()
		defer k.mu.Unlock()
		resolve()
		k.flush(ctx)
	}
}

// close writes the cursor if that failed before.
func (k *cursorKeeper) close(ctx context.Context) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.flush(ctx)
}

func (k *cursorKeeper) flush(ctx context.Context) {
	reached := k.open.Highest()
	if reached == nil || reached == k.written {
		return
	}
	// The acknowledgement waits for this, so there is one attempt. The next acknowledgement makes the next one.
	ctx, cancel := context.WithTimeout(ctx, k.timeout)
	defer cancel()
	if err := k.write(ctx, *reached); err != nil {
		k.failures.Incr(1)
		k.log.Errorf("The cursor was not written, so that some documents would come again after a restart: %v", err)
		return
	}
	k.written = reached
}

func (k *cursorKeeper) write(ctx context.Context, p position) error {
	b, err := encodeCursor(k.order, p)
	if err != nil {
		return err
	}
	var inner error
	if err := k.cache.Access(ctx, func(c service.Cache) { inner = c.Set(ctx, k.key, b, nil) }); err != nil {
		return err
	}
	return inner
}
