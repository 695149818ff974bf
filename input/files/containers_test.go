package files

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

func zstandard(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	require.NoError(t, err)
	_, err = w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

// utf16le is a text with the mark that Windows writes.
func utf16le(t *testing.T, text string) string {
	t.Helper()
	encoded, err := unicode.UTF16(unicode.LittleEndian, unicode.UseBOM).NewEncoder().String(text)
	require.NoError(t, err)
	return encoded
}

// What sources put their events into, each in a file of its own.
func TestContainers(t *testing.T) {
	const pretty = "{\n    \"a\": 1,\n    \"b\": { \"c\": [ 1, 2 ] }\n}"
	const one = `1 {"a":1,"b":{"c":[1,2]}}`
	hits := `{"took":3,"timed_out":false,"_shards":{"total":1},"hits":{"total":{"value":2,"relation":"eq"},"max_score":null,"hits":[` +
		`{"_index":"a","_source":{"x":1}},` + "\n" + `{"_index":"a","_source":{"x":2}}]},"aggregations":{"x":[{"y":1}]}}`
	inHits := []string{`1 {"_index":"a","_source":{"x":1}}`, `2 {"_index":"a","_source":{"x":2}}`}
	for name, c := range map[string]struct {
		file, text string
		want       []string
	}{
		"pretty":                   {"a.json", pretty + "\n" + pretty + "\n", []string{one, "5" + one[1:]}},
		"pretty, one file name":    {"timeline", pretty + "\r\n" + strings.ReplaceAll(pretty, "\n", "\r\n"), []string{one, "5" + one[1:]}},
		"no line ends between":     {"a.json", pretty + pretty + `{"z":1}{"z":2}`, []string{one, "4" + one[1:], `7 {"z":1}`, `7 {"z":2}`}},
		"array":                    {"a.json", "[\n" + pretty + ",\n{\"z\":1}\n]\n", []string{"2" + one[1:], `6 {"z":1}`}},
		"array on one line":        {"a.ndjson", `[{"z":1},{"z":2}]`, []string{`1 {"z":1}`, `1 {"z":2}`}},
		"arrays":                   {"a.json", "[{\"z\":1}]\n[{\"z\":2}]", []string{`1 {"z":1}`, `2 {"z":2}`}},
		"Records":                  {"a.json", `{"Records":[{"z":1},{"z":2}]}`, []string{`1 {"z":1}`, `1 {"z":2}`}},
		"several Records":          {"a.json", "{\"Records\":[{\"z\":1}]}{\"Records\":[{\"z\":2}]}\n{\n \"records\": [\n{\"z\":3}]}", []string{`1 {"z":1}`, `1 {"z":2}`, `4 {"z":3}`}},
		"empty Records":            {"a.json", `{"Records":[]}`, nil},
		"search answer":            {"a.json", hits, inHits},
		"search answers, pretty":   {"a.json", strings.ReplaceAll(hits, ",\"", ",\n\"") + "\n\n" + `{"took":1,"hits":{"hits":[]}}`, []string{`7 {"_index":"a","_source":{"x":1}}`, `9 {"_index":"a","_source":{"x":2}}`}},
		"search answer, hits only": {"a.json", `{"hits":{"hits":[{"_source":{"x":1}}]}}`, []string{`1 {"_source":{"x":1}}`}},
		"Microsoft Graph":          {"a.json", `{"@odata.context":"x","value":[{"id":"1"},{"id":"2"}],"@odata.nextLink":"https://x"}`, []string{`1 {"id":"1"}`, `1 {"id":"2"}`}},
		"value of a document":      {"a.ndjson", `{"host":"a","value":[{"id":"1"}]}` + "\n" + `{"z":1}`, []string{`1 {"host":"a","value":[{"id":"1"}]}`, `2 {"z":1}`}},
		"mark and CRLF":            {"a.json", "\ufeff[\r\n{\"z\":1},\r\n{\"z\":2}\r\n]\r\n", []string{`2 {"z":1}`, `3 {"z":2}`}},
		"gzip of an array":         {"a.json.gz", gzipped(t, `[{"z":1},{"z":2}]`), []string{`1 {"z":1}`, `1 {"z":2}`}},
		"gzip by its bytes":        {"a.json", gzipped(t, pretty), []string{one}},
		"members of gzip":          {"a.json.gz", gzipped(t, "{\"z\":1}\n{\"z\"") + gzipped(t, ":2}\n") + gzipped(t, "{\"z\":3}"), []string{`1 {"z":1}`, `2 {"z":2}`, `3 {"z":3}`}},
		"members, an array each":   {"a.json.gz", gzipped(t, `[{"z":1}]`) + gzipped(t, `[{"z":2}]`), []string{`1 {"z":1}`, `1 {"z":2}`}},
		"zstd of Records":          {"a.json.zst", zstandard(t, `{"Records":[{"z":1}]}`), []string{`1 {"z":1}`}},
		"frames of zstd":           {"a.json.zst", zstandard(t, "{\"z\":1}\n") + zstandard(t, "{\"z\":2}\n"), []string{`1 {"z":1}`, `2 {"z":2}`}},
		"a broken element": {"a.json", "[\n{\"z\":1},\n{\"z\":oops},\n{\"z\":2}\n]", []string{
			`2 {"z":1}`, `3 {"z":oops} ! a.json:3: is not JSON: invalid character 'o' looking for beginning of value`, `4 {"z":2}`}},
		"a broken pretty element": {"a.json", "[\n{\n \"z\": 1\n},\n{\n \"z\": \"x\n},\n{\n \"z\": 2\n}\n]", []string{
			`2 {"z":1}`, "5 {\n \"z\": \"x\n}, ! a.json:5: is not JSON: has a string with a line end in it: want \\n, or a quote before it", `8 {"z":2}`}},
		"cut": {"a.json", `[{"z":1},{"z":`, []string{`1 {"z":1}`, `1 {"z": ! a.json:1: ends in the middle: want the whole document`}},
		"cut after an element": {"a.json", `{"Records":[{"z":1},`, []string{`1 {"z":1}`,
			`1  ! a.json:1: ends in the middle: want an end for the '{' of line 1`}},
		"cut in what is left out": {"a.json", `{"hits":{"hits":[{"z":1}],"x":"`, []string{`1 {"z":1}`,
			`1  ! a.json:1: ends in the middle: want an end for the '{' of line 1`}},
		"broken behind the array": {"a.json", `{"hits":{"hits":[{"z":1}],"x":]}}` + "\n{\"z\":2}", []string{`1 {"z":1}`,
			`1 "x":]}} ! a.json:1: is not JSON: has a ']' for a '{'`, `2 {"z":2}`}},
		"more than Records": {"a.json", "{\"Records\":[{\"z\":1}],\"x\":1}\n{\"z\":2}", []string{`1 {"z":1}`,
			`1 "x":1} ! a.json:1: goes on after the array: want a }`, `2 {"z":2}`}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string]string{c.file: c.text})
			messages, _, err := run(t, "deepcase_files: { paths: [ '"+dir+"/*' ] }", nil)
			require.NoError(t, err)
			for i := range messages {
				messages[i] = strings.TrimPrefix(messages[i], c.file+":")
			}
			assert.Equal(t, c.want, messages)
		})
	}
}

// A file that ends in the middle: what can be read of it comes, then one error that names the file, and then the next file.
func TestFilesThatAreCut(t *testing.T) {
	var b strings.Builder
	for i := range 20_000 {
		b.WriteString(`{"z":` + strings.Repeat("7", 1+i%9) + "}\n")
	}
	text := b.String()
	array := "[" + strings.ReplaceAll(strings.TrimSpace(text), "\n", ",") + "]"
	files := map[string]string{
		"a.ndjson.gz": gzipped(t, text), "b.json.gz": gzipped(t, array), "c.ndjson.zst": zstandard(t, text), "d.json.zst": zstandard(t, array),
		"e.ndjson.gz": gzipped(t, utf16le(t, text)),
	}
	for name, whole := range files {
		encoding := "utf-8"
		if name[0] == 'e' {
			encoding = "utf-16"
		}
		dir := folder(t, map[string]string{name: whole[:len(whole)-len(whole)/10], "z.ndjson": whole})
		messages, log, err := run(t, "deepcase_files: { encoding: "+encoding+", paths: [ '"+dir+"/*' ] }", nil)
		require.NoError(t, err)
		require.Greater(t, len(messages), 20_000, name)
		cut := messages[:len(messages)-20_000]
		assert.Contains(t, cut[len(cut)-1], name+":", name)
		assert.Contains(t, cut[len(cut)-1], "ends in the middle: want the whole file", name)
		if name[0] != 'c' && name[0] != 'd' { // a block of zstd may be all that there is
			assert.Greater(t, len(cut), 100, name)
		}
		for _, m := range cut[:len(cut)-1] {
			assert.NotContains(t, m, " ! ", name)
		}
		assert.Contains(t, log, "Files read: 2, of which 1 failed", name)
	}
}

// All formats, compressed or not, in encodings that are not UTF-8.
func TestEncodings(t *testing.T) {
	latin, err := charmap.Windows1252.NewEncoder().String("M\u00dcNCHEN \u201ex\u201c")
	require.NoError(t, err)
	chinese, err := simplifiedchinese.GBK.NewEncoder().String("登录失败")
	require.NoError(t, err)
	for name, c := range map[string]struct {
		encoding, file, text string
		want                 []string
	}{
		"lines, utf-16":          {"utf-16", "a.log", utf16le(t, "Zugriff für Bob\r\n\r\n登录 😀\r\n"), []string{"1 Zugriff für Bob", "3 登录 😀"}},
		"csv, utf-16":            {"utf-16", "a.csv", utf16le(t, "machine,event\r\nM\u00dcNCHEN,\"a\r\nb\"\r\nx,y\r\n"), []string{`2 {"event":"a\nb","machine":"MÜNCHEN"}`, `4 {"event":"y","machine":"x"}`}},
		"json, utf-16":           {"utf-16", "a.json", utf16le(t, "[\n{\"z\":\"é\"},\n{\"z\":\"登\"}\n]"), []string{`2 {"z":"é"}`, `3 {"z":"登"}`}},
		"ndjson, utf-16":         {"utf-16", "a.ndjson", utf16le(t, "{\"z\":\"é\"}\n{\"z\":1}\n"), []string{`1 {"z":"é"}`, `2 {"z":1}`}},
		"ndjson, utf-16, gzip":   {"utf-16", "a.ndjson.gz", gzipped(t, utf16le(t, "{\"z\":\"é\"}\n{\"z\":1}\n")), []string{`1 {"z":"é"}`, `2 {"z":1}`}},
		"big end first":          {"utf-16be", "a.log", "\x00a\x00\n\x00b", []string{"1 a", "2 b"}},
		"csv, windows-1252":      {"cp1252", "a.csv", "a,b\n" + latin + ",1\n", []string{`2 {"a":"MÜNCHEN „x“","b":"1"}`}},
		"header, windows-1252":   {"windows-1252", "a.csv", "stra\xdfe\nx\n", []string{`2 {"straße":"x"}`}},
		"json, windows-1252":     {"windows-1252", "a.json.zst", zstandard(t, `{"Records":[{"a":"`+latin+`"}]}`), []string{`1 {"a":"MÜNCHEN „x“"}`}},
		"lines, gbk":             {"gbk", "a.log", chinese + "\n" + chinese, []string{"1 登录失败", "2 登录失败"}},
		"spaces are no spaces":   {"utf-16", "a.log", utf16le(t, "Ġ Ċ\nĊ\n"), []string{"1 Ġ Ċ", "2 Ċ"}}, // bytes 0x20 0x01, 0x0a 0x01
		"lines, not all of them": {"windows-1252", "a.log", "a\n\x81b\x8d\nc\n", []string{"1 a", `2 \x81b\x8d ! a.log:2: has the byte 0x81, which is not windows-1252: want another encoding`, "3 c"}},
		"json, not all of them": {"windows-1252", "a.json", "[{\"z\":1},\n{\"z\":\"\x81\"},\n{\"z\":\"\xe9\"}]", []string{
			`1 {"z":1}`, `2 {"z":"\x81"} ! a.json:2: has the byte 0x81, which is not windows-1252: want another encoding`, `3 {"z":"é"}`}},
		"csv, not all of them": {"windows-1252", "a.csv", "z\n\x81\n\xe9\n", []string{
			`2 \x81 ! a.csv:2: has the byte 0x81, which is not windows-1252: want another encoding`, `3 {"z":"é"}`}},
		"header, not all of it": {"windows-1252", "a.csv", "\x81\nx\n", []string{`1 \x81 ! a.csv:1: has the byte 0x81, which is not windows-1252: want another encoding`}},
		"half a pair": {"utf-16", "a.log", "\xff\xfea\x00\n\x00\x3d\xd8x\x00\n\x00b\x00", []string{
			"1 a", `2 \ud83dx ! a.log:2: has half a character, 0xD83D, which is not utf-16: want another encoding`, "3 b"}},
		"odd":     {"utf-16", "a.log", "\xff\xfea\x00\n\x00b", []string{"1 a", "2  ! a.log:2: has half a character at the end, which is not utf-16: want another encoding"}},
		"another": {"utf-16", "a.log", "plain text\n", []string{"1  ! a.log:1: is not UTF-16: want encoding: utf-8 or a code page"}},
		"empty":   {"utf-16", "a.log", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, map[string]string{c.file: c.text})
			messages, _, err := run(t, "deepcase_files: { encoding: "+c.encoding+", paths: [ '"+dir+"/*' ] }", nil)
			require.NoError(t, err)
			for i := range messages {
				messages[i] = strings.TrimPrefix(messages[i], c.file+":")
			}
			assert.Equal(t, c.want, messages)
		})
	}
	_, _, err = run(t, "deepcase_files: { encoding: utf-17, paths: [ . ] }", nil)
	assert.ErrorContains(t, err, `field 'encoding': "utf-17" is no encoding: want utf-8, utf-16`)
	_, _, err = run(t, "deepcase_files: { envelopes: [ 'took:' ], paths: [ . ] }", nil)
	assert.ErrorContains(t, err, `field 'envelopes': "took:": want the key of an array`)
}

// The limits hold for what is decoded.
func TestALongLineOfUTF16(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.log.gz")
	text := "a\n" + strings.Repeat("é", 3<<20) + "\nb\n"
	require.NoError(t, os.WriteFile(path, []byte(gzipped(t, utf16le(t, text))), 0o600))
	messages, _, err := run(t, "deepcase_files: { encoding: utf-16, max_line: 1048576, paths: [ "+path+" ] }", nil)
	require.NoError(t, err)
	require.Len(t, messages, 3)
	assert.Contains(t, messages[1], "a.log.gz:2: is longer than 1048576 bytes (max_line): left out")
	assert.Less(t, len(messages[1]), 2000)
	assert.Equal(t, "a.log.gz:3 b", messages[2])
}

// Values in each other are bounded, inside documents and around them.
func TestDeepNesting(t *testing.T) {
	for _, text := range []string{strings.Repeat("[", 1_000_000), `{"a":` + strings.Repeat("[", 1_000_000), strings.Repeat(`{"Records":[`, 300_000)} {
		dir := folder(t, map[string]string{"a.json": "{\"z\":\n1}\n" + text + "\n{\"z\":2}\n"})
		messages, _, err := run(t, "deepcase_files: { paths: [ '"+dir+"/*' ] }", nil)
		require.NoError(t, err)
		assert.Equal(t, `a.json:1 {"z":1}`, messages[0])
		assert.Contains(t, messages[1], "more than 10000")
		assert.Contains(t, strings.Join(messages, "\n"), `a.json:4 {"z":2}`)
	}
}
