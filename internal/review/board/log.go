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

// The log has a line for each alert: in the database, the lines of a machine that are written together are one piece.

const logVersion = 1

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

// unpack reads what pack wrote.
func unpack(data []byte, machine string) ([]line, error) {
	d, err := snapshot.Open(data, "log", logVersion)
	if err != nil {
		return nil, err
	}
	texts := make([]string, d.Count(1))
	for i := range texts {
		texts[i] = string(d.Bytes(d.Uvarint(math.MaxInt32)))
	}
	text := func() string {
		if n := d.Uvarint(math.MaxInt32); !d.Failed() && n < uint64(len(texts)) {
			return texts[n]
		}
		return ""
	}
	lines := make([]line, d.Count(13))
	last := int64(0)
	for i := range lines {
		last += d.Varint()
		lines[i] = line{At: time.UnixMicro(last).UTC(), Machine: machine, Event: text(), Case: text(), Question: text()}
		lines[i].Status, lines[i].Score = status(d), math.Float64frombits(d.Uint64())
	}
	return lines, d.End()
}

func status(d *snapshot.Decoder) model.Status {
	if b := d.Bytes(1); len(b) == 1 {
		return model.Status(b[0])
	}
	return 0
}

// read gives the lines of a machine from one time to another, in time, that use wants. Pieces that are damaged are left out, and told.
func (b *Board) read(ctx context.Context, machine string, from, to time.Time, use func(line)) error {
	var fresh []line
	var logged int64 // a checkpoint that comes meanwhile writes lines that are in fresh
	b.View(func(View) {
		logged = b.logged
		for _, l := range b.changed.lines[machine] {
			if !l.At.Before(from) && !l.At.After(to) {
				l.Machine = machine
				fresh = append(fresh, l)
			}
		}
	})
	rows, err := b.db.Read().QueryContext(ctx, "SELECT first, alerts FROM log WHERE machine = ? AND first <= ? AND last >= ? AND number <= ? ORDER BY first, number",
		machine, to.UnixMicro(), from.UnixMicro(), logged)
	if err != nil {
		return err
	}
	defer rows.Close()
	var damaged error
	for rows.Next() {
		var first int64
		var data []byte
		if err := rows.Scan(&first, &data); err != nil {
			return err
		}
		lines, err := unpack(data, machine)
		if err != nil {
			if damaged == nil {
				damaged = fmt.Errorf("store: log of %s from %s on: %w", machine, time.UnixMicro(first).UTC().Format(time.RFC3339), err)
			}
			continue
		}
		for _, l := range lines {
			if !l.At.Before(from) && !l.At.After(to) {
				use(l)
			}
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	for _, l := range fresh {
		use(l)
	}
	return damaged
}

func (l *line) show(inCase string) review.CaseAlert {
	a := review.CaseAlert{At: l.At, Machine: l.Machine, Event: l.Event, Status: l.Status.String(), ID: l.Question, In: inCase != "" && l.Case == inCase}
	if !math.IsNaN(l.Score) {
		a.Score = &l.Score
	}
	return a
}

// CaseAlerts are the alerts of a case, oldest first: at most the first 100 and the last 400. left is how many between them are left out. If a
// part of the log is damaged, the rest comes with the error.
func (b *Board) CaseAlerts(ctx context.Context, id string) (alerts []review.CaseAlert, left int, err error) {
	const most, begin = 500, 100
	var machines []string
	var from, to time.Time
	b.View(func(v View) {
		if c := v.Cases()[id]; c != nil {
			for _, m := range Busiest(c.Machines, maxOfCase) {
				machines = append(machines, m.Name)
			}
			from, to = c.First, c.Last
		}
	})
	var damaged error
	for _, machine := range machines {
		err := b.read(ctx, machine, from, to, func(l line) {
			if l.Case == id {
				alerts = append(alerts, l.show(id))
			}
			if len(alerts) > 20*most { // the first and the last of each machine are enough
				sortByTime(alerts)
				left += len(alerts) - 2*most
				alerts = slices.Delete(alerts, most, len(alerts)-most)
			}
		})
		if err != nil && damaged == nil {
			damaged = err
		}
	}
	sortByTime(alerts)
	if len(alerts) > most {
		left += len(alerts) - most
		alerts = slices.Delete(alerts, begin, len(alerts)-(most-begin))
	}
	return alerts, left, damaged
}

func sortByTime(alerts []review.CaseAlert) {
	slices.SortStableFunc(alerts, func(a, b review.CaseAlert) int { return a.At.Compare(b.At) })
}

// Around are the alerts of a machine from one time to another, oldest first, at most n: those next to the middle. inCase marks those of a case.
func (b *Board) Around(ctx context.Context, machine string, from, to time.Time, inCase string, n int) (alerts []review.CaseAlert, err error) {
	err = b.read(ctx, machine, from, to, func(l line) { alerts = append(alerts, l.show(inCase)) })
	sortByTime(alerts)
	if extra := len(alerts) - n; extra > 0 {
		alerts = alerts[extra/2 : extra/2+n]
	}
	return alerts, err
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
	rows, err := b.db.Read().QueryContext(ctx, "SELECT number, at, machine, event, cut, body FROM document WHERE number >= ? AND number < ?", number*slots, (number+1)*slots)
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
