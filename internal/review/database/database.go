// Package database opens the SQLite files of the review page. They have counts, examples, snoozes, and a copy of the decision journal: losing
// them loses no decision.
package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"github.com/gofrs/flock"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

// DB is the database of one process. Its methods may be called from several goroutines.
type DB struct {
	*File        // what people did: snoozes, closed cases, scores that wait, and the copy of the journal
	Alerts *File // what came in: a long write to it keeps no decision waiting
	lock   *flock.Flock
}

// File is a file of the database.
type File struct {
	writer  *sql.DB // one connection
	readers *sql.DB
	writing sync.Mutex
	path    string
	file    os.FileInfo // the one that is open

	prepared sync.Map // of *sql.Stmt, by query
}

// Migrations bring a file from each version to the next one. They are never changed: what comes later is appended.
var (
	alerts = []string{`
CREATE TABLE question (number INTEGER PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE pattern (number INTEGER PRIMARY KEY, question INTEGER NOT NULL, state BLOB NOT NULL);
CREATE INDEX pattern_question ON pattern (question);
CREATE TABLE document (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, machine TEXT NOT NULL, event TEXT NOT NULL, cut INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE cases (number INTEGER PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE hour (number INTEGER PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE sample (number INTEGER PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE total (number INTEGER PRIMARY KEY, state BLOB NOT NULL);
CREATE TABLE log (number INTEGER PRIMARY KEY, machine TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, alerts BLOB NOT NULL);
CREATE INDEX log_machine ON log (machine, first);
CREATE INDEX log_last ON log (last);
CREATE TABLE intake (number INTEGER PRIMARY KEY, alerts BLOB NOT NULL);
`, `
DROP INDEX log_machine; -- with last, the pieces that a case needs are found without reading the others
CREATE INDEX log_machine ON log (machine, first, last);
`}
	decisions = []string{`
CREATE TABLE decision (number INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, scope TEXT NOT NULL, key BLOB NOT NULL, event TEXT NOT NULL, machine TEXT NOT NULL,
  score REAL NOT NULL, until INTEGER NOT NULL, cluster INTEGER NOT NULL, version TEXT NOT NULL, old REAL, undoes INTEGER NOT NULL);
CREATE INDEX decision_key ON decision (key);
CREATE INDEX decision_event ON decision (event, number);
CREATE INDEX decision_undoes ON decision (undoes) WHERE undoes > 0;
CREATE TABLE pending (cluster INTEGER NOT NULL, version TEXT NOT NULL, number INTEGER NOT NULL, score REAL NOT NULL, by TEXT NOT NULL, PRIMARY KEY (cluster, version)) WITHOUT ROWID;
CREATE TABLE snooze (id TEXT PRIMARY KEY, rev INTEGER NOT NULL, until INTEGER NOT NULL, by TEXT NOT NULL, why TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE verdict (id TEXT PRIMARY KEY, rev INTEGER NOT NULL, kind TEXT NOT NULL, closed INTEGER NOT NULL, score REAL, by TEXT NOT NULL, why TEXT NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
`, `
CREATE INDEX decision_at ON decision (at);
CREATE INDEX decision_cluster ON decision (number) WHERE kind = 'cluster';
DROP INDEX decision_key; -- nobody asks by these
DROP INDEX decision_undoes;
`}
)

// Open opens the database of a directory, which it creates. A second process on the directory, a damaged file and one of a newer program are
// errors that say what to do.
func Open(dir string) (*DB, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("store: %w", err)
	}
	lock := flock.New(filepath.Join(dir, "lock"), flock.SetPermissions(0o600))
	switch held, err := lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("store: %w", err)
	case !held:
		return nil, fmt.Errorf("store: %s is in use by another process: a store has one, so end the other one or give this one a directory of its own", dir)
	}
	d := &DB{File: &File{}, Alerts: &File{}, lock: lock}
	err := d.File.open(filepath.Join(dir, "review.db"), decisions)
	if err == nil {
		err = d.Alerts.open(filepath.Join(dir, "alerts.db"), alerts)
	}
	if err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

func (f *File) open(path string, migrations []string) error {
	empty, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) // SQLite would give it other permissions
	if err == nil {
		f.path = path
		f.file, err = empty.Stat()
		err = errors.Join(err, empty.Close())
	}
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	source := (&url.URL{Scheme: "file", OmitHost: true, Path: filepath.ToSlash(path)}).String() + "?_pragma=busy_timeout(5000)&_pragma=page_size(8192)&_pragma=journal_mode(WAL)&_pragma=synchronous(NORMAL)&_pragma=temp_store(MEMORY)"
	if f.writer, err = sql.Open("sqlite", source+"&_txlock=immediate&_pragma=cache_size(-8000)"); err != nil {
		return fmt.Errorf("store: %s: %w", path, err)
	}
	f.writer.SetMaxOpenConns(1)
	if f.readers, err = sql.Open("sqlite", source+"&_pragma=query_only(1)&_pragma=cache_size(-2000)"); err != nil {
		return fmt.Errorf("store: %s: %w", path, err)
	}
	f.readers.SetMaxOpenConns(4)
	if err := f.migrate(migrations); err != nil {
		return fmt.Errorf("store: %s: %w", path, err)
	}
	return nil
}

// migrate brings the tables to the version of this program.
func (f *File) migrate(migrations []string) error {
	var version int
	if err := f.writer.QueryRow("PRAGMA user_version").Scan(&version); err != nil {
		return fmt.Errorf("%w: if it is damaged, move it away (counts and examples are lost, no decision is)", err)
	}
	if version > len(migrations) {
		return fmt.Errorf("it has format %d, this program knows formats up to %d: use a newer program, or another directory", version, len(migrations))
	}
	for ; version < len(migrations); version++ {
		err := f.Write(context.Background(), func(tx *sql.Tx) error {
			if _, err := tx.Exec(migrations[version]); err != nil {
				return err
			}
			_, err := tx.Exec(fmt.Sprintf("PRAGMA user_version = %d", version+1))
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// There is an error if a file of the database was removed or replaced: what is written then goes nowhere.
func (d *DB) There() error { return errors.Join(d.File.there(), d.Alerts.there()) }

func (f *File) there() error {
	if now, err := os.Stat(f.path); err != nil || !os.SameFile(now, f.file) {
		return fmt.Errorf("store: %s was removed or replaced while it is in use: nothing more is kept in it. Start the process again", f.path)
	}
	return nil
}

// Write runs change in a transaction, one at a time. It is committed when Write returns: a process that ends loses nothing of it.
func (f *File) Write(ctx context.Context, change func(tx *sql.Tx) error) error {
	f.writing.Lock()
	defer f.writing.Unlock()
	if err := f.there(); err != nil {
		return err
	}
	tx, err := f.writer.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	if err := change(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// Query runs a query beside writers. Its statement is prepared once for all times: that takes longer than most queries of a page.
func (f *File) Query(ctx context.Context, query string, arguments ...any) (*sql.Rows, error) {
	statement, known := f.prepared.Load(query)
	if !known {
		fresh, err := f.readers.PrepareContext(ctx, query)
		if err != nil {
			return nil, err
		}
		if statement, known = f.prepared.LoadOrStore(query, fresh); known {
			_ = fresh.Close() // another one was first
		}
	}
	return statement.(*sql.Stmt).QueryContext(ctx, arguments...)
}

// Read is for queries that are made once.
func (f *File) Read() *sql.DB { return f.readers }

// Close closes the database, and lets other processes open it.
func (d *DB) Close() error {
	var err error
	for _, f := range []*File{d.File, d.Alerts} {
		for _, db := range []*sql.DB{f.readers, f.writer} {
			if db != nil {
				err = errors.Join(err, db.Close())
			}
		}
	}
	return errors.Join(err, d.lock.Unlock())
}
