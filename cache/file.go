// Package cache holds the cache deepcase_file.
package cache

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
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
		Summary("Keeps entries in files that stay whole whenever the process is killed: for the windows of `deepcase_sequence` and the cursor of `deepcase_search`.").
		Description(`
Benthos' own `+"`file`"+` cache writes in place, so a process that is killed while writing leaves a file that is empty or cut off.

== Guarantees

Whatever kills the process, and however many processes share the directory, an entry has the complete value that was written last or the one before it. If several processes `+"`add`"+` the same key, one succeeds.

A write returns when it is on disk. So it survives a power failure if the disk keeps what it has confirmed, except on Windows. Writes at the same time wait for the disk together. `+"`deepcase_sequence`"+` and `+"`deepcase_case`"+` read and write all machines of a batch together (1,000 at a time), so larger batches need fewer writes. These accesses do not show in Benthos' own metrics of caches.

On Linux with ext4 or XFS, a new value of an entry that has a file goes to the log first, which is one file for all entries. One flush of the disk confirms all values that are written at the same time. That is several times as fast as writing each to its file. On other file systems, and for new entries, the disk has to confirm twice. With ext4 or XFS, more than eight files at a time are flushed by flushing the file system: if other programs write much to it, these writes wait for that, too.

== What is removed

The directory holds many small files, one per entry. Files that were not written for `+"`ttl`"+` are removed. If all files take more than `+"`max_bytes`"+`, those written longest ago are removed until a tenth of `+"`max_bytes`"+` is free; the log says so the first time. `+"`deepcase_sequence`"+` writes a window whenever its machine has events, and `+"`deepcase_search`"+` writes its cursor whenever it has read. So the entries of silent machines are removed first. A flood of invented machines fills the directory with windows of its own, but stays within `+"`max_bytes`"+`. If the disk has less space than the default, set `+"`max_bytes`"+` to less than what is free.

All files of the directory count, whoever wrote them. If a cursor is removed, its pipeline reads from the beginning. So if a pipeline may pause for longer than `+"`ttl`"+`, give cursors a directory of their own. The TTL of a single write is ignored, as in `+"`file`"+`. You can delete the file of an entry at any time: the entry is gone.

== Metrics

- `+"`deepcase_file_bytes`"+` (gauge): disk space that the files took when last checked
- `+"`deepcase_file_removed`"+` (counter, label `+"`reason`: `expired` or `full`"+`)

== Files

A key of up to 200 letters, digits and `+"`-_.~%+`"+` that does not begin with a dot is the name of its file. The cache `+"`file`"+` uses the same names, so its directories can be used here. The file of any other key is named `+"`=`"+` and the SHA-256 of the key in hexadecimal. If the file system ignores case, this also holds for keys with capitals, names such as `+"`nul`"+`, and names that end with a dot; entries that an earlier version wrote under such names are not found, and start again once.

The log is the file `+"`.deepcase_file.log`"+`. When it has 32 MiB, at the first write after a minute, at a stop and at a start, its values are written to the files of their entries, and it is removed. What is in it counts only for the file that the entry had then: if you change, restore or delete that file, your change counts. All processes that use the directory read and write the same log. While they write, they lock the directory (`+"`flock`"+`).

- Processes of an earlier version, which know no log, do not see what is in it. So do not run them beside this one on a directory: stop all, then update. To go back to an earlier version, stop all processes first: then all values are in the files. After a kill, start this version once more and stop it.
- A backup of a directory in use needs the log and the dates of the files (`+"`cp -a`, `rsync -a` and `tar`"+` keep them). Without them, entries have values that may be up to a minute older.
- Processes on several machines can share a directory if all reach it in the same way, such as by NFS: there is no log then. If one has the disk itself and others mount it over a network, they do not see each other's newest values.
- If bytes of the log are damaged on the disk, the entries concerned have the value that is in their file. The log of the process says so.

On Linux, a file that was replaced is kept for the next writes under a name `+"`.deepcase_file-…`"+`: up to 4096 such files of up to 16 KiB. `+"`max_bytes`"+` counts neither them nor the log. A stop removes them. A process that is killed leaves them. The next start removes such files if they are older than a minute. An entry has at most 64 MiB; values of more than 64 KiB are written to their files at once. `+"`add`"+` needs a file system with hard links.`).
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
		f, err := newFiles(dir, newBounds(ttl, int64(maxBytes), mgr))
		if err != nil {
			return nil, err
		}
		f.withdraw = configfield.OfferBatched(mgr, f)
		return f, nil
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

// files is a directory of entries. The value of an entry is in its file, or in the log if that has a newer one. A value is written to a file of its
// own first, which is then renamed.
type files struct {
	dir      string
	folds    bool // the file system takes upper and lower case for the same
	logs     bool // values are written to the log first
	log      *logFile
	changing sync.Mutex // held by who has the directory's lock
	lockWait time.Duration
	bounds   *bounds
	spares   spares
	sets     gather[[]*set]
	withdraw func()   // says to those that use it as Batched that it is closed; or nil
	whole    *os.File // the directory, if many files are flushed by flushing the file system; or nil
}

func newFiles(dir string, b *bounds) (*files, error) {
	if dir == "" {
		return nil, fmt.Errorf("field '%s' is empty", fieldDirectory)
	}
	if err := disk.MakeDir(dir); err != nil {
		return nil, fmt.Errorf("field '%s': %w", fieldDirectory, err)
	}
	f := &files{dir: dir, log: newLog(dir), lockWait: lockWait, bounds: b}
	if err := f.open(); err != nil {
		return nil, fmt.Errorf("field '%s': %w", fieldDirectory, err)
	}
	return f, nil
}

func (f *files) open() (err error) {
	var dates bool
	f.folds, dates = probe(f.dir)
	if disk.CanSyncAll(f.dir) {
		if f.whole, err = os.Open(f.dir); err != nil {
			return err
		}
		f.logs = dates
	}
	if err := f.locked(f.clean); err != nil { // locked: a file that fold writes may have an old date
		return err
	}
	if err := f.foldOld(); err != nil {
		return err
	}
	return f.sweep()
}

// probe reports whether a file can be opened by its name in capitals, and whether a file keeps its date exactly. If no file can be written, it says no.
func probe(dir string) (folds, dates bool) {
	path := scratchPath(dir) + "a"
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false, false
	}
	defer os.Remove(path)
	defer file.Close()
	_, err = os.Lstat(strings.TrimSuffix(path, "a") + "A")
	folds = err == nil
	date := time.Unix(1_600_000_001, 123_456_789)
	if os.Chtimes(path, time.Time{}, date) != nil {
		return folds, false
	}
	info, err := os.Lstat(path)
	return folds, err == nil && info.ModTime().Equal(date)
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

func (f *files) Set(_ context.Context, key string, value []byte, _ *time.Duration) error {
	if err := checkSize(key, value); err != nil {
		return err
	}
	s := &set{name: f.name(key), value: value}
	if err := errors.Join(f.sets.do([]*set{s}, f.setAll), s.err); err != nil {
		return err
	}
	return f.keepBounds()
}

func (f *files) Add(_ context.Context, key string, value []byte, _ *time.Duration) error {
	if err := checkSize(key, value); err != nil {
		return err
	}
	err := f.locked(func() error { return f.add(&set{name: f.name(key), value: value, written: f.bounds.now()}) })
	if errors.Is(err, fs.ErrExist) {
		return service.ErrKeyAlreadyExists
	} else if err != nil {
		return err
	}
	return f.keepBounds()
}

func checkSize(key string, value []byte) error {
	if len(value) > maxEntry {
		return fmt.Errorf("entry %q: %d bytes, need at most %d", key, len(value), maxEntry)
	}
	return nil
}

func (f *files) Delete(_ context.Context, key string) error {
	err := f.locked(func() error { return os.Remove(f.path(key)) })
	if errors.Is(err, fs.ErrNotExist) {
		return service.ErrKeyNotFound
	}
	if err != nil {
		return err
	}
	return disk.SyncDir(f.dir)
}

func (f *files) Close(context.Context) error {
	if f.withdraw != nil {
		f.withdraw()
	}
	err := f.foldOld()
	f.log.close()
	err = errors.Join(err, f.spares.close())
	if f.whole != nil {
		err = errors.Join(err, f.whole.Close())
	}
	return err
}

// maxName is the most bytes of the name of a file.
const maxName = 200

// plain says whether a key is the name of its file.
func plain(key string) bool {
	if key == "" || len(key) > maxName || key[0] == '.' {
		return false
	}
	for _, c := range []byte(key) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case strings.IndexByte("-_.~%+", c) >= 0:
		default:
			return false
		}
	}
	return true
}

var hashed = regexp.MustCompile(`^=[0-9a-f]{64}$`)

// unsafe matches plain names that, on a file system that ignores case, may name another file or none.
var unsafe = regexp.MustCompile(`[A-Z]|\.$|^(con|prn|aux|nul|com[0-9]|lpt[0-9])(\.|$)`)

// name is the name of the file of a key. If the key is a plain name, it is the same file as in Benthos' cache "file", whose directories can be used.
// No plain name begins like a hash.
func (f *files) name(key string) string {
	if !plain(key) || f.folds && unsafe.MatchString(key) {
		sum := sha256.Sum256([]byte(key))
		key = "=" + hex.EncodeToString(sum[:])
	}
	return key
}

func (f *files) path(key string) string { return filepath.Join(f.dir, f.name(key)) }

// isName says whether a file can be that of an entry.
func isName(name string) bool {
	return plain(name) || hashed.MatchString(name)
}
