package configfield

import (
	"context"
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// FieldCache is the name of CacheField, for messages.
const FieldCache = "cache"

// Cache is a cache resource that a config names by its label.
type Cache struct {
	Label string
	// Access calls f with the cache.
	Access func(ctx context.Context, f func(service.Cache)) error
	// Batched is the same cache, if it offers more than Benthos asks of caches, or else nil. It may be used while Access runs.
	Batched func() Batched
}

// Batched is a cache that reads and writes many entries at once. There is an error for each entry, or no errors at all.
type Batched interface {
	// GetAll gives the values of keys, nil for those that have none.
	GetAll(keys []string) (values [][]byte, errs []error)
	// SetAll returns when all values are written for which there is no error.
	SetAll(keys []string, values [][]byte) (errs []error)
}

// batchedLabel is the key of a Batched among the values that components share, which are of the same manager as cache resources with their labels.
type batchedLabel string

// OfferBatched makes a cache resource known as Batched to those that name it, until withdraw is called.
func OfferBatched(mgr *service.Resources, b Batched) (withdraw func()) {
	label := batchedLabel(mgr.Label())
	mgr.SetGeneric(label, b)
	return func() { mgr.SetGeneric(label, nil) }
}

// CacheField names a cache resource, or none; ParseCache reads it.
func CacheField() *service.ConfigField { return service.NewStringField(FieldCache).Default("") }

// ParseCache is the cache that CacheField names, nil if it is empty. A label that no cache resource has is an error.
func ParseCache(conf *service.ParsedConfig, mgr *service.Resources) (*Cache, error) {
	label, err := conf.FieldString(FieldCache)
	if err != nil || label == "" {
		return nil, err
	}
	if !mgr.HasCache(label) {
		return nil, fmt.Errorf("field '%s': no cache resource has the label %q", FieldCache, label)
	}
	return &Cache{
		Label:  label,
		Access: func(ctx context.Context, f func(service.Cache)) error { return mgr.AccessCache(ctx, label, f) },
		Batched: func() Batched {
			offered, _ := mgr.GetGeneric(batchedLabel(label))
			b, _ := offered.(Batched)
			return b
		},
	}, nil
}
