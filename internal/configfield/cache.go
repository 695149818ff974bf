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
	return &Cache{label, func(ctx context.Context, f func(service.Cache)) error { return mgr.AccessCache(ctx, label, f) }}, nil
}
