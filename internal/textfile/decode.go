package textfile

import (
	"bytes"
	"encoding/binary"
	"io"
	"slices"
	"unicode/utf16"
	"unicode/utf8"
)

// decoder gives a text as UTF-8. Its memory does not depend on the text.
type decoder struct {
	in io.Reader
	// decode appends what it decodes of src, and says how many bytes these were. At the end it uses all of them.
	decode func(dst, src []byte, end bool) (out []byte, used int)

	src     []byte // read and not decoded yet, with room behind
	held    int    // bytes of src
	out     []byte // decoded and not given yet
	spare   []byte // the memory of out
	pending error  // of in, to be given after out
}

const decodedAtOnce = 16 << 10

func (d *decoder) Read(p []byte) (int, error) {
	for len(d.out) == 0 {
		if err := d.pending; err != nil {
			if err != io.EOF { // after another, such as a deadline, more may come
				d.pending = nil
				return 0, err
			}
			if d.held == 0 {
				return 0, err
			}
		} else {
			if d.src == nil {
				d.src = make([]byte, decodedAtOnce)
			}
			var n int
			n, d.pending = d.in.Read(d.src[d.held:])
			d.held += n
		}
		out, used := d.decode(d.spare[:0], d.src[:d.held], d.pending == io.EOF)
		d.held = copy(d.src, d.src[used:d.held])
		d.out, d.spare = out, out
	}
	n := copy(p, d.out)
	d.out = d.out[n:]
	return n, nil
}

// replacement is what decoders of golang.org/x/text write in place of what is wrong.
var replacement = []byte(string(utf8.RuneError))

func (p page) decode(dst, src []byte, end bool) (out []byte, used int) {
	start := len(dst)
	dst = slices.Grow(dst, 3*len(src)+utf8.UTFMax) // no character of a code page becomes more
	n, used, _ := p.Transform(dst[start:cap(dst)], src, end)
	if out = dst[:start+n]; !bytes.Contains(out[start:], replacement) {
		return out, used
	}
	return p.decodeEach(dst[:start], src, end)
}

// decodeEach decodes character by character, and keeps bytes that are none behind a marker.
func (p page) decodeEach(dst, src []byte, end bool) (out []byte, used int) {
	var one [4 * utf8.UTFMax]byte
	for used < len(src) {
		var n, size int
		for want := used + 1; size == 0; want++ {
			if want > len(src) {
				return dst, used // more has to come
			}
			n, size, _ = p.Transform(one[:], src[used:want], end && want == len(src))
		}
		if !bytes.HasPrefix(one[:n], replacement) {
			dst = append(dst, one[:n]...)
			used += size
			continue
		}
		if n > len(replacement) {
			size = 1 // its first byte is wrong, and the others are characters
		}
		// An ASCII character after the first byte is itself: it may be a line end or a quote.
		for i := range size {
			c := src[used]
			if c < utf8.RuneSelf {
				if i > 0 {
					break
				}
				dst = append(dst, marker)
			} else {
				dst = append(dst, marker, c)
			}
			used++
		}
	}
	return dst, used
}

// decodeUTF16 keeps half a pair in the form that UTF-8 would have for it, which is not valid.
func decodeUTF16(order binary.ByteOrder, dst, src []byte, end bool) (out []byte, used int) {
	dst = slices.Grow(dst, 3*len(src)/2+utf8.UTFMax)
	for len(src)-used >= 2 {
		r := rune(order.Uint16(src[used:]))
		if !utf16.IsSurrogate(r) {
			dst = utf8.AppendRune(dst, r)
			used += 2
			continue
		}
		if r < 0xdc00 {
			if len(src)-used < 4 && !end {
				return dst, used
			}
			if len(src)-used >= 4 {
				if pair := utf16.DecodeRune(r, rune(order.Uint16(src[used+2:]))); pair != utf8.RuneError {
					dst = utf8.AppendRune(dst, pair)
					used += 4
					continue
				}
			}
		}
		dst = append(dst, 0xed, 0x80|byte(r>>6)&0x3f, 0x80|byte(r)&0x3f)
		used += 2
	}
	if end && used < len(src) {
		dst = append(dst, marker)
		used = len(src)
	}
	return dst, used
}
