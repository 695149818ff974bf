// Package snapshot reads and writes encoded states of machines, which processes share through a cache. The first byte is the version of the
// encoding, the last four are the CRC-32C of all before, little-endian.
package snapshot

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// errDamaged is in errors about snapshots that are not what was written.
var errDamaged = errors.New("snapshot is damaged")

// Seal appends the checksum.
func Seal(b []byte) []byte { return binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli)) }

// Decoder reads what is between the version and the checksum. Once a number is wrong, it reads zeros.
type Decoder struct {
	what   string // it is a snapshot of
	data   []byte
	failed bool
}

// Open checks the version and the checksum. What names the state in errors.
func Open(data []byte, what string, version byte) (*Decoder, error) {
	d := &Decoder{what: what}
	if len(data) == 0 {
		return nil, d.Damaged("it is empty")
	}
	if data[0] != version {
		return nil, fmt.Errorf("%s snapshot of version %d: want %d", what, data[0], version)
	}
	body := len(data) - 4
	if body < 1 || binary.LittleEndian.Uint32(data[body:]) != crc32.Checksum(data[:body], castagnoli) {
		return nil, d.Damaged(fmt.Sprintf("wrong checksum in %d bytes", len(data)))
	}
	d.data = data[1:body]
	return d, nil
}

// Damaged is an error that says why.
func (d *Decoder) Damaged(why string) error { return fmt.Errorf("%s %w: %s", d.what, errDamaged, why) }

// Failed says whether something that was read was wrong.
func (d *Decoder) Failed() bool { return d.failed }

// Check returns an error if something that was read was wrong.
func (d *Decoder) Check() error {
	if d.failed {
		return d.Damaged("wrong length")
	}
	return nil
}

// End returns an error if something that was read was wrong, or if more is left.
func (d *Decoder) End() error {
	d.failed = d.failed || len(d.data) > 0
	return d.Check()
}

// Uvarint reads a number that is at most limit.
func (d *Decoder) Uvarint(limit uint64) uint64 {
	v, n := binary.Uvarint(d.data)
	if n <= 0 || v > limit {
		d.fail()
		return 0
	}
	d.data = d.data[n:]
	return v
}

// Count reads a number of items that follow, of at least so many bytes each.
func (d *Decoder) Count(bytes int) int { return int(d.Uvarint(uint64(len(d.data) / bytes))) }

// Varint reads a signed number.
func (d *Decoder) Varint() int64 {
	v, n := binary.Varint(d.data)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.data = d.data[n:]
	return v
}

// Uint64 reads 8 bytes, little-endian.
func (d *Decoder) Uint64() uint64 {
	b := d.Bytes(8)
	if len(b) < 8 {
		return 0
	}
	return binary.LittleEndian.Uint64(b)
}

// Bytes reads n bytes; nil if there are fewer.
func (d *Decoder) Bytes(n uint64) []byte {
	if n > uint64(len(d.data)) {
		d.fail()
		return nil
	}
	b := d.data[:n]
	d.data = d.data[n:]
	return b
}

func (d *Decoder) fail() { d.failed, d.data = true, nil }
