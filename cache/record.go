package cache

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io/fs"
)

// record is a value in the log, for an entry whose file is there. It counts as long as that file is the one that was there when the record was
// written: whoever writes, removes or restores the file has the last word.
//
// In the log, a record is, all numbers little-endian: the 4 bytes of magic; the CRC-32C of all that follows (4 bytes); the length of the name (2) and
// of the value (4); when it was written, the date of the file (both in nanoseconds of Unix time, 8 each), and the size of the file in bytes (8); the
// name of the file; the value.
type record struct {
	name    string
	value   []byte
	written int64 // Unix nanoseconds
	of      fileID
}

// fileID tells the files apart that an entry had: each is given a date of its own.
type fileID struct{ modified, size int64 }

func idOf(info fs.FileInfo) fileID { return fileID{info.ModTime().UnixNano(), info.Size()} }

const (
	magic      = "dcw1"
	summed     = 8 // where that begins which the checksum is of
	recordHead = summed + 2 + 4 + 8 + 8 + 8
	maxLogged  = 64 << 10 // the most bytes of a value in the log; a longer one is written to its file
	maxRecord  = recordHead + maxName + maxLogged
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// append appends the record to buf.
func (r record) append(buf []byte) []byte {
	start := len(buf)
	buf = append(buf, magic...)
	buf = append(buf, 0, 0, 0, 0)
	buf = binary.LittleEndian.AppendUint16(buf, uint16(len(r.name)))
	buf = binary.LittleEndian.AppendUint32(buf, uint32(len(r.value)))
	buf = binary.LittleEndian.AppendUint64(buf, uint64(r.written))
	buf = binary.LittleEndian.AppendUint64(buf, uint64(r.of.modified))
	buf = binary.LittleEndian.AppendUint64(buf, uint64(r.of.size))
	buf = append(buf, r.name...)
	buf = append(buf, r.value...)
	binary.LittleEndian.PutUint32(buf[start+4:], crc32.Checksum(buf[start+summed:], castagnoli))
	return buf
}

// readRecord reads the record at the beginning of data, and says how many bytes it has. If there is none, or not all of it, ok is false. The value is
// part of data.
func readRecord(data []byte) (r record, size int, ok bool) {
	if len(data) < recordHead || string(data[:4]) != magic {
		return r, 0, false
	}
	name, value := int(binary.LittleEndian.Uint16(data[8:])), int64(binary.LittleEndian.Uint32(data[10:]))
	if name > maxName || value > maxLogged || len(data) < recordHead+name+int(value) {
		return r, 0, false
	}
	size = recordHead + name + int(value)
	if crc32.Checksum(data[summed:size], castagnoli) != binary.LittleEndian.Uint32(data[4:]) {
		return r, 0, false
	}
	r = record{
		name:    string(data[recordHead : recordHead+name]),
		value:   data[recordHead+name : size],
		written: int64(binary.LittleEndian.Uint64(data[14:])),
		of:      fileID{int64(binary.LittleEndian.Uint64(data[22:])), int64(binary.LittleEndian.Uint64(data[30:]))},
	}
	return r, size, isName(r.name)
}

// skip is how many bytes to leave out of data, which does not begin with a record, before one may begin.
func skip(data []byte) int {
	if at := bytes.Index(data[1:], []byte(magic)); at >= 0 {
		return at + 1
	}
	return max(1, len(data)-len(magic)+1) // the end may be the beginning of magic
}
