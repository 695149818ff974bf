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
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/disk"
)

const fieldDirectory = "directory"

func fileSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Stable().
		Version("0.1.0").
		Categories("DeepCASE").
		Summary("Keeps each entry in a file, whole whenever the process is killed: for the windows of `deepcase_sequence` and the cursor of `deepcase_search`.").
		Description(`
Benthos' own `+"`file`"+` cache writes in place: a process that is killed meanwhile leaves a file that is empty or cut off.

== Guarantees

Whatever kills the process, and however many processes share the directory: an entry has the value that was written last or the one before it, whole. `+"`add`"+` succeeds for one of several that try.

What was written is on disk before the write returns, so that it survives a power failure, too, as far as the disk keeps what it has confirmed. Writes therefore take as long as the disk needs to confirm twice. `+"`deepcase_sequence`"+` writes the window of each machine once a batch: larger batches need fewer writes.

Entries do not expire: a TTL is ignored, as by `+"`file`"+`. The directory may hold many small files, one an entry; those that are not wanted any more can be deleted at any time.

== Files

A key of up to 200 letters, digits and `+"`-_.~%+`"+` that does not begin with a dot is the name of its file, as with `+"`file`"+`, whose directories can be used on. Any other key is hashed: `+"`=`"+` and its SHA-256 in hexadecimal. Where the file system takes upper and lower case for the same, so does the cache.

A process that is killed while it writes leaves a file `+"`.deepcase_file-…`"+`. The next start removes those older than a minute. Adding needs a file system with hard links.`).
		Field(service.NewStringField(fieldDirectory).
			Description("Where the files are. It is made where missing.")).
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
	service.MustRegisterCache("deepcase_file", fileSpec(), func(conf *service.ParsedConfig, _ *service.Resources) (service.Cache, error) {
		dir, err := conf.FieldString(fieldDirectory)
		if err != nil {
			return nil, err
		}
		return newFiles(dir)
	})
}

const (
	// scratch begins the names of files that are being written. No entry's name begins with a dot.
	scratch = ".deepcase_file-"
	// abandoned is the age from which on such a file has no writer. One that was only that slow gets an error and may try again.
	abandoned = time.Minute
)

// files is a directory of entries. A value is written to a file of its own first, which then takes the entry's name.
type files struct{ dir string }

func newFiles(dir string) (*files, error) {
	if dir == "" {
		return nil, fmt.Errorf("field '%s' is empty", fieldDirectory)
	}
	if err := disk.MakeDir(dir); err != nil {
		return nil, fmt.Errorf("field '%s': %w", fieldDirectory, err)
	}
	f := &files{dir}
	if err := f.clean(); err != nil {
		return nil, fmt.Errorf("field '%s': %w", fieldDirectory, err)
	}
	return f, nil
}

// clean removes what killed writers left behind.
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
	data, err := os.ReadFile(f.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, service.ErrKeyNotFound
	}
	return data, err
}

func (f *files) Set(_ context.Context, key string, value []byte, _ *time.Duration) error {
	return f.write(value, func(temporary string) error { return os.Rename(temporary, f.path(key)) })
}

// Add links the file: unlike a rename that replaces nothing.
func (f *files) Add(_ context.Context, key string, value []byte, _ *time.Duration) error {
	return f.write(value, func(temporary string) error {
		err := os.Link(temporary, f.path(key))
		if errors.Is(err, fs.ErrExist) {
			err = service.ErrKeyAlreadyExists
		}
		return err
	})
}

// write gives the value to place in a file, and makes durable what place does with it.
func (f *files) write(value []byte, place func(temporary string) error) (err error) {
	temporary := filepath.Join(f.dir, fmt.Sprintf("%s%016x", scratch, rand.Uint64()))
	file, err := os.OpenFile(temporary, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer os.Remove(temporary) // gone already after a rename
	_, err = file.Write(value)
	if err == nil {
		err = file.Sync()
	}
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	if err := place(temporary); err != nil {
		return err
	}
	return disk.SyncDir(f.dir)
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

func (f *files) Close(context.Context) error { return nil }

var plain = regexp.MustCompile(`^[A-Za-z0-9_~%+-][A-Za-z0-9_.~%+-]{0,199}$`)

// path is the file of a key: the same as in Benthos' cache "file" where the key is a plain name, so that its directories can be used on.
// No plain name begins like a hash.
func (f *files) path(key string) string {
	if !plain.MatchString(key) {
		sum := sha256.Sum256([]byte(key))
		key = "=" + hex.EncodeToString(sum[:])
	}
	return filepath.Join(f.dir, key)
}
