package sequencer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"
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

var (
	castagnoli  = crc32.MakeTable(crc32.Castagnoli)
	errSnapshot = errors.New("window snapshot is damaged")
)

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
	arrived := d.uvarint(math.MaxUint64)
	if d.failed {
		return 0, fmt.Errorf("%w: wrong length", errSnapshot)
	}
	return arrived, nil
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
	return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// snapshot is a decoded window. The names of its entries are indexes into texts.
type snapshot struct {
	arrived uint64
	stale   uint32
	texts   []string
	entries []entry
}

// openSnapshot checks a snapshot and returns a decoder of what follows the version.
func openSnapshot(data []byte) (*decoder, error) {
	if len(data) == 0 {
		return nil, fmt.Errorf("%w: it is empty", errSnapshot)
	}
	if data[0] != snapshotVersion {
		return nil, fmt.Errorf("window snapshot of version %d: want %d", data[0], snapshotVersion)
	}
	body := len(data) - 4
	if body < 1 || binary.LittleEndian.Uint32(data[body:]) != crc32.Checksum(data[:body], castagnoli) {
		return nil, fmt.Errorf("%w: wrong checksum in %d bytes", errSnapshot, len(data))
	}
	return &decoder{data: data[1:body]}, nil
}

func decodeSnapshot(data []byte) (*snapshot, error) {
	d, err := openSnapshot(data)
	if err != nil {
		return nil, err
	}
	s := &snapshot{arrived: d.uvarint(math.MaxUint64), stale: uint32(d.uvarint(maxKeep))}
	// Every name and every entry takes at least one byte, so the rest of the data bounds the counts.
	s.texts = make([]string, d.uvarint(uint64(len(d.data))))
	for i := range s.texts {
		s.texts[i] = string(d.bytes(d.uvarint(uint64(len(d.data)))))
	}
	s.entries = make([]entry, d.uvarint(uint64(len(d.data))))
	seen := make([]bool, len(s.entries))
	var at int64
	if len(s.entries) > 0 {
		at = d.varint()
	}
	for i := range s.entries {
		e := &s.entries[i]
		e.time = at + int64(d.uvarint(math.MaxUint64))
		name := d.uvarint(2 * uint64(len(s.texts)))
		rank := d.uvarint(uint64(len(s.entries) - 1))
		if name&1 == 1 {
			if id := d.bytes(8); len(id) == 8 {
				e.id = binary.LittleEndian.Uint64(id)
			}
		}
		if d.failed || e.time < at || name/2 >= uint64(len(s.texts)) || seen[rank] {
			return nil, fmt.Errorf("%w: entry %d is not valid", errSnapshot, i)
		}
		e.name, e.order, seen[rank] = uint32(name/2), uint32(rank), true
		at = e.time
	}
	if d.failed || len(d.data) > 0 {
		return nil, fmt.Errorf("%w: wrong length", errSnapshot)
	}
	return s, nil
}

const maxKeep = maxLength + 1 + maxLate

// restore replaces the window with the youngest entries of a snapshot.
func (w *window) restore(n *names, keep int, s *snapshot) {
	w.clear(n)
	w.next, w.stale, w.arrived = uint32(len(s.entries)), s.stale, s.arrived
	w.entries = append([]entry(nil), s.entries[max(0, len(s.entries)-keep):]...)
	for i := range w.entries {
		text := s.texts[w.entries[i].name]
		w.entries[i].name = n.use(text)
		w.named += len(text)
	}
}

// decoder reads numbers until one is wrong; from then on it returns zeros.
type decoder struct {
	data   []byte
	failed bool
}

// uvarint reads a number that is at most limit.
func (d *decoder) uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.data)
	if n <= 0 || v > limit {
		d.failed, d.data = true, nil
		return 0
	}
	d.data = d.data[n:]
	return v
}

func (d *decoder) varint() int64 {
	v, n := binary.Varint(d.data)
	if n <= 0 {
		d.failed, d.data = true, nil
		return 0
	}
	d.data = d.data[n:]
	return v
}

func (d *decoder) bytes(n uint64) []byte {
	if n > uint64(len(d.data)) {
		d.failed, d.data = true, nil
		return nil
	}
	b := d.data[:n]
	d.data = d.data[n:]
	return b
}
