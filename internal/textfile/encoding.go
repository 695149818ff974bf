package textfile

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
	"golang.org/x/text/transform"
)

// Encoding is how a text is encoded. The zero value is UTF-8.
type Encoding struct {
	name string // "" for UTF-8
	page encoding.Encoding
	// order is the byte order of UTF-16. It is nil for code pages, and if a byte order mark has to tell.
	order binary.ByteOrder
}

const (
	nameUTF8    = "utf-8"
	nameUTF16   = "utf-16"
	nameUTF16LE = "utf-16le"
	nameUTF16BE = "utf-16be"
)

var (
	// codePage are the numbers that Windows gives to encodings.
	codePage = regexp.MustCompile(`^(?:cp|codepage|windows|win|dos|ibm|ms)[-_ ]?(\d+)$`)
	// iso8859 are spellings of which an index knows some, and takes iso8859-1 for windows-1252.
	iso8859 = regexp.MustCompile(`^iso[-_ ]?8859[-_ ]?(\d+)$`)

	numbered = map[string]string{"932": "shift_jis", "936": "gbk", "949": "euc-kr", "950": "big5", "51949": "euc-kr", "51932": "euc-jp", "54936": "gb18030",
		"20866": "koi8-r", "21866": "koi8-u", "20127": "us-ascii", "1200": nameUTF16LE, "1201": nameUTF16BE, "65001": nameUTF8, "874": "windows-874"}
	named = map[string]string{"": nameUTF8, "utf8": nameUTF8, "unicode": nameUTF16, "utf16": nameUTF16, "utf16le": nameUTF16LE, "utf16be": nameUTF16BE,
		"utf-16-le": nameUTF16LE, "utf-16-be": nameUTF16BE, "latin-1": "iso-8859-1", "ascii": "us-ascii", "sjis": "shift_jis", "shift-jis": "shift_jis"}
	// stateful encodings are those whose bytes mean other characters after an escape: a line alone cannot be read.
	stateful = []string{"iso-2022-jp", "hz-gb-2312", "replacement", "x-user-defined", "utf-7", "utf-32"}
)

// ParseEncoding finds an encoding by one of its usual names, in upper or lower case.
func ParseEncoding(name string) (Encoding, error) {
	known := strings.ToLower(strings.TrimSpace(name))
	if m := iso8859.FindStringSubmatch(known); m != nil {
		known = "iso-8859-" + m[1]
	} else if m := codePage.FindStringSubmatch(known); m != nil {
		known = "ibm" + m[1]
		if len(m[1]) == 4 && strings.HasPrefix(m[1], "125") {
			known = "windows-" + m[1]
		}
		known = cmp.Or(numbered[m[1]], known)
	}
	switch known = cmp.Or(named[known], known); known {
	case nameUTF8:
		return Encoding{}, nil
	case nameUTF16:
		return Encoding{name: known}, nil
	case nameUTF16LE:
		return Encoding{name: known, order: binary.LittleEndian}, nil
	case nameUTF16BE:
		return Encoding{name: known, order: binary.BigEndian}, nil
	}
	page, err := ianaindex.IANA.Encoding(known)
	if err != nil || page == nil {
		page, _ = htmlindex.Get(known)
	}
	if page == nil {
		return Encoding{}, fmt.Errorf("%q is no encoding: want %s, %s, %s, %s, or a code page such as windows-1252, iso-8859-1, ibm437, ibm850, "+
			"koi8-r, shift_jis, gbk", name, nameUTF8, nameUTF16, nameUTF16LE, nameUTF16BE)
	}
	canonical, err := htmlindex.Name(page)
	if err != nil {
		canonical = known
	}
	if slices.Contains(stateful, canonical) {
		return Encoding{}, fmt.Errorf("%q is an encoding that is not read: want the file converted to UTF-8", name)
	}
	if strings.HasPrefix(canonical, "utf-") { // by a name that is not in the list above
		return ParseEncoding(canonical)
	}
	return Encoding{name: known, page: page}, nil
}

// String is the name of the encoding.
func (e Encoding) String() string { return cmp.Or(e.name, nameUTF8) }

// marker comes before each byte that is not a character of a code page. No UTF-8 has it, so that the text is seen to be wrong, and where.
const marker = 0xff

// Check is an error if a part of a decoded text is not valid: what could not be decoded, or is not UTF-8. It names the first such bytes.
func (e Encoding) Check(text []byte) error {
	if utf8.Valid(text) {
		return nil
	}
	if e.name == "" {
		return errUTF8
	}
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r != utf8.RuneError || n != 1 {
			i += n
			continue
		}
		_, wrong := e.wrong(text[i:])
		return fmt.Errorf("has %s, which is not %s: want another encoding", wrong, e.name)
	}
	return nil
}

var errUTF8 = errors.New("is not UTF-8: want UTF-8")

// wrong describes what could not be decoded at the start of a text, and says how long it is there.
func (e Encoding) wrong(text []byte) (n int, what string) {
	switch {
	case text[0] == 0xed && len(text) > 2: // half of a pair of UTF-16, as decodeUTF16 leaves it
		return 3, fmt.Sprintf("half a character, 0x%04X", 0xd000|int(text[1]&0x3f)<<6|int(text[2]&0x3f))
	case text[0] == marker && len(text) > 1 && text[1] >= utf8.RuneSelf:
		return 2, fmt.Sprintf("the byte 0x%02X", text[1])
	}
	return 1, "half a character at the end"
}

// Escape writes what could not be decoded as text: \x81, or \ud800 for half a character of UTF-16. UTF-8 stays as it is.
func (e Encoding) Escape(text []byte) []byte {
	if e.name == "" || utf8.Valid(text) {
		return text
	}
	var out []byte
	for i := 0; i < len(text); {
		r, n := utf8.DecodeRune(text[i:])
		if r != utf8.RuneError || n != 1 {
			out = append(out, text[i:i+n]...)
			i += n
			continue
		}
		n, _ = e.wrong(text[i:])
		switch n {
		case 3:
			out = fmt.Appendf(out, `\ud%03x`, int(text[i+1]&0x3f)<<6|int(text[i+2]&0x3f))
		case 2:
			out = fmt.Appendf(out, `\x%02x`, text[i+1])
		}
		i += n
	}
	return out
}

// Decode decodes a whole text, such as one message of a datagram. Check says whether all of it could be.
func (e Encoding) Decode(text []byte) []byte {
	d := e.decoder(nil)
	if d == nil {
		return text
	}
	var out []byte
	for len(text) > 0 {
		var used int
		out, used = d.decode(out, text, true)
		text = text[used:]
	}
	return out
}

// decoder makes a decoder of what in gives; nil for UTF-8, which needs none.
func (e Encoding) decoder(in io.Reader) *decoder {
	switch {
	case e.page != nil:
		return &decoder{in: in, decode: page{e.page.NewDecoder().Transformer}.decode}
	case e.order != nil:
		return &decoder{in: in, decode: func(dst, src []byte, end bool) ([]byte, int) { return decodeUTF16(e.order, dst, src, end) }}
	}
	return nil
}

// page decodes a code page.
type page struct{ transform.Transformer }
