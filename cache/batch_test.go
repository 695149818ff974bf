package cache

import (
	"fmt"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A batch of 500 machines is confirmed by one flush of the disk, and read as it was written.
func TestABatchIsFlushedOnce(t *testing.T) {
	f := openLogged(t, t.TempDir())
	flushes := 0
	f.log.flush = func(file *os.File) error {
		flushes++
		return file.Sync()
	}
	keys, values := make([]string, machines), make([][]byte, machines)
	for turn := range 3 {
		for i := range keys {
			keys[i], values[i] = fmt.Sprint("machine-", i), fmt.Append(nil, turn, i)
		}
		require.Empty(t, f.SetAll(keys, values))
		found, errs := f.GetAll(keys)
		require.Empty(t, errs)
		require.Equal(t, values, found)
		other := open(t, f.dir)
		found, errs = other.GetAll(slices.Concat(keys, []string{"none"}))
		require.Empty(t, errs)
		require.Equal(t, slices.Concat(values, [][]byte{nil}), found)
	}
	assert.Equal(t, 2, flushes, "the files of new entries are written themselves")
}

// What is too large is refused, and the rest of its batch is written.
func TestABatchWithAnEntryThatIsTooLarge(t *testing.T) {
	f := open(t, t.TempDir())
	keys := []string{"a", "large", "b"}
	errs := f.SetAll(keys, [][]byte{{1}, make([]byte, maxEntry+1), {}})
	require.Len(t, errs, 3)
	require.NoError(t, errs[0])
	require.EqualError(t, errs[1], fmt.Sprintf(`entry "large": %d bytes, need at most %d`, maxEntry+1, maxEntry))
	require.NoError(t, errs[2])
	found, errs := f.GetAll(keys)
	require.Empty(t, errs)
	require.Equal(t, [][]byte{{1}, nil, {}}, found)
}
