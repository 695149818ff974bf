package cache

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"connect-deepcase/internal/disk"
)

// set is a value on its way to the disk.
type set struct {
	name      string
	value     []byte
	written   time.Time   // the date of the file, if the log needs one that tells it from others
	before    fs.FileInfo // the file in the place of which it is written, or nil
	folded    bool        // the value was in the log: it is only written in place of that file
	temporary string      // the file that has it
	err       error
}

// setAll writes the values that came at the same time: most to the log, for which the disk is asked once. A value whose file is not there yet, or is
// not like those that this process writes, is written to its file. So an entry is there if its file is. The error is that of all values; one that
// concerns some is theirs.
func (f *files) setAll(came [][]*set) error {
	sets := slices.Concat(came...)
	return f.locked(func() error {
		now := f.bounds.now()
		if f.logs && f.log.full(now) {
			if err := f.fold(); err != nil {
				return err
			}
		}
		var records []byte
		var logged, others []*set
		for _, s := range sets {
			s.before, _ = os.Lstat(filepath.Join(f.dir, s.name))
			s.written = f.date(s.name, s.before, now)
			if f.logs && len(s.value) <= maxLogged && s.before != nil && s.before.Mode().IsRegular() && disk.OnlyMine(s.before) {
				records = record{s.name, s.value, s.written.UnixNano(), idOf(s.before)}.append(records)
				logged = append(logged, s)
			} else {
				others = append(others, s)
			}
		}
		if logged != nil {
			failAll(logged, f.log.append(records))
		}
		f.replaceAll(others)
		return nil
	})
}

// date is that of a value which is written now: another one than the entry has, so that nobody takes one for the other.
func (f *files) date(name string, before fs.FileInfo, now time.Time) time.Time {
	if before != nil && f.written(name, before).Equal(now) {
		return now.Add(1)
	}
	return now
}

// atATime is how many files are written at the same time, and few how many are flushed one by one, so that a few small writes do not wait for what
// others write to the file system.
const atATime, few = 128, 8

// replaceAll puts values in the place of their files, or makes new ones. It returns when the disk has confirmed it: it is asked for all together.
func (f *files) replaceAll(sets []*set) {
	if len(sets) == 0 {
		return
	}
	together := f.whole != nil && len(sets) > few
	var running errgroup.Group
	running.SetLimit(atATime)
	for _, s := range sets {
		running.Go(func() error {
			s.err = f.prepare(s, !together)
			return nil
		})
	}
	_ = running.Wait()
	if together {
		failAll(sets, disk.SyncAll(f.whole))
	}
	for _, s := range sets {
		if s.err == nil {
			s.err = f.place(s)
		}
	}
	failAll(sets, disk.SyncDir(f.dir))
	for _, s := range sets {
		switch {
		case s.temporary == "":
		case s.err != nil: // the old file may still be the entry on disk: it must not be written again
			s.err = errors.Join(s.err, removeIfThere(s.temporary))
		default:
			s.err = f.spares.keep(s.temporary, s.before.Size(), f.bounds.now())
		}
	}
}

func failAll(sets []*set, err error) {
	for _, s := range sets {
		s.err = errors.Join(s.err, err)
	}
}

// prepare writes a value to a scratch file, and flushes it if that is wanted.
func (f *files) prepare(s *set, flush bool) error {
	file, err := f.spares.create(f.dir, f.bounds.now())
	if err != nil {
		return err
	}
	s.temporary = file.Name()
	_, err = file.Write(s.value)
	if err == nil {
		err = file.Truncate(int64(len(s.value)))
	}
	if err == nil && f.logs {
		err = os.Chtimes(s.temporary, time.Time{}, s.written)
	}
	if err == nil && flush {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// place puts the prepared file in its place. After that, temporary is the file that was there, or empty.
func (f *files) place(s *set) error {
	path := filepath.Join(f.dir, s.name)
	swapped := false
	if s.before != nil && s.before.Mode().IsRegular() { // in place of anything else, a rename does the right thing
		err := disk.Swap(s.temporary, path)
		swapped = err == nil
		if s.folded && errors.Is(err, fs.ErrNotExist) { // the entry was removed meanwhile, or else somebody has removed the scratch file
			_, err = os.Lstat(s.temporary)
			return err
		}
	}
	if !swapped { // there is no file yet, or not any more, or the file system cannot swap
		if err := os.Rename(s.temporary, path); err != nil {
			return err
		}
		s.temporary = ""
	}
	f.bounds.add(s.before, int64(len(s.value)))
	return nil
}

// add writes a value to its file if there is none yet, or else gives fs.ErrExist. The caller has the directory's lock.
func (f *files) add(s *set) error {
	path := filepath.Join(f.dir, s.name)
	if info, err := os.Lstat(path); err == nil {
		written := f.written(s.name, info)
		if !f.bounds.expired(written) {
			return fs.ErrExist
		}
		if err := f.dropLocked(s.name, written); err != nil {
			return err
		}
	}
	err := f.prepare(s, true)
	if err == nil {
		err = os.Link(s.temporary, path)
	}
	if s.temporary != "" {
		err = errors.Join(err, removeIfThere(s.temporary))
	}
	if err != nil {
		return err
	}
	f.bounds.add(nil, int64(len(s.value)))
	return disk.SyncDir(f.dir)
}
