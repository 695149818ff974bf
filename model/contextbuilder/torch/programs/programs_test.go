package programs

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The programs are compiled from the sources beside them; if not, run `go generate` here with a Python that has torch 2.1.
func TestProgramsAreUpToDate(t *testing.T) {
	hash := sha256.New()
	for _, name := range []string{"network.py", "encoder.py", "forward.py", "query.py", "train.py"} {
		source, err := os.ReadFile(name)
		require.NoError(t, err)
		hash.Write(source)
	}
	want := hex.EncodeToString(hash.Sum(nil))
	for name, program := range map[string][]byte{"forward": Forward, "query": Query, "train": Train} {
		archive, err := zip.NewReader(bytes.NewReader(program), int64(len(program)))
		require.NoError(t, err)
		found := ""
		for _, f := range archive.File {
			if strings.HasSuffix(f.Name, "/extra/sources") {
				r, err := f.Open()
				require.NoError(t, err)
				content, err := io.ReadAll(r)
				require.NoError(t, err)
				found = string(content)
			}
		}
		assert.Equal(t, want, found, "%s.pt was not compiled from these sources", name)
	}
}
