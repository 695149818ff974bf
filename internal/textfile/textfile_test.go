package textfile_test

import (
	"bytes"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/textfile"
)

func gzipped(t *testing.T, texts ...string) string {
	var b bytes.Buffer
	for _, text := range texts {
		w := gzip.NewWriter(&b)
		_, err := w.Write([]byte(text))
		require.NoError(t, err)
		require.NoError(t, w.Close())
	}
	return b.String()
}

func zstandard(t *testing.T, text string) string {
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	require.NoError(t, err)
	_, err = w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func TestTextsComeOutAsTheyWentIn(t *testing.T) {
	for in, want := range map[string]string{
		"":                                    "",
		"a\n":                                 "a\n",
		"\xef\xbb\xbfa":                       "a",
		gzipped(t, ""):                        "",
		gzipped(t, "\xef\xbb\xbfa", "b"):      "ab", // members after one another
		zstandard(t, "\xef\xbb\xbfa"):         "a",
		zstandard(t, "a") + zstandard(t, "b"): "ab",
		"BZ is no bzip2":                      "BZ is no bzip2",
		"PK":                                  "PK",
	} {
		for _, reader := range []io.Reader{strings.NewReader(in), iotest.OneByteReader(strings.NewReader(in))} {
			text, err := textfile.NewReader(reader)
			require.NoError(t, err, "%q", in)
			have, err := io.ReadAll(text)
			require.NoError(t, err, "%q", in)
			assert.Equal(t, want, string(have), "%q", in)
		}
	}
}

func TestBzip2(t *testing.T) {
	if _, err := exec.LookPath("bzip2"); err != nil {
		t.Skip(err)
	}
	command := exec.Command("bzip2")
	command.Stdin = strings.NewReader("a\nb\n")
	in, err := command.Output()
	require.NoError(t, err)
	text, err := textfile.NewReader(bytes.NewReader(in))
	require.NoError(t, err)
	have, err := io.ReadAll(text)
	require.NoError(t, err)
	assert.Equal(t, "a\nb\n", string(have))
	_, err = read(string(in[:len(in)-6]))
	assert.EqualError(t, err, "ends in the middle: want the whole file")
}

func read(in string) (string, error) {
	text, err := textfile.NewReader(strings.NewReader(in))
	if err != nil {
		return "", err
	}
	have, err := io.ReadAll(text)
	return string(have), err
}

func TestWhatCannotBeReadIsNamed(t *testing.T) {
	long := strings.Repeat("some text, ", 1000)
	damaged := []byte(gzipped(t, long))
	damaged[len(damaged)-6] ^= 1
	for in, want := range map[string]string{
		"\xff\xfea\x00":                    "is UTF-16: want UTF-8",
		"\xfe\xff\x00a":                    "is UTF-16: want UTF-8",
		"t\x00i\x00":                       "is UTF-16 without its mark: want UTF-8",
		"\x00t\x00i":                       "is UTF-16 without its mark: want UTF-8",
		"\xfd7zXZ\x00…":                    "is xz: want text, gzip, zstd or bzip2",
		"PK\x03\x04…":                      "is zip: want text, gzip, zstd or bzip2",
		"\x1f\x8b":                         "ends in the middle: want the whole file",
		"\x1f\x8bgarbage garbage":          "is damaged gzip: want the file as it was compressed",
		string(damaged):                    "is damaged gzip: want the file as it was compressed",
		gzipped(t, long)[:60]:              "ends in the middle: want the whole file",
		zstandard(t, long)[:20]:            "ends in the middle: want the whole file",
		"\x28\xb5\x2f\xfdgarbage, garbage": "is damaged zstd: want the file as it was compressed",
		"\x28\xb5\x2f\xfd\x00\xa0\x00\x00\x00\x00\x00": "needs more than 134217728 bytes of memory to decompress: want it compressed with a smaller window",
	} {
		text, err := read(in)
		assert.EqualError(t, err, want, "%.20q", in)
		assert.True(t, strings.HasPrefix(long, text), "%.20q: what is read is what was there", in)
	}
}

func TestAnErrorOfTheInputIsItsOwn(t *testing.T) {
	gone := errors.New("disk gone")
	for _, in := range []string{"", "a", gzipped(t, "a")[:5], gzipped(t, "a")[:15]} {
		text, err := textfile.NewReader(io.MultiReader(strings.NewReader(in), iotest.ErrReader(gone)))
		if err == nil {
			_, err = io.ReadAll(text)
		}
		assert.ErrorIs(t, err, gone, "%q", in)
	}
}

// A pipe that stays open gives its first line at once.
func TestALineIsReadWhenItIsThere(t *testing.T) {
	in, out := io.Pipe()
	go func() { _, _ = out.Write([]byte("a b\n")) }()
	text, err := textfile.NewReader(in)
	require.NoError(t, err)
	line, err := text.ReadString('\n')
	require.NoError(t, err)
	assert.Equal(t, "a b\n", line)
}

func TestTrimExtension(t *testing.T) {
	for path, want := range map[string]string{"a.log": "a.log", "d.gz/a.log.1.gz": "d.gz/a.log.1", "a.ZST": "a", "a.bz2": "a", ".gz": "", "gz": "gz"} {
		assert.Equal(t, want, textfile.TrimExtension(path))
	}
}
