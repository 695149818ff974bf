package snapshot

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestWhatWasSealedIsRead(t *testing.T) {
	b := binary.AppendUvarint([]byte{7}, math.MaxUint64)
	b = binary.AppendVarint(b, math.MinInt64)
	b = binary.LittleEndian.AppendUint64(b, 3)
	b = append(binary.AppendUvarint(b, 2), 'h', 'i')
	d, err := Open(Seal(b), "thing", 7)
	require.NoError(t, err)
	assert.Equal(t, uint64(math.MaxUint64), d.Uvarint(math.MaxUint64))
	assert.Equal(t, int64(math.MinInt64), d.Varint())
	assert.Equal(t, uint64(3), d.Uint64())
	n := d.Count(1)
	require.NoError(t, d.Check())
	assert.ErrorIs(t, d.End(), errDamaged, "something is left")
	assert.Empty(t, d.Bytes(0))
	assert.Equal(t, 2, n)
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	good := Seal([]byte{7, 1})
	for _, c := range []struct {
		data []byte
		want string
	}{
		{nil, "thing snapshot is damaged: it is empty"},
		{Seal([]byte{8, 1}), "thing snapshot of version 8: want 7"},
		{[]byte{7}, "thing snapshot is damaged: wrong checksum in 1 bytes"},
		{good[:len(good)-1], "thing snapshot is damaged: wrong checksum in 5 bytes"},
		{append([]byte{7, 2}, good[2:]...), "thing snapshot is damaged: wrong checksum in 6 bytes"},
	} {
		_, err := Open(c.data, "thing", 7)
		assert.EqualError(t, err, c.want)
	}
}

// Once something is wrong, all that follows is zero, and the end tells.
func TestAWrongNumberEndsTheReading(t *testing.T) {
	for name, read := range map[string]func(*Decoder){
		"above the limit":       func(d *Decoder) { assert.Zero(t, d.Uvarint(4)) },
		"more items than bytes": func(d *Decoder) { assert.Zero(t, d.Count(1)) },
		"too few bytes":         func(d *Decoder) { assert.Nil(t, d.Bytes(4)) },
		"no eight bytes":        func(d *Decoder) { assert.Zero(t, d.Uint64()) },
	} {
		d, err := Open(Seal([]byte{7, 5, 1, 1}), "thing", 7)
		require.NoError(t, err)
		read(d)
		assert.True(t, d.Failed(), name)
		assert.Zero(t, d.Varint(), name)
		assert.Zero(t, d.Uvarint(9), name)
		assert.EqualError(t, d.End(), "thing snapshot is damaged: wrong length", name)
	}
}
