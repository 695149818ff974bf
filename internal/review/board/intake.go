package board

import (
	"context"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/klauspost/compress/s2"

	"connect-deepcase/internal/attack"
	"connect-deepcase/internal/cases"
	"connect-deepcase/internal/snapshot"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

// Alerts are first written as they came, many in one row of the table intake, and counted in memory. From time to time a checkpoint writes all
// that has changed, and removes these rows. The next process takes up again what came after the last checkpoint.

// intakeVersion is the first byte of a row. Then come the time of the clock, the number of alerts, and the alerts. In rows of the earlier version,
// alerts have no techniques: those of their documents count.
const (
	intakeVersion  = 2
	earlierVersion = 1
)

// waiting are the alerts of a call of Add.
type waiting struct {
	alerts []Alert
	done   chan error
}

// Add takes up alerts. They are in the database when it returns. After an error, none of them counts.
func (b *Board) Add(ctx context.Context, alerts []Alert) error {
	w := &waiting{alerts, make(chan error, 1)}
	b.queue.Lock()
	b.waiting = append(b.waiting, w)
	b.queue.Unlock()
	b.intake.Lock()
	b.queue.Lock()
	together := b.waiting
	b.waiting = nil
	b.queue.Unlock()
	if len(together) > 0 { // else another call has taken them along
		err := b.takeUp(context.WithoutCancel(ctx), together)
		b.mu.Lock()
		b.refused = err
		b.mu.Unlock()
		if err != nil {
			err = fmt.Errorf("store: %w", err)
		}
		for _, w := range together {
			w.done <- err
		}
	}
	b.intake.Unlock()
	return <-w.done
}

// takeUp writes alerts, and counts them. intake is held.
func (b *Board) takeUp(ctx context.Context, together []*waiting) error {
	count := 0
	for _, w := range together {
		count += len(w.alerts)
	}
	clock := b.clock()
	if count > 0 {
		row := b.encodeRow(together, count, clock)
		err := b.db.Write(ctx, func(tx *sql.Tx) error {
			_, err := tx.Exec("INSERT INTO intake (alerts) VALUES (?)", row)
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, w := range together {
		for few := range slices.Chunk(w.alerts, takenAtOnce) {
			b.mu.Lock()
			for i := range few {
				b.take(&few[i], clock)
			}
			b.mu.Unlock()
		}
	}
	if b.fresh += count; b.fresh >= checkpointAlerts || b.freshBytes >= checkpointBytes || time.Since(b.checkpointed) > checkpointTime {
		if err := b.checkpoint(ctx); err != nil {
			b.o.Log("The review store cannot be written: %v (alerts go on, and it is tried again)", err)
		}
	}
	return nil
}

// maxReused is the most memory of a buffer that the next row uses again.
const maxReused = 16 << 20

// encodeRow gives alerts as a row of the intake, which is good until the next call. intake is held.
func (b *Board) encodeRow(together []*waiting, count int, clock int64) []byte {
	packed := binary.AppendUvarint(binary.AppendVarint(append(b.packed[:0], intakeVersion), clock), uint64(count))
	for _, w := range together {
		for i := range w.alerts {
			packed = w.alerts[i].append(packed)
		}
	}
	packed = snapshot.Seal(packed)
	row := s2.Encode(b.row[:cap(b.row)], packed)
	if b.packed, b.row = packed, row; cap(packed) > maxReused {
		b.packed, b.row = nil, nil
	}
	return row
}

// takenAtOnce is how many alerts are counted while the page waits: it is to answer while many alerts stream in.
const takenAtOnce = 100

// A checkpoint comes after so many alerts, so many bytes of documents, or so much time.
const (
	checkpointAlerts = 50_000
	checkpointBytes  = 32 << 20
	checkpointTime   = 30 * time.Second
)

// append encodes an alert.
func (a *Alert) append(to []byte) []byte {
	text := func(s string) { to = append(binary.AppendUvarint(to, uint64(len(s))), s...) }
	to = binary.LittleEndian.AppendUint64(to, uint64(a.At.UnixNano()))
	text(a.Machine)
	text(a.Event)
	to = binary.AppendUvarint(to, uint64(len(a.Context)))
	for _, name := range a.Context {
		text(name)
	}
	to = binary.AppendUvarint(to, uint64(len(a.Attention)))
	for _, x := range a.Attention {
		to = binary.LittleEndian.AppendUint64(to, math.Float64bits(x))
	}
	to = append(to, byte(a.Status), byte(a.Settled), byte(a.CaseKind), bit(a.Cut))
	to = binary.LittleEndian.AppendUint64(to, math.Float64bits(a.Score))
	to = binary.AppendVarint(to, int64(a.Cluster))
	to = binary.LittleEndian.AppendUint64(to, math.Float64bits(a.Confidence))
	text(a.Version)
	to = append(to, a.Pattern[:]...)
	text(a.Case)
	text(string(a.Body))
	to = binary.AppendUvarint(to, uint64(len(a.Techniques)))
	for _, id := range a.Techniques {
		text(id)
	}
	return to
}

func bit(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// decode decodes what append encoded in a version.
func decode(d *snapshot.Decoder, version byte) (a Alert) {
	text := func() string { return string(d.Bytes(d.Uvarint(math.MaxInt32))) }
	a.At = time.Unix(0, int64(d.Uint64())).UTC()
	a.Machine, a.Event = text(), text()
	a.Context = make([]string, d.Count(1))
	for i := range a.Context {
		a.Context[i] = text()
	}
	if n := d.Count(8); n > 0 {
		a.Attention = make([]float64, n)
		for i := range a.Attention {
			a.Attention[i] = math.Float64frombits(d.Uint64())
		}
	}
	a.Status, a.Settled, a.CaseKind, a.Cut = status(d), status(d), cases.Kind(status(d)), status(d) == model.Status(1)
	a.Score = math.Float64frombits(d.Uint64())
	a.Cluster = int(d.Varint())
	a.Confidence = math.Float64frombits(d.Uint64())
	a.Version = text()
	copy(a.Pattern[:], d.Bytes(uint64(len(decisions.Key{}))))
	a.Case = text()
	a.Body = []byte(text())
	if version == earlierVersion {
		a.Techniques = attack.OfJSON(a.Body)
		return a
	}
	for range d.Count(1) {
		if id, ok := attack.Parse(text()); ok {
			a.Techniques = attack.Merge(a.Techniques, id)
		}
	}
	return a
}

// replay takes up what came after the last checkpoint.
func (b *Board) replay(ctx context.Context) error {
	rows, err := b.db.Read().QueryContext(ctx, "SELECT alerts FROM intake ORDER BY number")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var packed sql.RawBytes
		if err := rows.Scan(&packed); err != nil {
			return err
		}
		clock, alerts, err := unpackAlerts(packed)
		if err != nil {
			return err
		}
		for i := range alerts {
			b.take(&alerts[i], clock)
		}
		b.fresh += len(alerts)
	}
	return rows.Err()
}

func unpackAlerts(packed []byte) (clock int64, alerts []Alert, err error) {
	sealed, err := s2.Decode(nil, packed)
	if err != nil {
		return 0, nil, fmt.Errorf("intake is damaged: %w", err)
	}
	version := byte(intakeVersion)
	if len(sealed) > 0 && sealed[0] == earlierVersion {
		version = earlierVersion
	}
	d, err := snapshot.Open(sealed, "intake", version)
	if err != nil {
		return 0, nil, err
	}
	clock = d.Varint()
	alerts = make([]Alert, d.Count(60))
	for i := range alerts {
		alerts[i] = decode(d, version)
	}
	return clock, alerts, d.End()
}
