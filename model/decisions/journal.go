package decisions

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"connect-deepcase/internal/disk"
)

// What a model directory holds of decisions.
const (
	journalFile = "decisions.ndjson"
	archiveFile = "decisions-archive.ndjson" // what compactions took out of the journal
	scratch     = ".tmp-"
)

// Journal is the journal of a model directory. Its methods may be called from several goroutines, and by several processes on one directory.
type Journal struct {
	dir  string
	lock func(ctx context.Context, write func() error) error
	now  func() time.Time

	// changing is held by those who change anything below. They may read it without mu.
	changing sync.Mutex
	file     fs.FileInfo // the file that was read last; nil if there was none
	place    place       // how far it was read
	synced   fs.FileInfo // the file whose name is known to be on the disk

	mu      sync.RWMutex // for what readers look at; held briefly
	fold    *Fold
	damaged Damage
	reread  uint64
}

// Damage tells of lines that cannot be read. They stay in the journal, and have no effect.
type Damage struct {
	Lines int
	First error // names the first of them
}

func (d *Damage) add(file string, offset int64, err error) {
	if d.Lines++; d.Lines == 1 {
		d.First = fmt.Errorf("decisions: %s: line at byte %d: %w", file, offset, err)
	}
}

// New gives the journal of a model directory; the file need not be there yet. lock runs a function while no other process writes to the
// directory. Refresh reads it.
func New(dir string, lock func(context.Context, func() error) error, hold Hold) *Journal {
	return &Journal{dir: dir, lock: lock, now: time.Now, fold: NewFold(hold)}
}

func (j *Journal) path(name string) string { return filepath.Join(j.dir, name) }

// Refresh takes up what was written since the last call; if that is nothing, it costs a look at the file's size. After an error, what was read
// before stays in force. If a newer program wrote the journal, errors.Is(err, ErrNewerFormat).
func (j *Journal) Refresh() error {
	j.changing.Lock()
	defer j.changing.Unlock()
	return j.refresh()
}

func (j *Journal) refresh() error {
	if info, err := os.Stat(j.path(journalFile)); err == nil && j.file != nil && j.place.bytes == info.Size() && sameContent(j.file, info) {
		return nil
	}
	f, info, err := disk.Open(j.path(journalFile))
	switch {
	case errors.Is(err, fs.ErrNotExist) && j.file == nil:
		return nil
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("decisions: the journal is gone: %w", err)
	case err != nil:
		return fmt.Errorf("decisions: %w", err)
	}
	defer f.Close()
	if j.continues(f, info) {
		err = j.readOn(f, info)
	} else {
		err = j.readAnew(f, info)
	}
	if err != nil {
		return fmt.Errorf("decisions: %s: %w", f.Name(), err)
	}
	return nil
}

// sameContent tells whether a file that was read to its end has not changed since.
func sameContent(before, now fs.FileInfo) bool {
	return os.SameFile(before, now) && before.ModTime().Equal(now.ModTime())
}

// continues tells whether a file goes on from what was read. Another one does not, after a compaction or after somebody restored a backup.
func (j *Journal) continues(f *os.File, info fs.FileInfo) bool {
	return j.file != nil && os.SameFile(j.file, info) && info.Size() >= j.place.bytes && j.place.at(f)
}

// readOn reads what was appended.
func (j *Journal) readOn(f *os.File, info fs.FileInfo) error {
	damaged := j.damaged
	reached, err := fold(f, j.place, j.fold.last, &damaged, func(together []Decision) {
		j.mu.Lock()
		defer j.mu.Unlock()
		j.fold.addAll(together)
	})
	j.reach(info, reached, j.fold, damaged)
	return err
}

// readAnew reads a whole file. If that fails, what an earlier one said stays in force.
func (j *Journal) readAnew(f *os.File, info fs.FileInfo) error {
	var damaged Damage
	anew := NewFold(j.fold.hold)
	reached, err := fold(f, place{}, 0, &damaged, anew.addAll)
	if err == nil || j.file == nil {
		j.mu.Lock()
		j.reread++
		j.mu.Unlock()
		j.reach(info, reached, anew, damaged)
	}
	return err
}

func (j *Journal) reach(info fs.FileInfo, reached place, fold *Fold, damaged Damage) {
	j.file, j.place = info, reached
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fold, j.damaged = fold, damaged
}

// Append writes decisions after those that are there, with no other writer in between: all of them, or none. decide is asked what to write
// when all earlier decisions are known; it may use look, and nothing else of the journal. When Append returns, the decisions are on the disk
// and in force. They come back with number and time. If one is not valid, or takes back what cannot be, none is written (ErrNoDecision,
// ErrUndone). ctx ends the wait for other writers.
func (j *Journal) Append(ctx context.Context, decide func(look Look) ([]Decision, error)) (written []Decision, err error) {
	err = j.lock(ctx, func() error {
		written, err = j.AppendLocked(decide)
		return err
	})
	if err != nil {
		return nil, err
	}
	return written, nil
}

// AppendLocked is Append for those who hold the lock of the model directory already, such as the function that store.Store.Update runs.
func (j *Journal) AppendLocked(decide func(look Look) ([]Decision, error)) ([]Decision, error) {
	j.changing.Lock()
	defer j.changing.Unlock()
	if err := j.refresh(); err != nil {
		return nil, err
	}
	written, err := decide(j.fold.Look(j.now()))
	if err != nil || len(written) == 0 {
		return nil, err
	}
	if err := j.write(written); err != nil {
		return nil, err
	}
	return written, nil
}

// write appends decisions; the lock is held, and all that is there was read.
func (j *Journal) write(decisions []Decision) (err error) {
	var lines []byte
	for i := range decisions {
		d := &decisions[i]
		d.Number, d.At = j.fold.last+1+uint64(i), j.now().UTC().Truncate(time.Microsecond)
		if err := j.fold.check(d); err != nil {
			return fmt.Errorf("decision: %w", err)
		}
		if lines, err = appendLine(lines, *d, len(decisions)-1-i); err != nil {
			return fmt.Errorf("decision: %w", err)
		}
	}
	f, err := disk.OpenOwn(j.path(journalFile), os.O_RDWR)
	if err != nil {
		return fmt.Errorf("decisions: %w", err)
	}
	err = j.appendTo(f, lines)
	info, statErr := f.Stat()
	if err = errors.Join(err, statErr, f.Close()); err != nil {
		return fmt.Errorf("decisions: %s: %w", f.Name(), err)
	}
	j.file = info
	j.place.pass(lines, int64(len(lines)))
	j.mu.Lock()
	defer j.mu.Unlock()
	j.fold.addAll(decisions)
	return nil
}

// appendTo writes lines after the last whole line. What a killed writer left behind that is cut off.
func (j *Journal) appendTo(f *os.File, lines []byte) error {
	info, err := f.Stat()
	switch {
	case err != nil:
		return err
	case j.file == nil && info.Size() > 0, j.file != nil && !j.continues(f, info):
		return errors.New("somebody replaced the file at this moment: try again")
	}
	if j.synced == nil || !os.SameFile(j.synced, info) { // whoever created or replaced it may have been killed before that
		if err := disk.SyncDir(j.dir); err != nil {
			return err
		}
		j.synced = info
	}
	if err := f.Truncate(j.place.bytes); err != nil {
		return err
	}
	_, err = f.WriteAt(lines, j.place.bytes)
	if err == nil {
		err = f.Sync()
	}
	if err != nil { // nobody must find decisions there that were not acknowledged
		return errors.Join(err, f.Truncate(j.place.bytes))
	}
	return nil
}

// Read runs use with what is in force now. While it runs, nothing that is appended comes into force.
func (j *Journal) Read(use func(Look)) {
	j.mu.RLock()
	defer j.mu.RUnlock()
	use(j.fold.Look(j.now()))
}

// Reread rises each time that the journal is read from its start: the first time, after a compaction, and after somebody put another file
// there. Only then a copy of what was read before may be that of another journal.
func (j *Journal) Reread() uint64 {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.reread
}

// Damage tells of lines that cannot be read.
func (j *Journal) Damage() Damage {
	j.mu.RLock()
	defer j.mu.RUnlock()
	return j.damaged
}
