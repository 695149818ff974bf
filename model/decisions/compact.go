package decisions

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"connect-deepcase/internal/disk"
)

// Compact moves to the archive what has had no effect for a time: the answers and mutes of a key if the one that counts has ended or is due for
// that long, what was undone that long ago and its undo, and scores of clusters that are so old. What remains is as it was: all that is in force
// stays in force, and undoing a decision brings the one before back. Each still gives all of them. The last decision always stays, so that
// numbers go on.
func (j *Journal) Compact(ctx context.Context, keep time.Duration) (moved, kept int, err error) {
	err = j.lock(ctx, func() error {
		j.changing.Lock()
		defer j.changing.Unlock()
		if err := j.refresh(); err != nil || j.file == nil {
			return err
		}
		if moved, kept, err = j.compact(j.now().Add(-keep).UnixMicro()); err != nil {
			return fmt.Errorf("decisions: compacting: %w", err)
		}
		return j.refresh()
	})
	return moved, kept, err
}

func (j *Journal) compact(before int64) (moved, kept int, err error) {
	f, err := disk.OpenOwn(j.path(journalFile), os.O_RDONLY) // a link is refused: it would be replaced
	if err != nil {
		return 0, 0, err
	}
	info, err := f.Stat()
	if err = errors.Join(err, f.Close()); err != nil {
		return 0, 0, err
	}
	idle, kept, err := j.idle(before)
	if err != nil || len(idle) == 0 {
		return 0, kept, err
	}
	idleOnly := func(l *lines) bool { return l.err == nil && idle[l.decision.Number] }
	// The archive first: if this process is killed in between, lines are in both, and merge gives them once.
	if err := j.rewrite(archiveFile, info, archiveFile, idleOnly); err != nil {
		return 0, 0, err
	}
	others := func(l *lines) bool { return !idleOnly(l) }
	return len(idle), kept, j.rewrite(journalFile, info, "", others)
}

// idle gives the numbers of the decisions that have had no effect since a time, and counts the other lines.
func (j *Journal) idle(before int64) (idle map[uint64]bool, others int, err error) {
	undone := map[uint64]int64{} // when, by number
	err = j.eachLine("", func(l *lines) error {
		if _, again := undone[l.decision.Undoes]; l.err == nil && l.decision.Kind == Undo && !again {
			undone[l.decision.Undoes] = l.decision.At.UnixMicro()
		}
		return nil
	})
	if err != nil {
		return nil, 0, err
	}
	idle = map[uint64]bool{}
	err = j.eachLine("", func(l *lines) error {
		if l.err == nil && j.fold.idle(&l.decision, undone, before) {
			idle[l.decision.Number] = true
		} else {
			others++
		}
		return nil
	})
	return idle, others, err
}

// idle tells whether a decision has had no effect since a time. undone is when decisions were undone, by number.
func (f *Fold) idle(d *Decision, undone map[uint64]int64, before int64) bool {
	switch d.Kind {
	case Cluster:
		return d.Number < f.last && d.At.UnixMicro() < before
	case Undo:
		_, there := f.find(d.Undoes) // what it undoes may be damaged, and be repaired
		return d.Number < f.last && there && d.At.UnixMicro() < before
	}
	i, there := f.find(d.Number)
	if !there {
		return false
	}
	e := &f.entries[i]
	if e.undone {
		return undone[d.Number] < before
	}
	last := f.standing(f.latest[e.kind][e.scope][e.key])
	end, ends := f.end(last)
	return ends && end < before && last.number < f.last
}

// end is when an answer or mute ceases to be in force.
func (f *Fold) end(e *entry) (end int64, ends bool) {
	if end, ends = e.until, e.until != 0; e.kind == kindAnswer && e.score == 0 {
		if due := e.at + f.holds[e.confirmed]; !ends || due < end {
			return due, true
		}
	}
	return end, ends
}

// eachLine uses all lines of the journal, merged with those of another file if it is named. The lock is held, and the journal was refreshed: so
// it is known where the last whole line ends.
func (j *Journal) eachLine(with string, use func(l *lines) error) error {
	journal, err := j.lines(journalFile, parseShort)
	if err != nil {
		return err
	}
	defer journal.close()
	if journal.file != nil {
		journal.in.Reset(io.LimitReader(journal.file, j.place.bytes))
	}
	other := noLines()
	if with != "" {
		if other, err = j.lines(with, parseShort); err != nil {
			return err
		}
		defer other.close()
	}
	return merge(other, journal, use)
}

// rewrite replaces a file by lines of the journal, and by all lines of another file if it is named.
func (j *Journal) rewrite(name string, like fs.FileInfo, with string, use func(l *lines) bool) error {
	o := disk.Options{Temporary: j.path(scratch + name), Perm: like.Mode().Perm()}
	return disk.Write(j.path(name), o, func(w io.Writer) error {
		out := bufio.NewWriterSize(w, 1<<20)
		err := j.eachLine(with, func(l *lines) error {
			if l.name == j.path(journalFile) && !use(l) {
				return nil
			}
			if l.text == nil {
				return fmt.Errorf("%s: line at byte %d has %d bytes, which is too long: need at most %d", l.name, l.offset, l.size, maxLine)
			}
			_, err := out.Write(l.text)
			return err
		})
		return errors.Join(err, out.Flush())
	})
}
