package textfile_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"

	"connect-deepcase/internal/textfile"
)

func TestEncodingsHaveManyNames(t *testing.T) {
	for want, names := range map[string]string{
		"utf-8":        "|utf-8|UTF8| cp65001",
		"utf-16":       "utf-16|UTF16|unicode",
		"utf-16le":     "UTF-16LE|utf16le|utf-16-le|cp1200",
		"utf-16be":     "utf-16be|cp1201",
		"windows-1252": "windows-1252|CP1252|cp-1252|Windows 1252|win1252",
		"iso-8859-1":   "iso-8859-1|ISO8859-1|iso_8859_1|latin-1",
		"iso-8859-15":  "ISO-8859-15|iso8859-15",
		"ibm437":       "IBM437|cp437|dos437",
		"ibm850":       "ibm850|CP850|cp-850",
		"ibm866":       "cp866|ibm866",
		"koi8-r":       "KOI8-R|cp20866",
		"shift_jis":    "shift_jis|Shift-JIS|sjis|cp932|windows-932",
		"gbk":          "GBK|cp936|windows-936",
		"gb18030":      "GB18030|cp54936",
		"big5":         "Big5|cp950",
		"euc-kr":       "euc-kr|cp949",
		"us-ascii":     "ascii|US-ASCII",
	} {
		for name := range strings.SplitSeq(names, "|") {
			e, err := textfile.ParseEncoding(name)
			require.NoError(t, err, name)
			assert.Equal(t, want, e.String(), name)
		}
	}
	for name, want := range map[string]string{
		"utf":         `"utf" is no encoding: want utf-8, utf-16, utf-16le, utf-16be, or a code page such as windows-1252`,
		"cp9999":      "is no encoding",
		"iso-2022-jp": "is an encoding that is not read: want the file converted to UTF-8",
		"iso-2022-kr": "is an encoding that is not read",
		"hz-gb-2312":  "is an encoding that is not read",
		"utf-7":       "is no encoding",
	} {
		_, err := textfile.ParseEncoding(name)
		assert.ErrorContains(t, err, want, name)
	}
}

// in reads a text that has an encoding.
func in(t testing.TB, name string, text io.Reader) (string, error) {
	t.Helper()
	e, err := textfile.ParseEncoding(name)
	require.NoError(t, err)
	r, err := e.NewReader(text)
	if err != nil {
		return "", err
	}
	have, err := io.ReadAll(r)
	return string(have), err
}

func TestTheBeginningShowsAnotherEncoding(t *testing.T) {
	for _, c := range []struct{ encoding, text, want string }{
		{"utf-8", "\xff\xfea\x00", "is UTF-16: want encoding: utf-16"},
		{"utf-8", "\xfe\xff\x00a", "is UTF-16: want encoding: utf-16"},
		{"utf-8", "a\x00b\x00", "is UTF-16 without its mark: want encoding: utf-16le"},
		{"utf-8", "\x00a\x00b", "is UTF-16 without its mark: want encoding: utf-16be"},
		{"windows-1252", "\xff\xfea\x00", "is UTF-16: want encoding: utf-16"},
		{"windows-1252", "a\x00b\x00", "is UTF-16 without its mark: want encoding: utf-16le"},
		{"windows-1252", "\xef\xbb\xbfabc", "is UTF-8, by its byte order mark: want encoding: utf-8"},
		{"utf-16", "\xef\xbb\xbfabc", "is UTF-8, by its byte order mark: want encoding: utf-8"},
		{"utf-16", "abc\n", "is not UTF-16: want encoding: utf-8 or a code page"},
		{"utf-16", "a\x00b\x00", "is UTF-16 without its mark: want encoding: utf-16le"},
		{"utf-16", "\x16\x04\x16\x04", "is UTF-16 without its mark: want encoding: utf-16le or utf-16be"},
		{"utf-16le", "\xfe\xff\x00a", "is utf-16be, by its byte order mark: want encoding: utf-16be"},
		{"utf-16be", "\xff\xfea\x00", "is utf-16le, by its byte order mark: want encoding: utf-16le"},
		{"utf-16be", "a\x00b\x00\n\x00", "is utf-16le: want encoding: utf-16le"},
		{"utf-16le", "\x00a\x00b", "is utf-16be: want encoding: utf-16be"},
		{"utf-16le", strings.Repeat("caf\xe9\n", 60), "is not UTF-16: want encoding: utf-8 or a code page"},
		{"utf-16le", "timestamp,machine\n", "is not UTF-16: want encoding: utf-8 or a code page"},
	} {
		_, err := in(t, c.encoding, strings.NewReader(c.text))
		assert.EqualError(t, err, c.want, "%s: %q", c.encoding, c.text)
		_, err = in(t, c.encoding, strings.NewReader(gzipped(t, c.text)))
		assert.EqualError(t, err, c.want, "%s, gzip: %q", c.encoding, c.text)
	}
}

// What is no character is said, and not replaced.
func TestBytesThatAreNoCharacters(t *testing.T) {
	for _, c := range []struct{ encoding, text, want, wrong string }{
		{"utf-8", "caf\xe9", "caf\xe9", "is not UTF-8: want UTF-8"},
		{"windows-1252", "caf\xe9 \x93x\x94\n", "café “x”\n", ""},
		{"windows-1252", "a\x81b\x8d\x8f\n", `a\x81b\x8d\x8f` + "\n", "has the byte 0x81, which is not windows-1252: want another encoding"},
		{"iso-8859-1", "caf\xe9", "café", ""},
		{"ibm437", "M\x9aNCHEN", "MÜNCHEN", ""},
		{"ibm850", "M\x9aNCHEN", "MÜNCHEN", ""},
		{"koi8-r", "\xf7\xc8\xcf\xc4", "Вход", ""},
		{"us-ascii", "caf\xe9", `caf\xe9`, "has the byte 0xE9, which is not us-ascii: want another encoding"},
		{"shift_jis", "\x83\x8d\x83O\n", "ログ\n", ""},
		{"shift_jis", "\x83\n\xfdx", "\\x83\n\\xfdx", "has the byte 0x83, which is not shift_jis: want another encoding"},
		{"shift_jis", "a\x83", `a\x83`, "has the byte 0x83, which is not shift_jis: want another encoding"},
		{"gbk", "\xb5\xc7\xc2\xbc", "登录", ""},
		{"gbk", "\xb5\"\xff", `\xb5"\xff`, "has the byte 0xB5, which is not gbk: want another encoding"},
		{"gb18030", "\x81\x30\x81", `\x810\x81`, "has the byte 0x81, which is not gb18030: want another encoding"},
		{"utf-16", "\xff\xfea\x00\x3d\xd8\x00\xdeb\x00", "a😀b", ""},
		{"utf-16", "\xfe\xff\x00a\x00\n", "a\n", ""},
		{"utf-16le", "\xff\xfea\x00", "a", ""},
		{"utf-16le", "\xfd\xffa\x00", "\ufffda", ""}, // it was there
		{"utf-16le", "a\x00\x3d\xd8\n\x00", `a\ud83d` + "\n", "has half a character, 0xD83D, which is not utf-16le: want another encoding"},
		{"utf-16le", "a\x00\x0a\xde\n\x00", `a\ude0a` + "\n", "has half a character, 0xDE0A, which is not utf-16le: want another encoding"},
		{"utf-16le", "a\x00\n\x00\x3d\xd8", "a\n" + `\ud83d`, "has half a character, 0xD83D, which is not utf-16le: want another encoding"},
		{"utf-16le", "a\x00\n\x00b", "a\n", "has half a character at the end, which is not utf-16le: want another encoding"},
		{"utf-16", "", "", ""},
	} {
		for _, reader := range []io.Reader{strings.NewReader(c.text), iotest.OneByteReader(strings.NewReader(c.text)), iotest.DataErrReader(strings.NewReader(c.text))} {
			have, err := in(t, c.encoding, reader)
			require.NoError(t, err, "%s: %q", c.encoding, c.text)
			e, err := textfile.ParseEncoding(c.encoding)
			require.NoError(t, err)
			assert.Equal(t, c.want, string(e.Escape([]byte(have))), "%s: %q", c.encoding, c.text)
			if err = e.Check([]byte(have)); c.wrong == "" {
				assert.NoError(t, err, "%s: %q", c.encoding, c.text)
			} else {
				assert.EqualError(t, err, c.wrong, "%s: %q", c.encoding, c.text)
			}
			if e.String() != "utf-16" { // a datagram has no mark
				assert.Equal(t, have, strings.TrimPrefix(string(e.Decode([]byte(c.text))), "\ufeff"), "%s: %q", c.encoding, c.text)
			}
		}
	}
}

// An error of the file comes after what was read before it, and reading can go on after a deadline.
func TestAnErrorInTheMiddleOfEncodedText(t *testing.T) {
	e, err := textfile.ParseEncoding("utf-16le")
	require.NoError(t, err)
	r, err := e.NewReader(io.MultiReader(strings.NewReader("a\x00b\x00\n"), iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("\x00c\x00\n\x00")))))
	require.NoError(t, err)
	line, err := r.ReadString('\n')
	for err != nil {
		require.ErrorIs(t, err, iotest.ErrTimeout)
		var more string
		more, err = r.ReadString('\n')
		line += more
	}
	assert.Equal(t, "ab\n", line)
	rest, err := io.ReadAll(r)
	for err != nil {
		require.ErrorIs(t, err, iotest.ErrTimeout)
		var more []byte
		more, err = io.ReadAll(r)
		rest = append(rest, more...)
	}
	assert.Equal(t, "c\n", string(rest))

	long := strings.Repeat("x\x00\n\x00", 100_000)
	have, err := in(t, "utf-16le", strings.NewReader(gzipped(t, long)[:300]))
	assert.EqualError(t, err, "ends in the middle: want the whole file")
	assert.NotEmpty(t, have)
	assert.True(t, strings.HasPrefix(strings.Repeat("x\n", 100_000), have))
}

var library = map[string]encoding.Encoding{
	"windows-1252": charmap.Windows1252, "windows-1251": charmap.Windows1251, "iso-8859-1": charmap.ISO8859_1, "ibm437": charmap.CodePage437,
	"ibm850": charmap.CodePage850, "koi8-r": charmap.KOI8R, "shift_jis": japanese.ShiftJIS, "euc-jp": japanese.EUCJP, "gbk": simplifiedchinese.GBK,
	"gb18030": simplifiedchinese.GB18030, "big5": traditionalchinese.Big5, "euc-kr": korean.EUCKR,
	"utf-16le": unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), "utf-16be": unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
}

// compareDecoded decodes a text in chunks, at once, and by the library: what the library decodes comes out, and what it does not is found.
func compareDecoded(t *testing.T, name string, text []byte, chunk int) {
	t.Helper()
	e, err := textfile.ParseEncoding(name)
	require.NoError(t, err)
	have := e.Decode(text)
	if first, err := in(t, name, bytes.NewReader(text)); err == nil {
		require.Equal(t, strings.TrimPrefix(string(have), "\ufeff"), first, "%s: %q", name, text)
		chunked, err := in(t, name, &chunks{text, chunk})
		if _, ok := errors.AsType[*textfile.EncodingError](err); ok { // less of it to look at
			return
		}
		require.NoError(t, err)
		require.Equal(t, first, chunked, "%s in chunks of %d: %q", name, chunk, text)
	}
	want, err := library[name].NewDecoder().Bytes(text)
	require.NoError(t, err)
	wrong := bytes.ContainsRune(want, utf8.RuneError)
	if !wrong {
		require.NoError(t, e.Check(have), "%s: %q", name, text)
		require.Equal(t, string(want), string(have), "%s: %q", name, text)
	} else if !strings.HasPrefix(name, "utf-16") || !bytes.ContainsRune(have, utf8.RuneError) {
		require.Error(t, e.Check(have), "%s: %q", name, text)
	}
	require.True(t, utf8.Valid(e.Escape(have)), "%s: %q", name, text)
	require.Equal(t, bytes.Count(have, []byte{'\n'}), bytes.Count(e.Escape(have), []byte{'\n'}))
}

type chunks struct {
	rest []byte
	most int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.rest[:min(len(c.rest), c.most)])
	c.rest = c.rest[n:]
	return n, nil
}

func TestDecodedAsTheLibraryDoes(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	letters := []rune("abc \n\",é€Üжя登录ログ한글😀\ue000")
	for name, from := range library {
		for range 300 {
			var text []byte
			for range r.IntN(40) {
				if r.IntN(20) == 0 {
					text = append(text, byte(r.Uint32()))
					continue
				}
				if one, err := from.NewEncoder().Bytes([]byte(string(letters[r.IntN(len(letters))]))); err == nil {
					text = append(text, one...)
				}
			}
			compareDecoded(t, name, text, 1+r.IntN(5))
		}
		every := make([]byte, 0, 1<<17)
		for a := range 256 {
			for b := range 256 {
				every = append(every, byte(a), byte(b))
			}
		}
		compareDecoded(t, name, every, 7)
	}
}

func FuzzDecode(f *testing.F) {
	names := []string{"windows-1252", "koi8-r", "shift_jis", "euc-jp", "gbk", "gb18030", "big5", "euc-kr", "utf-16le", "utf-16be"}
	for i := range names {
		f.Add(uint8(i), []byte("a\x00\n\x00\x3d\xd8\x00\xde"), uint8(1))
		f.Add(uint8(i), []byte("caf\xe9 \x81\x30\x84\x31\xa4\x37\x83\n"), uint8(3))
	}
	f.Fuzz(func(t *testing.T, i uint8, text []byte, chunk uint8) {
		compareDecoded(t, names[int(i)%len(names)], text, 1+int(chunk))
	})
}
