package board

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/snapshot"
	"connect-deepcase/model"
)

// The log has a line for each alert: in the database, lines of a machine that are written together are one piece.

const logVersion = 1

// pieceLines is how many lines a piece has at most.
const pieceLines = 2000

// line is an alert in the log.
type line struct {
	At       time.Time
	Machine  string // not in the piece, which is of one machine
	Event    string
	Status   model.Status // with the answer in force
	Score    float64      // NaN for none
	Case     string       // its ID, "" for none
	Question string
}

// pack encodes the lines of a machine: the texts once, and then each line by their numbers.
func pack(lines []line) []byte {
	numbers, texts := map[string]uint64{}, []string{}
	number := func(text string) uint64 {
		n, known := numbers[text]
		if !known {
			n = uint64(len(texts))
			numbers[text] = n
			texts = append(texts, text)
		}
		return n
	}
	var body []byte
	last := int64(0)
	for _, l := range lines {
		at := l.At.UnixMicro()
		body = binary.AppendVarint(body, at-last)
		last = at
		body = binary.AppendUvarint(body, number(l.Event))
		body = binary.AppendUvarint(body, number(l.Case))
		body = binary.AppendUvarint(body, number(l.Question))
		body = append(body, byte(l.Status))
		body = binary.LittleEndian.AppendUint64(body, math.Float64bits(l.Score))
	}
	out := []byte{logVersion}
	out = binary.AppendUvarint(out, uint64(len(texts)))
	for _, text := range texts {
		out = append(binary.AppendUvarint(out, uint64(len(text))), text...)
	}
	out = binary.AppendUvarint(out, uint64(len(lines)))
	return snapshot.Seal(append(out, body...))
}

// unpack reads what pack wrote: the lines of a case, or all with "".
func unpack(data []byte, machine, of string) ([]line, error) {
	d, err := snapshot.Open(data, "log", logVersion)
	if err != nil {
		return nil, err
	}
	texts := make([]string, d.Count(1))
	for i := range texts {
		texts[i] = string(d.Bytes(d.Uvarint(math.MaxInt32)))
	}
	if of != "" && !slices.Contains(texts, of) {
		return nil, d.Check()
	}
	text := func() string {
		if n := d.Uvarint(math.MaxInt32); !d.Failed() && n < uint64(len(texts)) {
			return texts[n]
		}
		return ""
	}
	var lines []line
	last := int64(0)
	for range d.Count(13) {
		last += d.Varint()
		l := line{At: time.UnixMicro(last).UTC(), Machine: machine, Event: text(), Case: text(), Question: text()}
		l.Status, l.Score = status(d), math.Float64frombits(d.Uint64())
		if of == "" || l.Case == of {
			lines = append(lines, l)
		}
	}
	return lines, d.End()
}

func status(d *snapshot.Decoder) model.Status {
	if b := d.Bytes(1); len(b) == 1 {
		return model.Status(b[0])
	}
	return 0
}

// wanted says which lines of a machine read is to find.
type wanted struct {
	machine  string
	from, to time.Time
	of       string // the case; "" for all
	most     int    // at most so many
	newest   bool   // the newest of them, else the oldest
}

// read finds lines, oldest first. It reads no more of the log than it needs. Pieces that are damaged are left out, and told.
func (b *Board) read(ctx context.Context, w wanted) (found []line, damaged error) {
	var logged int64 // a checkpoint that comes meanwhile writes lines that are in memory now
	b.View(func(View) {
		logged = b.logged
		for _, l := range b.changed.lines[w.machine] {
			l.Machine = w.machine
			found = w.take(found, l)
		}
	})
	order, edge := "first, number", 0
	if w.newest {
		order, edge = "last DESC, number DESC", 1
	}
	pieces, err := b.pieces(ctx, w, logged, order)
	if err != nil {
		return nil, err
	}
	for _, p := range pieces {
		if found = w.cut(found); w.enough(found, time.UnixMicro(p.times[edge])) {
			break
		}
		data, err := b.content(ctx, p.number)
		if err != nil {
			return nil, err
		}
		if data == nil { // it was forgotten meanwhile
			continue
		}
		lines, err := unpack(data, w.machine, w.of)
		if err != nil {
			if damaged == nil {
				damaged = fmt.Errorf("store: log of %s from %s on: %w", w.machine, time.UnixMicro(p.times[0]).UTC().Format(time.RFC3339), err)
			}
			continue
		}
		for _, l := range lines {
			found = w.take(found, l)
		}
	}
	return w.cut(found), damaged
}

// piece is a piece of the log, before it is read.
type piece struct {
	number int64
	times  [2]int64 // of its first and its last alert
}

// pieces finds the pieces that may have what is wanted, up to a number. It reads the index alone: most of them need not be read.
func (b *Board) pieces(ctx context.Context, w wanted, most int64, order string) (all []piece, err error) {
	rows, err := b.db.Query(ctx, "SELECT number, first, last FROM log WHERE machine = ? AND first <= ? AND last >= ? AND number <= ? ORDER BY "+order,
		w.machine, w.to.UnixMicro(), w.from.UnixMicro(), most)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var p piece
		if err := rows.Scan(&p.number, &p.times[0], &p.times[1]); err != nil {
			return nil, err
		}
		all = append(all, p)
	}
	return all, rows.Err()
}

// content is what a piece has, nil if there is no such piece.
func (b *Board) content(ctx context.Context, number int64) (data []byte, err error) {
	rows, err := b.db.Query(ctx, "SELECT alerts FROM log WHERE number = ?", number)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&data); err != nil {
			return nil, err
		}
	}
	return data, rows.Err()
}

// take adds a line if it is wanted.
func (w *wanted) take(found []line, l line) []line {
	if l.At.Before(w.from) || l.At.After(w.to) || w.of != "" && l.Case != w.of {
		return found
	}
	if found = append(found, l); len(found) > 20*w.most {
		return w.cut(found)
	}
	return found
}

// cut sorts lines by time, and drops those beyond the most.
func (w *wanted) cut(found []line) []line {
	slices.SortStableFunc(found, func(a, b line) int { return a.At.Compare(b.At) })
	switch extra := len(found) - w.most; {
	case extra <= 0:
		return found
	case w.newest:
		return slices.Delete(found, 0, extra)
	}
	return found[:w.most]
}

// enough tells whether a piece that begins (or, for the newest, ends) at a time has nothing that is wanted.
func (w *wanted) enough(found []line, edge time.Time) bool {
	switch {
	case len(found) < w.most:
		return false
	case w.newest:
		return edge.Before(found[0].At)
	}
	return edge.After(found[len(found)-1].At)
}

func (l *line) show(inCase string) review.CaseAlert {
	a := review.CaseAlert{At: l.At, Machine: l.Machine, Event: l.Event, Status: l.Status.String(), ID: l.Question, In: inCase != "" && l.Case == inCase}
	if !math.IsNaN(l.Score) {
		a.Score = &l.Score
	}
	return a
}

// A case shows so many of its alerts: the first ones and the last ones.
const (
	caseFirst = 100
	caseLast  = 200
)

// CaseAlerts are the alerts of a case, oldest first: at most the first 100 and the last 200. left is how many between them are left out. If a
// part of the log is damaged, the rest comes with the error.
func (b *Board) CaseAlerts(ctx context.Context, id string) (alerts []review.CaseAlert, left int, err error) {
	var machines []review.Count
	w := wanted{of: id}
	all := 0
	b.View(func(v View) {
		if c := v.Cases()[id]; c != nil {
			machines = Busiest(c.Machines, maxOfCase)
			w.from, w.to, all = c.First, c.Last, c.Alerts
		}
	})
	gather := func(most int, newest bool) []line {
		w.most, w.newest = most, newest
		var lines []line
		for _, machine := range machines {
			w.machine = machine.Name
			found, damaged := b.read(ctx, w)
			lines, err = append(lines, found...), cmp.Or(err, damaged)
		}
		return w.cut(lines)
	}
	lines := gather(min(caseFirst+caseLast, all), true)
	if all > caseFirst+caseLast && len(lines) == caseFirst+caseLast {
		lines = append(gather(caseFirst, false), lines[caseFirst:]...)
	}
	for _, l := range lines {
		alerts = append(alerts, l.show(id))
	}
	return alerts, all - len(lines), err
}

// Around are the alerts of a machine from one time to another, oldest first, at most n. If there are more, it is those before and after the
// first alert of the case. inCase marks those of the case.
func (b *Board) Around(ctx context.Context, machine string, from, to time.Time, inCase string, n int) (alerts []review.CaseAlert, err error) {
	began := from
	b.View(func(v View) {
		if c := v.Cases()[inCase]; c != nil {
			began = c.First
		}
	})
	before, err := b.read(ctx, wanted{machine: machine, from: from, to: began.Add(-1), most: n / 2, newest: true})
	after, damaged := b.read(ctx, wanted{machine: machine, from: began, to: to, most: n - len(before)})
	for _, l := range append(before, after...) {
		alerts = append(alerts, l.show(inCase))
	}
	return alerts, cmp.Or(err, damaged)
}

// Documents are those of a question, the newest first.
func (b *Board) Documents(ctx context.Context, question string) ([]review.Document, error) {
	number, all := int64(-1), map[int]review.Document{}
	b.View(func(v View) {
		if q := v.Questions()[question]; q != nil {
			number = q.Number
			for n, a := range q.bodies {
				all[n] = review.Document{At: a.At, Machine: a.Machine, Event: a.Event, Body: a.Body, Cut: a.Cut}
			}
		}
	})
	rows, err := b.db.Query(ctx, "SELECT number, at, machine, event, cut, body FROM document WHERE number >= ? AND number < ?", number*slots, (number+1)*slots)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var d review.Document
		var n, at int64
		if err := rows.Scan(&n, &at, &d.Machine, &d.Event, &d.Cut, &d.Body); err != nil {
			return nil, err
		}
		d.At = time.UnixMicro(at).UTC()
		if _, newer := all[int(n%slots)]; !newer {
			all[int(n%slots)] = d
		}
	}
	documents := slices.Collect(maps.Values(all))
	slices.SortFunc(documents, func(a, b review.Document) int { return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Machine, b.Machine)) })
	return documents, rows.Err()
}
