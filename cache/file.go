// Package cache holds the cache deepcase_file.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/configfield"
	"connect-deepcase/internal/disk"
)

const fieldDirectory = "directory"

var (
	fieldTTL      = configfield.DurationFrom0("ttl")
	fieldMaxBytes = configfield.IntAtLeast("max_bytes", 0)
)

func fileSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Stable().
		Version("0.1.0").
		Categories("DeepCASE").
		Summary("Keeps each entry in a file that stays whole whenever the process is killed: for the windows of `deepcase_sequence` and the cursor of `deepcase_search`.").
		Description(`
Benthos' own `+"`file`"+` cache writes in place, so a process that is killed while writing leaves a file that is empty or cut off.

== Guarantees

Whatever kills the process, and however many processes share the directory, an entry has the complete value that was written last or the one before it. If several processes `+"`add`"+` the same key, one succeeds.

A write returns when it is on disk. So it survives a power failure if the disk keeps what it has confirmed, except on Windows. The disk has to confirm twice, but writes at the same time wait for it together. On Linux with ext4 or XFS, more than eight at a time are flushed by flushing the file system: if other programs write much to it, these writes wait for that, too. `+"`deepcase_sequence`"+` writes the window of each machine once per batch, so larger batches need fewer writes.

== What is removed

The directory holds many small files, one per entry. Files that were not written for `+"`ttl`"+` are removed. If all files take more than `+"`max_bytes`"+`, those written longest ago are removed until a tenth of `+"`max_bytes`"+` is free; the log says so the first time. `+"`deepcase_sequence`"+` writes a window whenever its machine has events, and `+"`deepcase_search`"+` writes its cursor whenever it has read. So the entries of silent machines are removed first. A flood of invented machines fills the directory with windows of its own, but stays within `+"`max_bytes`"+`. If the disk has less space than the default, set `+"`max_bytes`"+` to less than what is free.

All files of the directory count, whoever wrote them. If a cursor is removed, its pipeline reads from the beginning. So if a pipeline may pause for longer than `+"`ttl`"+`, give cursors a directory of their own. The TTL of a single write is ignored, as in `+"`file`"+`. You can delete files at any time.

== Metrics

- `+"`deepcase_file_bytes`"+` (gauge): disk space that the files took when last checked
- `+"`deepcase_file_removed`"+` (counter, label `+"`reason`: `expired` or `full`"+`)

== Files

A key of up to 200 letters, digits and `+"`-_.~%+`"+` that does not begin with a dot is the name of its file. The cache `+"`file`"+` uses the same names, so its directories can be used here. The file of any other key is named `+"`=`"+` and the SHA-256 of the key in hexadecimal. If the file system ignores case, this also holds for keys with capitals, names such as `+"`nul`"+`, and names that end with a dot; entries that an earlier version wrote under such names are not found, and start again once.

On Linux, a file that was replaced is kept for the next writes under a name `+"`.deepcase_file-…`"+`: up to 4096 such files of up to 16 KiB, which `+"`max_bytes`"+` does not count. A stop removes them. A process that is killed leaves them. The next start removes such files if they are older than a minute. An entry has at most 64 MiB. `+"`add`"+` needs a file system with hard links.`).
		Fields(
			service.NewStringField(fieldDirectory).
				Description("The directory of the files. It is created if it does not exist."),
			fieldTTL.Field().
				Description("Entries that were not written for this long are removed. For windows, use at least the `timeout` of `deepcase_sequence` plus the longest outage. 0 keeps them.").
				Example("168h").
				Default("0s"),
			fieldMaxBytes.Field().
				Description("Bytes that the files may take on disk; each takes at least 4096. A window has about 15 bytes per event, and a machine may have two windows. 0 means no limit.").
				Default(10<<30),
		).
		Example("Cursor and windows of one process", "Both survive a restart, a kill and a power failure.", `
input:
  deepcase_search:
    urls: [ http://127.0.0.1:9200 ]
    index: alerts-*
    mode: follow
    cache: state
    batch_size: 500
    max_in_flight: 4

pipeline:
  threads: 1 # contexts depend on the order of events
  processors:
    - deepcase_sequence:
        machine: ${! json("host.name") }
        event: ${! json("rule.name") }
        timestamp: ${! json("@timestamp") }
        id: ${! meta("search_index") }/${! meta("search_id") }
        late: 2000
        cache: state

cache_resources:
  - label: state
    deepcase_file:
      directory: /var/lib/deepcase/state
`)
}

func init() {
	service.MustRegisterCache("deepcase_file", fileSpec(), func(conf *service.ParsedConfig, mgr *service.Resources) (service.Cache, error) {
		dir, err := conf.FieldString(fieldDirectory)
		if err != nil {
			return nil, err
		}
		ttl, err := fieldTTL.Parse(conf)
		if err != nil {
			return nil, err
		}
		maxBytes, err := fieldMaxBytes.Parse(conf)
		if err != nil {
			return nil, err
		}
		return newFiles(dir, newBounds(ttl, int64(maxBytes), mgr))
	})
}

const (
	// scratch is the prefix of files that are being written. No name of an entry begins with a dot.
	scratch = ".deepcase_file-"
	// abandoned is the age from which such a file has no writer. If its writer was only slow, it gets an error and may try again.
	abandoned = time.Minute
	// maxEntry is the most bytes of an entry, so that a read does not fill the memory.
	maxEntry = 64 << 20
)

// files is a directory of entries. A value is written to a file of its own first, which is then renamed.
type files struct {
	dir    string
	folds  bool // the file system takes upper and lower case for the same
	bounds *bounds
	spares spares
	syncs  gather[*os.File] // flushes files
	dirs   gather[string]   // flushes the directory
	whole  *os.File         // the directory, if many files are flushed by flushing the file system; or nil
}

func newFiles(dir string, b *bounds) (*files, error) {
	if dir == "" {
		return nil, fmt.Errorf("field '%s' is empty", fieldDirectory)
	}
	if err := disk.MakeDir(dir); err != nil {
		return nil, fmt.Errorf("field '%s': %w", fieldDirectory, err)
	}
	f := &files{dir: dir, folds: folds(dir), bounds: b}
	if err := f.clean(); err != nil {
		return nil, fmt.Errorf("field '%s': %w", fieldDirectory, err)
	}
	if err := f.sweep(); err != nil {
		return nil, fmt.Errorf("field '%s': %w", fieldDirectory, err)
	}
	if disk.CanSyncAll(dir) {
		var err error
		if f.whole, err = os.Open(dir); err != nil {
			return nil, fmt.Errorf("field '%s': %w", fieldDirectory, err)
		}
	}
	return f, nil
}

// folds reports whether a file can be opened by its name in capitals. If no file can be written, the answer is false.
func folds(dir string) bool {
	path := scratchPath(dir) + "a"
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false
	}
	defer os.Remove(path)
	defer file.Close()
	_, err = os.Lstat(strings.TrimSuffix(path, "a") + "A")
	return err == nil
}

func scratchPath(dir string) string {
	return filepath.Join(dir, fmt.Sprintf("%s%016x", scratch, rand.Uint64()))
}

// clean removes the files that killed writers left.
func (f *files) clean() error {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), scratch) {
			continue
		}
		info, err := e.Info()
		if err == nil && time.Since(info.ModTime()) > abandoned {
			err = os.Remove(filepath.Join(f.dir, e.Name()))
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // its writer, or another one that cleans, was faster
			return err
		}
	}
	return nil
}

func (f *files) Get(_ context.Context, key string) ([]byte, error) {
	for range maxReads {
		value, whole, err := f.read(key)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, service.ErrKeyNotFound
		} else if err != nil || whole {
			return value, err
		}
	}
	return nil, fmt.Errorf("entry %q: %d times, it was written while it was read: look who writes it", key, maxReads)
}

// maxReads is how often an entry is read that is written meanwhile.
const maxReads = 1000

// read reads an entry. It is whole if its file was the entry before and after, with the same date: a file that was replaced is written again.
func (f *files) read(key string) (value []byte, whole bool, err error) {
	path := f.path(key)
	file, info, err := disk.Open(path)
	if err != nil {
		return nil, false, err
	}
	defer file.Close()
	before, err := os.Stat(path)
	if err != nil || !os.SameFile(info, before) {
		return nil, false, err
	}
	if f.bounds.expired(before) {
		return nil, false, fs.ErrNotExist
	}
	if before.Size() > maxEntry { // not what Set wrote: a sparse file that somebody put there, say
		return nil, false, fmt.Errorf("entry %q: file %s has %d bytes, need at most %d: remove it", key, path, before.Size(), maxEntry)
	}
	value = make([]byte, before.Size())
	if _, err := io.ReadFull(file, value); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) { // cut off meanwhile
			return nil, false, nil
		}
		return nil, false, err
	}
	after, err := os.Stat(path)
	return value, err == nil && os.SameFile(info, after) && after.ModTime().Equal(before.ModTime()) && after.Size() == before.Size(), err
}

func (f *files) Set(_ context.Context, key string, value []byte, _ *time.Duration) error {
	return f.write(key, value, false)
}

func (f *files) Add(_ context.Context, key string, value []byte, _ *time.Duration) error {
	if info, err := os.Lstat(f.path(key)); err == nil && f.bounds.expired(info) {
		if err := f.drop(filepath.Base(f.path(key)), info.ModTime()); err != nil {
			return err
		}
	}
	err := f.write(key, value, true)
	if errors.Is(err, fs.ErrExist) {
		err = service.ErrKeyAlreadyExists
	}
	return err
}

// write writes the value to its file. With isNew, an existing file is an error.
func (f *files) write(key string, value []byte, isNew bool) error {
	if len(value) > maxEntry {
		return fmt.Errorf("entry %q: %d bytes, need at most %d", key, len(value), maxEntry)
	}
	path := f.path(key)
	before, _ := os.Lstat(path)
	var err error
	if isNew {
		err = disk.WriteFile(path, disk.Options{Temporary: scratchPath(f.dir), Perm: 0o644, New: true}, value)
	} else {
		err = f.replace(path, before, value)
	}
	if err != nil {
		return err
	}
	return f.written(before, int64(len(value)))
}

func (f *files) Delete(_ context.Context, key string) error {
	err := os.Remove(f.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return service.ErrKeyNotFound
	}
	if err != nil {
		return err
	}
	return disk.SyncDir(f.dir)
}

func (f *files) Close(context.Context) error {
	err := f.spares.close()
	if f.whole != nil {
		err = errors.Join(err, f.whole.Close())
	}
	return err
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_~%+-][A-Za-z0-9_.~%+-]{0,199}$`)

// unsafe matches plain names that, on a file system that ignores case, may name another file or none.
var unsafe = regexp.MustCompile(`[A-Z]|\.$|^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`)

// path is the file of a key. If the key is a plain name, it is the same file as in Benthos' cache "file", whose directories can be used. No plain
// name begins like a hash.
func (f *files) path(key string) string {
	if !plain.MatchString(key) || f.folds && unsafe.MatchString(key) {
		sum := sha256.Sum256([]byte(key))
		key = "=" + hex.EncodeToString(sum[:])
	}
	return filepath.Join(f.dir, key)
}
