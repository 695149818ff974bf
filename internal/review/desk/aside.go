package desk

import (
	"context"
	"database/sql"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
)

// What people do that is no decision about events is in the database alone: they put a question off, or close a case.

// snooze puts an item off until it has so many alerts.
type snooze struct {
	rev   int
	until int
}

// verdict is what somebody said of a case.
type verdict struct {
	rev    int
	kind   string // of the case
	closed bool
	score  *float64
	by     string
	at     time.Time
}

// loadAside reads what an earlier process wrote.
func (d *Desk) loadAside(ctx context.Context) error {
	rows, err := d.o.DB.Read().QueryContext(ctx, "SELECT id, rev, until FROM snooze")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var s snooze
		if err := rows.Scan(&id, &s.rev, &s.until); err != nil {
			return err
		}
		d.snoozes[id] = s
	}
	if err := rows.Err(); err != nil {
		return err
	}
	rows, err = d.o.DB.Read().QueryContext(ctx, "SELECT id, rev, kind, closed, score, by, at FROM verdict")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var id string
		var v verdict
		var at int64
		if err := rows.Scan(&id, &v.rev, &v.kind, &v.closed, &v.score, &v.by, &at); err != nil {
			return err
		}
		v.at = time.UnixMicro(at).UTC()
		d.verdicts[id] = v
	}
	if err := rows.Err(); err != nil {
		return err
	}
	pending, err := d.loadPending(ctx)
	if err != nil {
		return err
	}
	d.pending = pending
	return nil
}

// setSnooze puts an item off, or asks it again if until is 0. mu is held.
func (d *Desk) setSnooze(ctx context.Context, id string, until int, by, why string) (rev int, err error) {
	rev = d.snoozes[id].rev + 1
	err = d.o.DB.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT OR REPLACE INTO snooze VALUES (?, ?, ?, ?, ?, ?)", id, rev, until, by, why, d.o.Now().UnixMicro())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	d.snoozes[id] = snooze{rev, until}
	d.rev++
	return rev, nil
}

// setVerdict closes a case, or opens it again. mu is held.
func (d *Desk) setVerdict(ctx context.Context, id string, v verdict, why string) (rev int, err error) {
	v.rev, v.at = d.verdicts[id].rev+1, d.o.Now().UTC()
	err = d.o.DB.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT OR REPLACE INTO verdict VALUES (?, ?, ?, ?, ?, ?, ?, ?)", id, v.rev, v.kind, v.closed, v.score, v.by, why, v.at.UnixMicro())
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("store: %w", err)
	}
	d.verdicts[id] = v
	d.rev++
	return v.rev, nil
}

// revision is what an analyst saw of an item.
type revision struct {
	journal uint64 // the number of the last decision
	seq     int    // of the newest pattern
	aside   int    // of snoozes and verdicts
	life    uint32 // board.View.Life; 0 for clusters, which have none
}

func (r revision) String() string {
	return fmt.Sprintf("%d.%d.%d.%d", r.journal, r.seq, r.aside, r.life)
}

// asideOf is how often an item was put off, asked again, closed or opened. mu is held.
func (d *Desk) asideOf(id string) int { return d.snoozes[id].rev + d.verdicts[id].rev }

func (d *Desk) revOf(v board.View, x *item) string {
	r := revision{journal: d.known, aside: d.asideOf(x.id), life: x.life(v)}
	switch {
	case x.one != nil:
		r.seq = len(x.one.Patterns)
	case x.kind == review.PatternKind:
		r.seq = x.question.Seq
	}
	return r.String()
}

func parseRev(text string) (r revision, err error) {
	parts := strings.Split(text, ".")
	var n [4]uint64
	for i := 0; i < len(parts) && len(parts) == len(n) && err == nil; i++ {
		n[i], err = strconv.ParseUint(parts[i], 10, 63)
	}
	if err != nil || len(parts) != len(n) || n[1] > math.MaxInt32 || n[2] > math.MaxInt32 || n[3] > math.MaxUint32 {
		return r, fmt.Errorf("rev %q: need the one that the item was shown with: %w", text, review.ErrInvalid)
	}
	return revision{n[0], int(n[1]), int(n[2]), uint32(n[3])}, nil
}

// life is that of a question of patterns or of a case.
func (x *item) life(v board.View) uint32 {
	switch {
	case x.one != nil:
		return v.Life(x.one.Number)
	case x.kind == review.PatternKind:
		return v.Life(x.question.Number)
	}
	return 0
}
