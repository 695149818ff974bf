package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// logged keeps what is logged, a line each.
type logged struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// run reads with a pipeline, as a user writes its input; each message is "file:line content", or with its error behind !. refuse may refuse
// a batch.
func run(t *testing.T, yaml string, refuse func(service.MessageBatch) error) (messages []string, log string, err error) {
	t.Helper()
	out := &logged{}
	builder := service.NewStreamBuilder()
	builder.SetLogger(slog.New(slog.NewTextHandler(out, nil)))
	if err := builder.AddInputYAML(yaml); err != nil {
		return nil, "", err
	}
	require.NoError(t, builder.AddBatchConsumerFunc(func(_ context.Context, batch service.MessageBatch) error {
		if refuse != nil {
			if err := refuse(batch); err != nil {
				return err
			}
		}
		for _, m := range batch {
			messages = append(messages, message(t, m))
		}
		return nil
	}))
	stream, err := builder.Build()
	require.NoError(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	err = stream.Run(ctx)
	return messages, out.String(), err
}

func message(t *testing.T, m *service.Message) string {
	content, err := m.AsBytes()
	require.NoError(t, err)
	path, _ := m.MetaGet("path")
	line, _ := m.MetaGet("line")
	s := fmt.Sprintf("%s:%s %s", filepath.Base(path), line, content)
	if err := m.GetError(); err != nil {
		s += " ! " + strings.ReplaceAll(err.Error(), filepath.Dir(path)+string(filepath.Separator), "")
	}
	return s
}

// folder holds files.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(content), 0o644))
	}
	return dir
}

func gzipped(t *testing.T, text string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(text))
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return b.String()
}

func TestFilesAreReadOldestFirst(t *testing.T) {
	dir := folder(t, map[string]string{
		"auth.log": "now\n", "auth.log.1": "one\n", "auth.log.2.gz": gzipped(t, "two\n"), "auth.log.10.gz": gzipped(t, "ten\n"), "auth.log.old/x": "",
	})
	messages, log, err := run(t, "deepcase_files: { paths: [ "+dir+"/auth.log* ] }", nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"auth.log.10.gz:1 ten", "auth.log.2.gz:1 two", "auth.log.1:1 one", "auth.log:1 now"}, messages)
	assert.Contains(t, log, `level=INFO msg="Files read: 4, of which 0 failed; messages: 4, of which 0 are flagged with an error"`)
	assert.NotContains(t, log, "WARN")

	messages, log, err = run(t, "deepcase_files: { order: name, paths: [ "+dir+"/auth.log* ] }", nil)
	require.NoError(t, err)
	assert.Len(t, messages, 4)
	assert.Equal(t, 1, strings.Count(log, "level=WARN"))
	assert.Contains(t, log, "auth.log.1 is read after "+dir+"/auth.log, and is older by its name")
}

func TestAFileThatFailsDoesNotStopTheOthers(t *testing.T) {
	dir := folder(t, map[string]string{
		"a.csv": "", "b.csv": "x,x\n1,2\n3,4\n", "c.csv": "x\n1\n1,2\n", "d.csv.gz": gzipped(t, "x\n1\n2\n")[:28], "e.csv": "\xff\xfex\x00", "f.csv": "x\n2\n", "g.gz": "",
		"h.gz": gzipped(t, ""),
	})
	messages, log, err := run(t, "deepcase_files: { paths: [ "+dir+"/* ] }", nil)
	require.NoError(t, err)
	assert.Equal(t, []string{
		`b.csv:1 x,x ! b.csv:1: column "x" comes twice: want one`,
		`c.csv:2 {"x":"1"}`,
		`c.csv:3 1,2 ! c.csv:3: 2 columns, the header has 1`,
		`d.csv.gz:2 {"x":"1"}`, `d.csv.gz:3 {"x":"2"}`,
		`d.csv.gz:4  ! d.csv.gz:4: ends in the middle: want the whole file`,
		`e.csv:1  ! e.csv:1: is UTF-16: want encoding: utf-16`,
		`f.csv:2 {"x":"2"}`,
	}, messages)
	assert.Contains(t, log, dir+`/a.csv is empty`)
	assert.Contains(t, log, `level=ERROR msg="Files read: 8, of which 3 failed; messages: 8, of which 4 are flagged with an error"`)
}

func TestColumnsAreBounded(t *testing.T) {
	var header strings.Builder
	for i := range 1_000_000 { // comparing each name with each other would take hours
		fmt.Fprintf(&header, "c%d,", i)
	}
	dir := folder(t, map[string]string{
		"header.csv": header.String() + "\n1,2\n",
		"row.csv":    "a,b\n" + strings.Repeat(",", 1_000_000) + "\n1,2\n",
		"quotes.csv": "a,b\n" + strings.Repeat(`"",`, 1_000_000) + "\n1,2\n",
	})
	messages, _, err := run(t, "deepcase_files: { paths: [ "+dir+"/*.csv ] }", nil)
	require.NoError(t, err)
	require.Len(t, messages, 5)
	for i, want := range map[int]string{0: "header.csv:1: more than 10000", 1: "quotes.csv:2: more than 10000", 3: "row.csv:2: more than 10000"} {
		assert.Contains(t, messages[i][len(messages[i])-100:], want)
	}
	assert.Equal(t, `quotes.csv:3 {"a":"1","b":"2"}`, messages[2])
	assert.Equal(t, `row.csv:3 {"a":"1","b":"2"}`, messages[4])
}

func TestPathsThatCannotBeReadAreErrors(t *testing.T) {
	dir := folder(t, map[string]string{"folder/a": "", "a": ""})
	for _, c := range []struct{ paths, want string }{
		{dir + "/missing", "field 'paths': stat " + dir + "/missing: no such file or directory"},
		{dir + "/*.csv", "field 'paths': no file matches \"" + dir + "/*.csv\""},
		{dir + "/f*", "no file matches"},
		{dir + "/a, " + dir + "/*.csv", "no file matches"},
		{dir + "/folder", "field 'paths': " + dir + "/folder is a folder: want files, such as " + dir + "/folder/*"},
		{dir + "/[", "syntax error in pattern"},
		{"", "field 'paths' is empty: want at least one file"},
	} {
		_, _, err := run(t, "deepcase_files: { paths: [ "+strings.ReplaceAll(c.paths, "[", `"\x5b"`)+" ] }", nil)
		if strings.Contains(c.paths, "[") {
			_, _, err = run(t, "deepcase_files: { paths: [ '"+c.paths+"' ] }", nil)
		}
		assert.ErrorContains(t, err, c.want)
	}
	if os.Getuid() != 0 {
		require.NoError(t, os.Chmod(dir+"/a", 0))
		_, _, err := run(t, "deepcase_files: { paths: [ "+dir+"/a ] }", nil)
		assert.ErrorContains(t, err, "permission denied")
	}
}

// A file that is named like a pattern is that file.
func TestANameIsNoPattern(t *testing.T) {
	dir := folder(t, map[string]string{"alerts[1].log": "right\n", "alerts1.log": "wrong\n", "deep/er/a.log": "deep\n"})
	messages, _, err := run(t, "deepcase_files: { paths: [ '"+dir+"/alerts[1].log', '"+dir+"/**/a.log', '"+dir+"/deep/er/../er/a.log' ] }", nil)
	require.NoError(t, err)
	assert.Equal(t, []string{"alerts[1].log:1 right", "a.log:1 deep"}, messages)
}

func TestAFileThatGoesAwayIsAnErrorInItsPlace(t *testing.T) {
	dir := folder(t, map[string]string{"a.log": "1\n", "b.log": "2\n", "c.log": "3\n"})
	i := parsed(t, "{ paths: [ "+dir+"/* ] }")
	require.NoError(t, os.Remove(filepath.Join(dir, "b.log")))
	batch := all(t, i)
	require.Len(t, batch, 3)
	assert.ErrorContains(t, batch[1].GetError(), "b.log: no such file or directory")
	assert.NoError(t, batch[2].GetError())
}

// What an output refuses comes again whole, errors included.
func TestARefusedBatchComesAgain(t *testing.T) {
	dir := folder(t, map[string]string{"a.log": strings.Repeat("line\n", 10) + "caf\xe9\n"})
	attempts := 0
	messages, _, err := run(t, "deepcase_files: { batch_size: 4, paths: [ "+dir+"/* ] }", func(service.MessageBatch) error {
		if attempts++; attempts%2 == 1 {
			return errors.New("refused")
		}
		return nil
	})
	require.NoError(t, err)
	require.Len(t, messages, 11)
	assert.Contains(t, strings.Join(messages, "\n"), "a.log:11 caf\xe9 ! a.log:11: is not UTF-8: want UTF-8")

	messages, log, err := run(t, "deepcase_files: { auto_replay_nacks: false, batch_size: 4, paths: [ "+dir+"/* ] }", func(batch service.MessageBatch) error {
		if message(t, batch[0]) == "a.log:1 line" {
			return errors.New("refused")
		}
		return nil
	})
	require.NoError(t, err)
	assert.Len(t, messages, 7)
	assert.Contains(t, log, "An output rejected a batch, and its 4 messages are lost: refused")
}

// input is one that was made of YAML, by itself.
func parsed(t *testing.T, yaml string) *input {
	t.Helper()
	conf, err := spec().ParseYAML(yaml, nil)
	require.NoError(t, err)
	i, err := newFromParsed(conf, service.MockResources())
	require.NoError(t, err)
	return i
}

// all reads to the end.
func all(t *testing.T, i *input) (read service.MessageBatch) {
	t.Helper()
	for {
		batch, _, err := i.ReadBatch(t.Context())
		if errors.Is(err, service.ErrEndOfInput) {
			return read
		}
		require.NoError(t, err)
		read = append(read, batch...)
	}
}

func TestBatchesAreBounded(t *testing.T) {
	long := strings.Repeat("x", 10<<20)
	dir := folder(t, map[string]string{"a.log": long + "\n" + long + "\n" + long + "\n", "b.log": strings.Repeat("x\n", 25)})
	i := parsed(t, "{ batch_size: 10, paths: [ "+dir+"/* ] }")
	var sizes []int
	for {
		batch, _, err := i.ReadBatch(t.Context())
		if errors.Is(err, service.ErrEndOfInput) {
			break
		}
		require.NoError(t, err)
		sizes = append(sizes, len(batch))
	}
	assert.Equal(t, []int{2, 10, 10, 6}, sizes)
	require.NoError(t, i.Close(t.Context()))
}

// Bombs of 400 MiB, whose lines are too long, take no more memory than max_line.
func TestABombDoesNotFillTheMemory(t *testing.T) {
	dir := t.TempDir()
	for name, end := range map[string]string{"a.log.gz": "\nend\n", "b.json.gz": "\"}]\n", "c.csv.gz": "\nend\n"} {
		var b bytes.Buffer
		w, err := gzip.NewWriterLevel(&b, gzip.BestSpeed)
		require.NoError(t, err)
		_, err = io.WriteString(w, map[string]string{"b.json.gz": `[{"a":1},{"b":"`, "c.csv.gz": "a\n"}[name])
		require.NoError(t, err)
		part := bytes.Repeat([]byte("x"), 1<<20)
		for range 400 {
			_, err = w.Write(part)
			require.NoError(t, err)
		}
		_, err = io.WriteString(w, end)
		require.NoError(t, err)
		require.NoError(t, w.Close())
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), b.Bytes(), 0o644))
	}
	i := parsed(t, "{ max_line: 1048576, paths: [ "+dir+"/* ] }")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	batch := all(t, i)
	runtime.ReadMemStats(&after)
	assert.Less(t, after.HeapSys-min(before.HeapSys, after.HeapSys), uint64(100<<20))
	var errs []string
	for _, m := range batch {
		if err := m.GetError(); err != nil {
			errs = append(errs, strings.ReplaceAll(err.Error(), dir, ""))
		}
	}
	const out = " is longer than 1048576 bytes (max_line): left out"
	assert.Equal(t, []string{"/a.log.gz:1:" + out, "/b.json.gz:1:" + out, "/c.csv.gz:2:" + out}, errs)
	assert.Len(t, batch, 6)
}

func TestWhatIsCounted(t *testing.T) {
	dir := folder(t, map[string]string{"a.log": "1\ncaf\xe9\n", "b.csv": "x,x\n"})
	i := parsed(t, "{ paths: [ "+dir+"/* ] }")
	_, _, err := i.ReadBatch(t.Context())
	require.NoError(t, err)
	assert.Equal(t, count{files: 2, failed: 1, messages: 3, refused: 2}, i.all)
}
