package cases

import (
	"encoding/binary"
	"math"
	"slices"

	"connect-deepcase/internal/attack"
	"connect-deepcase/internal/snapshot"
)

// A snapshot is
//
//	version   byte, 'C', or 'D' if a case has techniques
//	arrived   uvarint
//	cases     uvarint count, then of each, least recently used first:
//	          byte kind, 8 bytes group, 8 bytes number, varint time of the first alert, uvarint nanoseconds to the last one;
//	          with version D also uvarint count of techniques, then of each, sorted: uvarint length and text
//	hours     uvarint count, then of each, least recently used first:
//	          8 bytes group, varint hours since 1970, uvarint alerts
//	alerts    uvarint count, then of each, oldest first:
//	          8 bytes alert, byte 2·kind + (1 if it opened its case), 8 bytes number of the case unless the kind is 0
//	CRC-32C   4 bytes of all before
//
// Fixed-size numbers are little-endian. The version is none that a snapshot of a window has, so neither is taken for the other. Programs that know
// no techniques share caches with this one as long as no alert has any.
const (
	version           = 'C'
	techniquesVersion = 'D'
	what              = "case"
)

// open opens a snapshot of either version.
func open(data []byte) (d *snapshot.Decoder, techniques bool, err error) {
	if len(data) > 0 && data[0] == techniquesVersion {
		d, err = snapshot.Open(data, what, techniquesVersion)
		return d, true, err
	}
	d, err = snapshot.Open(data, what, version)
	return d, false, err
}

// Arrived is how many alerts have arrived on the machine, without those that came again.
func (m *Machine) Arrived() uint64 { return m.arrived }

// Forget drops all cases and keeps Arrived, so that the new state of the machine counts as later than the states before.
func (m *Machine) Forget() { *m = Machine{arrived: m.arrived} }

// Snapshot encodes the machine. The encoding has a version and a checksum, and can be read by other processes. It takes some 25 bytes for
// each case, and 9 to 17 for each remembered alert.
func (m *Machine) Snapshot() []byte {
	b := append(make([]byte, 0, 32+26*len(m.spans)+16*len(m.hours)+17*len(m.marks)), version)
	techniques := slices.ContainsFunc(m.spans, func(s span) bool { return len(s.techniques) > 0 })
	if techniques {
		b[0] = techniquesVersion
	}
	b = binary.AppendUvarint(b, m.arrived)
	b = binary.AppendUvarint(b, uint64(len(m.spans)))
	for _, s := range m.spans {
		b = binary.LittleEndian.AppendUint64(append(b, byte(s.kind)), s.group)
		b = binary.LittleEndian.AppendUint64(b, s.number)
		b = binary.AppendVarint(b, s.first)
		b = binary.AppendUvarint(b, apart(s.first, s.last))
		if techniques {
			b = texts(binary.AppendUvarint(b, uint64(len(s.techniques))), s.techniques...)
		}
	}
	b = binary.AppendUvarint(b, uint64(len(m.hours)))
	for _, h := range m.hours {
		b = binary.LittleEndian.AppendUint64(b, h.group)
		b = binary.AppendVarint(b, h.hour)
		b = binary.AppendUvarint(b, uint64(h.count))
	}
	b = binary.AppendUvarint(b, uint64(len(m.marks)))
	for i := range m.marks {
		k := m.marks[(m.oldest+i)%len(m.marks)]
		kind := 2 * byte(k.kind)
		if k.opened {
			kind++
		}
		b = append(binary.LittleEndian.AppendUint64(b, k.alert), kind)
		if k.kind != None {
			b = binary.LittleEndian.AppendUint64(b, k.number)
		}
	}
	return snapshot.Seal(b)
}

// SnapshotArrived returns what Arrived was when the snapshot was made.
func SnapshotArrived(data []byte) (uint64, error) {
	d, _, err := open(data)
	if err != nil {
		return 0, err
	}
	return d.Uvarint(math.MaxUint64), d.Check()
}

// Restore replaces the machine with an encoded one. If data is damaged or has another version, it returns an error and leaves the machine
// unchanged.
func (m *Machine) Restore(data []byte) error {
	d, techniques, err := open(data)
	if err != nil {
		return err
	}
	r := Machine{arrived: d.Uvarint(math.MaxUint64)}
	if n := d.Count(19); n > 0 {
		r.spans = make([]span, n)
	}
	for i := range r.spans {
		s := &r.spans[i]
		s.kind, s.group, s.number, s.first = Kind(d.Uvarint(uint64(len(kindNames)-1))), d.Uint64(), d.Uint64(), d.Varint()
		s.last = s.first + int64(d.Uvarint(math.MaxUint64))
		valid := true
		if techniques {
			s.techniques, valid = readTechniques(d)
		}
		if !valid || s.last < s.first || s.kind == None {
			return d.Damaged("a case is not valid")
		}
	}
	if n := d.Count(10); n > 0 {
		r.hours = make([]hour, n)
	}
	for i := range r.hours {
		r.hours[i] = hour{group: d.Uint64(), hour: d.Varint(), count: uint32(d.Uvarint(math.MaxUint32))}
	}
	if n := d.Count(9); n > 0 {
		r.marks = make([]mark, n)
	}
	for i := range r.marks {
		k := &r.marks[i]
		k.alert = d.Uint64()
		coded := d.Uvarint(math.MaxUint8)
		k.kind, k.opened = Kind(coded/2), coded%2 == 1
		if int(k.kind) >= len(kindNames) || k.kind == None && k.opened {
			return d.Damaged("an alert is not valid")
		}
		if k.kind != None {
			k.number = d.Uint64()
		}
	}
	if err := d.End(); err != nil {
		return err
	}
	*m = r
	return nil
}

// readTechniques reads the techniques of a case.
func readTechniques(d *snapshot.Decoder) (ids []string, valid bool) {
	n := d.Count(len("T1110") + 1)
	if n > attack.Most {
		return nil, false
	}
	for range n {
		text := string(d.Bytes(d.Uvarint(uint64(len("T1110.001")))))
		id, ok := attack.Parse(text)
		if !ok || id != text || len(ids) > 0 && ids[len(ids)-1] >= id {
			return nil, false
		}
		ids = append(ids, id)
	}
	return ids, true
}
