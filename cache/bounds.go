package cache

import (
	"errors"
	"io"
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

// bounds decides which entries are removed.
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

func (b *bounds) expired(written time.Time) bool {
	return b.ttl > 0 && b.now().Sub(written) > b.ttl
}

// sweepsPerTTL is how many times per TTL expired entries are looked for.
const sweepsPerTTL = 8

// due reports whether there may be something to remove.
func (b *bounds) due() bool {
	return b.maxBytes > 0 && b.bytes.Load() > b.maxBytes || b.ttl > 0 && b.now().UnixNano()-b.swept.Load() > int64(b.ttl)/sweepsPerTTL
}

// onDisk is the disk space that a file of so many bytes takes.
func onDisk(size int64) int64 { return max(1, (size+4095)/4096) * 4096 }

// add counts a file that was written in place of another one (nil if there was none).
func (b *bounds) add(before fs.FileInfo, size int64) {
	b.bytes.Add(onDisk(size))
	if before != nil {
		b.bytes.Add(-onDisk(before.Size()))
	}
}

// keepBounds removes entries that are too old or too many, if there may be some. It is called after each write, without the directory's lock.
func (f *files) keepBounds() error {
	b := f.bounds
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

// written is when an entry was written, whose file has this information.
func (f *files) written(name string, info fs.FileInfo) time.Time {
	if at, ok := f.log.counting(name, info); ok {
		return time.Unix(0, at.written)
	}
	return info.ModTime()
}

// entry is what a sweep keeps in memory of a file: there may be millions.
type entry struct {
	name    string
	written time.Time
	bytes   int64 // on disk
}

// sweep removes the entries that are too old, and the oldest beyond the bound.
func (f *files) sweep() error {
	b := f.bounds
	b.swept.Store(b.now().UnixNano())
	before := b.bytes.Load()
	if f.logs {
		if err := f.log.catchUp(); err != nil {
			return err
		}
	}
	kept, expired, err := f.entries()
	if err != nil {
		return err
	}
	if err := f.remove(expired, "expired"); err != nil {
		return err
	}
	var bytes int64
	for _, e := range kept {
		bytes += e.bytes
	}
	if b.maxBytes > 0 && bytes > b.maxBytes {
		if !b.told.Swap(true) {
			b.log.Warnf("The directory %s has %d files of %d bytes on disk, more than %s (%d): those written longest ago are removed. "+
				"Look whether someone invents names of machines; if all are real, raise it (further ones are only counted)",
				f.dir, len(kept), bytes, fieldMaxBytes, b.maxBytes)
		}
		slices.SortFunc(kept, func(x, y entry) int { return x.written.Compare(y.written) })
		n := 0
		for ; n < len(kept)-1 && bytes > b.maxBytes-b.maxBytes/10; n++ { // not one by one, or each write would look at all files
			bytes -= kept[n].bytes
		}
		if err := f.remove(kept[:n], "full"); err != nil {
			return err
		}
	}
	b.bytes.Add(bytes - before) // what was written meanwhile may count twice, until the next sweep
	b.held.Set(bytes)
	return nil
}

// entries lists the files of the directory: those to keep and those that are too old.
func (f *files) entries() (kept, expired []entry, err error) {
	dir, err := os.Open(f.dir)
	if err != nil {
		return nil, nil, err
	}
	defer dir.Close()
	for {
		some, err := dir.ReadDir(1000)
		if err == io.EOF {
			return kept, expired, nil
		} else if err != nil {
			return nil, nil, err
		}
		for _, e := range some {
			if strings.HasPrefix(e.Name(), ".") || !e.Type().IsRegular() {
				continue
			}
			info, err := e.Info()
			if errors.Is(err, fs.ErrNotExist) {
				continue
			} else if err != nil {
				return nil, nil, err
			}
			found := entry{info.Name(), f.written(info.Name(), info), onDisk(info.Size())}
			if f.bounds.expired(found.written) {
				expired = append(expired, found)
			} else {
				kept = append(kept, found)
			}
		}
	}
}

// remove drops entries and counts them under a reason.
func (f *files) remove(entries []entry, reason string) error {
	for _, e := range entries {
		if err := f.drop(e.name, e.written); err != nil {
			return err
		}
		f.bounds.removed.Incr(1, reason)
	}
	return nil
}

// drop removes an entry, unless another process has written it since it was seen.
func (f *files) drop(name string, seen time.Time) error {
	return f.locked(func() error { return f.dropLocked(name, seen) })
}

// dropLocked is drop for who has the directory's lock. Not all who write have to ask for it. To look at the file safely, it is renamed to a name that
// nobody else knows. If it has changed, and there is no newer one in its place, it is put back.
func (f *files) dropLocked(name string, seen time.Time) error {
	path, aside := filepath.Join(f.dir, name), scratchPath(f.dir)
	err := os.Rename(path, aside)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	info, err := os.Lstat(aside)
	if err == nil && !f.written(name, info).Equal(seen) {
		if err = os.Link(aside, path); errors.Is(err, fs.ErrExist) {
			err = nil
		}
	}
	return errors.Join(err, os.Remove(aside))
}
