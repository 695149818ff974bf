package train

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Messages that wait for the disk are bounded by their bytes: the source waits, and nothing is lost.
func TestTrainBoundsTheBytesThatWait(t *testing.T) {
	dir, gate := filepath.Join(t.TempDir(), "model"), filepath.Join(t.TempDir(), "gate")
	const size = 1 << 20
	in := parsed(t, fmt.Sprintf("input: {counter: {limit: 120, pad: %d, after: %q}}\nmodel: %q\nmin_samples: 1\n%s", size, gate, dir, quick))
	open := blockSpool(t, in, dir, gate)
	source, _ := counters.Load(gate)
	read := func() int {
		source.(*counter).mu.Lock()
		defer source.(*counter).mu.Unlock()
		return source.(*counter).next
	}
	require.Eventually(t, func() bool { return read() >= maxWaiting/size }, 2*time.Minute, time.Millisecond)
	open()
	assert.LessOrEqual(t, read(), maxWaiting/size+3, "a batch of up to three waits for room")
	readToEnd(t, in)
	require.NoError(t, in.Close(t.Context()))
	_, m := current(t, dir)
	assert.Equal(t, 120, m.Samples)
	var shown struct {
		Omitted string `json:"deepcase_omitted"`
		Bytes   int
		Begins  string
	}
	require.NoError(t, json.Unmarshal(m.Clusters[0].Examples[0], &shown))
	assert.Equal(t, "the document is larger than 16384 bytes", shown.Omitted)
	assert.Greater(t, shown.Bytes, size)
	assert.True(t, strings.HasPrefix(shown.Begins, `{"machine":"m`), shown.Begins)
	assert.Len(t, shown.Begins, maxBeginning)
}

// An event whose context is far too large is set aside, and the others go on.
func TestTrainBoundsAnEventWithItsContext(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	context := strings.Repeat(`"`+strings.Repeat("x", 4000)+`",`, 3000)
	line := `{"deepcase":{"machine":"m","event":"e","context":[` + strings.TrimSuffix(context, ",") + `]}}`
	run(t, fmt.Sprintf("deepcase_train:\n    input: {file: {paths: [ %q ], scanner: {lines: {max_buffer_size: 100000000}}}}\n    model: %q\n    length: 3000", write(t, line), dir))
	content, err := os.ReadFile(filepath.Join(dir, "spool", "rejected.ndjson"))
	require.NoError(t, err)
	assert.Contains(t, string(content), `"error":"the event and its context have 12000002 bytes, need at most 8388608"`)
	assert.Less(t, len(content), 100_000)
}

// The bound in bytes holds, and is told once.
func TestTrainTellsThatTheSpoolIsFull(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	log := logged(t, fromFile(write(t, alerts(400)...), dir, "    max_bytes: 40KiB\n    every: 100h"))
	assert.Equal(t, 1, strings.Count(log, "The spool keeps fewer than 10000000 events (max_events), since they take more than 40 KiB (max_bytes)"), log)
}

// Events that were damaged on the disk are left out, and that is told.
func TestTrainTellsOfDamage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	run(t, fromFile(write(t, alerts(2)...), dir, "")) // too few, they stay
	path := filepath.Join(dir, "spool", "events-00000001.crc.ndjson")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, []byte(strings.Replace(string(content), "scan", "scam", 1)), 0o644))
	log := logged(t, fromFile(write(t, alerts(40)...), dir, ""))
	assert.Contains(t, log, "level=WARN msg=\"Events in the spool were damaged on the disk, the training goes on without them\"")
	assert.Contains(t, log, "damaged=1")
	_, m := current(t, dir)
	assert.Equal(t, 240+11, m.Samples)
	assert.NotContains(t, m.Names, "scam")
}

// A flood of messages that hold no event is told at once, and at the end, with all of them counted.
func TestTrainTellsOfAFloodOnce(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "model")
	log := logged(t, fromFile(write(t, append(slices.Repeat([]string{"no event"}, 20_000), alerts(40)...)...), dir, ""))
	told := 0
	for _, match := range regexp.MustCompile(`Messages set aside in rejected.ndjson, .* messages=(\d+)`).FindAllStringSubmatch(log, -1) {
		n, err := strconv.Atoi(match[1])
		require.NoError(t, err)
		told += n
	}
	assert.Equal(t, 20_000, told)
	assert.LessOrEqual(t, strings.Count(log, "Messages set aside"), 2)
}
