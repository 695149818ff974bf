package textfile

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"unicode/utf8"
)

// EncodingError means that the beginning of a text shows another encoding than the one that it is read with.
type EncodingError struct {
	Is   string // what the text is
	Want string // the name of the encoding that is right
}

func (e *EncodingError) Error() string { return fmt.Sprintf("is %s: want encoding: %s", e.Is, e.Want) }

// sampleSize is how much of a text is looked at.
const sampleSize = 256

const (
	markUTF8    = "\xef\xbb\xbf"
	markUTF16LE = "\xff\xfe"
	markUTF16BE = "\xfe\xff"
)

// recognise looks at the beginning of a text. It gives the encoding with its byte order, and the length of the byte order mark.
func (e Encoding) recognise(text []byte) (Encoding, int, error) {
	is := ""
	switch {
	case bytes.HasPrefix(text, []byte(markUTF8)):
		is = nameUTF8
	case bytes.HasPrefix(text, []byte(markUTF16LE)):
		is = nameUTF16LE
	case bytes.HasPrefix(text, []byte(markUTF16BE)):
		is = nameUTF16BE
	}
	switch {
	case e.page != nil:
		return e, 0, e.notThePage(text, is)
	case e.name != "":
		return e.utf16(text, is)
	case is == nameUTF8:
		return e, len(markUTF8), nil
	case is != "":
		return e, 0, &EncodingError{"UTF-16", nameUTF16}
	}
	return e, 0, unmarked(text)
}

// unmarked is an error if a text is UTF-16 without a mark: of its first two bytes one is 0.
func unmarked(text []byte) error {
	if len(text) < 2 || (text[0] == 0) == (text[1] == 0) {
		return nil
	}
	order := nameUTF16LE
	if text[0] == 0 {
		order = nameUTF16BE
	}
	return &EncodingError{"UTF-16 without its mark", order}
}

// notThePage is an error if a text is no code page. The marks of UTF-16 are also two letters of a code page.
func (e Encoding) notThePage(text []byte, is string) error {
	switch {
	case is == nameUTF8:
		return &EncodingError{"UTF-8, by its byte order mark", nameUTF8}
	case is != "" && bytes.IndexByte(text[2:], 0) >= 0:
		return &EncodingError{"UTF-16", nameUTF16}
	}
	return unmarked(text)
}

// utf16 is recognise for UTF-16.
func (e Encoding) utf16(text []byte, is string) (Encoding, int, error) {
	switch {
	case is == nameUTF8:
		return e, 0, &EncodingError{"UTF-8, by its byte order mark", nameUTF8}
	case is != "" && e.order != nil && is != e.name:
		return e, 0, &EncodingError{is + ", by its byte order mark", is}
	case is == nameUTF16LE:
		e.order = binary.LittleEndian
		return e, len(markUTF16LE), nil
	case is == nameUTF16BE:
		e.order = binary.BigEndian
		return e, len(markUTF16BE), nil
	case bytesAreLetters(text):
		return e, 0, &EncodingError{"not UTF-16", nameUTF8 + " or a code page"}
	case e.order == nil:
		if err := unmarked(text); err != nil {
			return e, 0, err
		}
		return e, 0, &EncodingError{"UTF-16 without its mark", nameUTF16LE + " or " + nameUTF16BE}
	}
	if other := swapped(text, e.order); other != "" {
		return e, 0, &EncodingError{other, other}
	}
	return e, 0, nil
}

// bytesAreLetters reports whether a text has no 0 and no control character, which the letters of ASCII, spaces and line ends of UTF-16 have. In
// a short text that proves little, unless it is UTF-8.
func bytesAreLetters(text []byte) bool {
	for _, c := range text {
		if c < ' ' && c != '\t' && c != '\n' && c != '\r' {
			return false
		}
	}
	if len(text) == sampleSize {
		return true
	}
	return len(text) > 1 && utf8.Valid(text)
}

// swapped names the other byte order if all characters of a text have their 0 where that order has it.
func swapped(text []byte, order binary.ByteOrder) string {
	at, other := 0, nameUTF16BE
	if order == binary.BigEndian {
		at, other = 1, nameUTF16LE
	}
	if len(text) < 4 {
		return ""
	}
	for i := 0; i+1 < len(text); i += 2 {
		if text[i+at] != 0 || text[i+1-at] == 0 {
			return ""
		}
	}
	return other
}
