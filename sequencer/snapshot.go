package sequencer

import (
	"encoding/binary"
	"fmt"
	"math"

	"connect-deepcase/internal/snapshot"
)

// A snapshot is
//
//	version   byte, 2
//	arrived   uvarint
//	stale     uvarint
//	names     uvarint count, then of each its uvarint length and bytes
//	entries   uvarint count, varint time of the first, then of each, by time:
//	          uvarint nanoseconds since the previous one, uvarint 2·name + (1 if it has an id), uvarint rank of arrival,
//	          8 bytes id if it has one
//	CRC-32C   4 bytes of all before
//
// Fixed-size numbers are little-endian.
const snapshotVersion = 2

// Snapshot encodes the window. The encoding has a version and a checksum, can be read by other processes, and takes some 15 bytes per event
// plus each name once.
func (w *Window) Snapshot() []byte {
	w.shard.mu.Lock()
	defer w.shard.mu.Unlock()
	return w.window.encode(&w.shard.names)
}

// SnapshotArrived returns what Arrived was when the snapshot was made.
func SnapshotArrived(data []byte) (uint64, error) {
	d, err := openSnapshot(data)
	if err != nil {
		return 0, err
	}
	return d.Uvarint(math.MaxUint64), d.Check()
}

// Restore replaces the window with an encoded one, which may come from Windows with other options. If data is damaged or has another
// version, it returns an error and leaves the window unchanged.
func (w *Window) Restore(data []byte) error {
	d, err := decodeSnapshot(data)
	if err != nil {
		return err
	}
	w.shard.mu.Lock()
	defer w.shard.mu.Unlock()
	w.window.restore(&w.shard.names, w.windows.opts.keep(), d)
	w.windows.settle(w.shard, w.window)
	return nil
}

func (w *window) encode(n *names) []byte {
	var texts []string
	index := map[uint32]uint64{}
	for _, e := range w.entries {
		if _, ok := index[e.name]; !ok {
			index[e.name] = uint64(len(texts))
			texts = append(texts, n.text(e.name))
		}
	}
	ranks := make([]uint64, len(w.entries))
	for rank, i := range w.byArrival() {
		ranks[i] = uint64(rank)
	}

	b := append(make([]byte, 0, 64+16*len(w.entries)), snapshotVersion)
	b = binary.AppendUvarint(b, w.arrived)
	b = binary.AppendUvarint(b, uint64(w.stale))
	b = binary.AppendUvarint(b, uint64(len(texts)))
	for _, text := range texts {
		b = binary.AppendUvarint(b, uint64(len(text)))
		b = append(b, text...)
	}
	b = binary.AppendUvarint(b, uint64(len(w.entries)))
	if len(w.entries) > 0 {
		b = binary.AppendVarint(b, w.entries[0].time)
	}
	for i, e := range w.entries {
		b = binary.AppendUvarint(b, uint64(e.time)-uint64(w.entries[max(i, 1)-1].time))
		if e.id == 0 {
			b = binary.AppendUvarint(b, 2*index[e.name])
			b = binary.AppendUvarint(b, ranks[i])
		} else {
			b = binary.AppendUvarint(b, 2*index[e.name]+1)
			b = binary.AppendUvarint(b, ranks[i])
			b = binary.LittleEndian.AppendUint64(b, e.id)
		}
	}
	return snapshot.Seal(b)
}

// decoded is a decoded window. The names of its entries are indexes into texts.
type decoded struct {
	arrived uint64
	stale   uint32
	texts   []string
	entries []entry
}

func openSnapshot(data []byte) (*snapshot.Decoder, error) {
	return snapshot.Open(data, "window", snapshotVersion)
}

func decodeSnapshot(data []byte) (*decoded, error) {
	d, err := openSnapshot(data)
	if err != nil {
		return nil, err
	}
	s := &decoded{arrived: d.Uvarint(math.MaxUint64), stale: uint32(d.Uvarint(maxKeep))}
	s.texts = make([]string, d.Count(1))
	for i := range s.texts {
		s.texts[i] = string(d.Bytes(d.Uvarint(math.MaxUint64)))
	}
	s.entries = make([]entry, d.Count(1))
	seen := make([]bool, len(s.entries))
	var at int64
	if len(s.entries) > 0 {
		at = d.Varint()
	}
	for i := range s.entries {
		e := &s.entries[i]
		e.time = at + int64(d.Uvarint(math.MaxUint64))
		name := d.Uvarint(2 * uint64(len(s.texts)))
		rank := d.Uvarint(uint64(len(s.entries) - 1))
		if name&1 == 1 {
			e.id = d.Uint64()
		}
		if d.Failed() || e.time < at || name/2 >= uint64(len(s.texts)) || seen[rank] {
			return nil, d.Damaged(fmt.Sprintf("entry %d is not valid", i))
		}
		e.name, e.order, seen[rank] = uint32(name/2), uint32(rank), true
		at = e.time
	}
	return s, d.End()
}

const maxKeep = maxLength + 1 + maxLate

// restore replaces the window with the youngest entries of a snapshot.
func (w *window) restore(n *names, keep int, s *decoded) {
	w.clear(n)
	w.next, w.stale, w.arrived = uint32(len(s.entries)), s.stale, s.arrived
	w.entries = append([]entry(nil), s.entries[max(0, len(s.entries)-keep):]...)
	for i := range w.entries {
		text := s.texts[w.entries[i].name]
		w.entries[i].name = n.use(text)
		w.named += len(text)
	}
}
