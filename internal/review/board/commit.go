package board

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"connect-deepcase/internal/review"
	"connect-deepcase/model/decisions"
)

// changed is what is not in the database yet.
type changed struct {
	questions map[*Question]bool
	patterns  map[*Pattern]*Question
	cases     map[*Case]bool
	hours     map[int64]*Hour
	samples   map[int]*Sample
	gone      []row // statements that remove what is forgotten
	lines     map[string][]line
}

func newChanged() changed {
	return changed{questions: map[*Question]bool{}, patterns: map[*Pattern]*Question{}, cases: map[*Case]bool{}, hours: map[int64]*Hour{}, samples: map[int]*Sample{},
		lines: map[string][]line{}}
}

func (c *changed) log(a *Alert, q *Question) {
	l := line{At: a.At, Event: a.Event, Status: a.Settled, Score: math.NaN()}
	if a.Settled.HasScore() {
		l.Score = a.Score
	}
	if a.Case != "" {
		l.Case = caseID(a.Case)
	}
	if q != nil {
		l.Question = q.ID
	}
	c.lines[a.Machine] = append(c.lines[a.Machine], l)
}

// row is what a statement writes.
type row struct {
	statement string
	arguments []any
}

// checkpoint writes what has changed, and removes the alerts as they came. intake is held, so nothing changes meanwhile.
func (b *Board) checkpoint(ctx context.Context) error {
	b.forgetOld()
	rows, err := b.encode()
	if err != nil {
		return err
	}
	logged := int64(0)
	err = b.db.Write(ctx, func(tx *sql.Tx) error {
		if err := write(tx, rows); err != nil {
			return err
		}
		return tx.QueryRow("SELECT coalesce(max(number), 0) FROM log").Scan(&logged)
	})
	if err != nil {
		return err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for q := range b.changed.questions {
		q.bodies = nil
	}
	b.changed, b.logged, b.fresh, b.freshBytes, b.checkpointed = newChanged(), logged, 0, 0, time.Now()
	return nil
}

// slots is how many numbers of documents a question has.
const slots = 8

// encode gives the rows of what has changed.
func (b *Board) encode() (rows []row, err error) {
	put := func(table string, number int64, value any) {
		state, encodeErr := json.Marshal(value)
		err = errors.Join(err, encodeErr)
		rows = append(rows, row{"INSERT OR REPLACE INTO " + table + " VALUES (?, ?)", []any{number, state}})
	}
	c := &b.changed
	rows = append(rows, c.gone...)
	for n, s := range c.samples {
		if s == nil {
			rows = append(rows, row{"DELETE FROM sample WHERE number = ?", []any{n}})
		} else {
			put("sample", int64(n), s)
		}
	}
	for q := range c.questions {
		put("question", q.Number, q)
		for slot, a := range q.bodies {
			rows = append(rows, row{"INSERT OR REPLACE INTO document VALUES (?, ?, ?, ?, ?, ?)",
				[]any{q.Number*slots + int64(slot), a.At.UnixMicro(), a.Machine, a.Event, a.Cut, a.Body}})
		}
	}
	for p, q := range c.patterns {
		state, encodeErr := json.Marshal(p)
		err = errors.Join(err, encodeErr)
		rows = append(rows, row{"INSERT OR REPLACE INTO pattern VALUES (?, ?, ?)", []any{p.Number, q.Number, state}})
	}
	for x := range c.cases {
		put("cases", x.Number, x)
	}
	for n, h := range c.hours {
		put("hour", n, h)
	}
	put("total", 1, b.totals)
	for machine, lines := range c.lines {
		slices.SortStableFunc(lines, func(a, b line) int { return a.At.Compare(b.At) })
		for piece := range slices.Chunk(lines, pieceLines) { // a case reads few of a busy machine's
			rows = append(rows, row{"INSERT INTO log (machine, first, last, alerts) VALUES (?, ?, ?, ?)",
				[]any{machine, piece[0].At.UnixMicro(), piece[len(piece)-1].At.UnixMicro(), pack(piece)}})
		}
	}
	rows = append(rows, row{"DELETE FROM intake", nil})
	return rows, err
}

// write runs statements, each prepared once.
func write(tx *sql.Tx, rows []row) error {
	statements := map[string]*sql.Stmt{}
	defer func() {
		for _, s := range statements {
			_ = s.Close() // the transaction is over
		}
	}()
	for _, r := range rows {
		s := statements[r.statement]
		if s == nil {
			var err error
			if s, err = tx.Prepare(r.statement); err != nil {
				return err
			}
			statements[r.statement] = s
		}
		if _, err := s.Exec(r.arguments...); err != nil {
			return err
		}
	}
	return nil
}

// load reads what an earlier process wrote.
func (b *Board) load(ctx context.Context) error {
	numbers := map[int64]*Question{}
	err := errors.Join(
		each(ctx, b.db.Read(), "SELECT 0, state FROM question", func(_ int64, q *Question) {
			q.Patterns, q.spread = map[decisions.Key]*Pattern{}, review.AttentionOf(q.Context, q.Attention).List()
			q.Event = b.names.one(q.Event)
			b.names.all(q.Context)
			b.questions[q.ID] = q
			b.events[q.Event] = append(b.events[q.Event], q)
			numbers[q.Number] = q
			b.number = max(b.number, q.Number)
		}),
		each(ctx, b.db.Read(), "SELECT question, state FROM pattern", func(question int64, p *Pattern) {
			b.number = max(b.number, p.Number)
			if q := numbers[question]; q != nil {
				p.Machine = b.names.one(p.Machine)
				b.names.all(p.Context)
				q.Patterns[p.Keys[0]] = p
				b.patterns[p.Keys[0]] = q
			}
		}),
		each(ctx, b.db.Read(), "SELECT 0, state FROM cases", func(_ int64, c *Case) {
			b.cases[c.ID] = c
			b.number = max(b.number, c.Number)
		}),
		each(ctx, b.db.Read(), "SELECT number, state FROM hour", func(n int64, h *Hour) { b.hours[n] = h }),
		each(ctx, b.db.Read(), "SELECT number, state FROM sample", func(n int64, s *Sample) { b.samples[int(n)] = s }),
		each(ctx, b.db.Read(), "SELECT number, state FROM total", func(_ int64, t *Totals) { b.totals = *t }),
	)
	if err != nil {
		return err
	}
	if err := b.db.Read().QueryRowContext(ctx, "SELECT coalesce(max(number), 0) FROM log").Scan(&b.logged); err != nil {
		return err
	}
	if b.totals.Store == 0 {
		b.totals.Store = 1 + rand.Uint32N(math.MaxUint32)
		state, err := json.Marshal(b.totals)
		if err != nil {
			return err
		}
		if err := b.db.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.Exec("INSERT OR REPLACE INTO total VALUES (1, ?)", state)
			return err
		}); err != nil {
			return err
		}
	}
	for _, all := range b.events { // in the order in which they were asked, as the groups of patterns need it
		slices.SortFunc(all, func(a, b *Question) int { return cmp.Compare(a.Number, b.Number) })
	}
	return b.replay(ctx)
}

// each gives the rows of a query: a key, and a state in JSON.
func each[K any, S any](ctx context.Context, db *sql.DB, query string, use func(K, *S)) error {
	found, err := db.QueryContext(ctx, query)
	if err != nil {
		return err
	}
	defer found.Close()
	var state sql.RawBytes
	for found.Next() {
		var k K
		s := new(S)
		if err := found.Scan(&k, &state); err != nil {
			return err
		}
		if err := json.Unmarshal(state, s); err != nil {
			return err
		}
		use(k, s)
	}
	return found.Err()
}
