package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// bounds say which entries are removed.
type bounds struct {
	ttl      time.Duration // 0: none expires
	maxBytes int64         // 0: no bound
	now      func() time.Time

	bytes    atomic.Int64 // on disk, as of the last sweep and what was written since
	sweeping sync.Mutex
	swept    atomic.Int64 // when the last sweep began, in Unix nanoseconds

	held    *service.MetricGauge
	removed *service.MetricCounter
	log     *service.Logger
	told    atomic.Bool
}

func newBounds(ttl time.Duration, maxBytes int64, mgr *service.Resources) *bounds {
	b := &bounds{
		ttl:      ttl,
		maxBytes: maxBytes,
		now:      time.Now,
		held:     mgr.Metrics().NewGauge("deepcase_file_bytes"),
		removed:  mgr.Metrics().NewCounter("deepcase_file_removed", "reason"),
		log:      mgr.Logger(),
	}
	b.removed.Incr(0, "expired")
	b.removed.Incr(0, "full")
	return b
}

func (b *bounds) expired(info fs.FileInfo) bool {
	return b.ttl > 0 && b.now().Sub(info.ModTime()) > b.ttl
}

// sweepsPerTTL is how often within the TTL expired entries are looked for.
const sweepsPerTTL = 8

// due says whether there may be something to remove.
func (b *bounds) due() bool {
	return b.maxBytes > 0 && b.bytes.Load() > b.maxBytes || b.ttl > 0 && b.now().UnixNano()-b.swept.Load() > int64(b.ttl)/sweepsPerTTL
}

// onDisk is what a file of so many bytes takes.
func onDisk(size int64) int64 { return max(1, (size+4095)/4096) * 4096 }

// written counts a value that has taken the place of a file, nil where there was none, and removes what is too old or too much.
func (f *files) written(before fs.FileInfo, size int64) error {
	b := f.bounds
	b.bytes.Add(onDisk(size))
	if before != nil {
		b.bytes.Add(-onDisk(before.Size()))
	}
	if !b.due() {
		return nil
	}
	b.sweeping.Lock() // all wait: else they would write more meanwhile than is removed
	defer b.sweeping.Unlock()
	if !b.due() {
		return nil
	}
	return f.sweep()
}

// sweep removes the entries that are too old, and the oldest beyond the bound.
func (f *files) sweep() error {
	b := f.bounds
	b.swept.Store(b.now().UnixNano())
	before := b.bytes.Load()
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	var kept []fs.FileInfo
	var bytes int64
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return err
		}
		if b.expired(info) {
			if err := f.drop(info.Name(), info.ModTime()); err != nil {
				return err
			}
			b.removed.Incr(1, "expired")
			continue
		}
		kept, bytes = append(kept, info), bytes+onDisk(info.Size())
	}
	if b.maxBytes > 0 && bytes > b.maxBytes {
		if !b.told.Swap(true) {
			b.log.Warnf("The directory %s has %d files of %d bytes on disk, more than %s (%d): those written longest ago are removed. "+
				"Look whether someone invents names of machines; if all are real, raise it (further ones are only counted)",
				f.dir, len(kept), bytes, fieldMaxBytes, b.maxBytes)
		}
		slices.SortFunc(kept, func(x, y fs.FileInfo) int { return x.ModTime().Compare(y.ModTime()) })
		for len(kept) > 1 && bytes > b.maxBytes-b.maxBytes/10 { // not one by one, or each write would look at all files
			if err := f.drop(kept[0].Name(), kept[0].ModTime()); err != nil {
				return err
			}
			b.removed.Incr(1, "full")
			bytes, kept = bytes-onDisk(kept[0].Size()), kept[1:]
		}
	}
	b.bytes.Add(bytes - before) // what was written meanwhile may count twice, until the next sweep
	b.held.Set(bytes)
	return nil
}

// drop removes an entry, unless it was written since. What another process writes meanwhile stays: the file is looked at under a name that
// nobody else knows, and goes back where it has changed and nothing newer is in its place.
func (f *files) drop(name string, seen time.Time) error {
	path, aside := filepath.Join(f.dir, name), scratchPath(f.dir)
	err := os.Rename(path, aside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	info, err := os.Lstat(aside)
	if err == nil && !info.ModTime().Equal(seen) {
		if err = os.Link(aside, path); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	return errors.Join(err, os.Remove(aside))
}
