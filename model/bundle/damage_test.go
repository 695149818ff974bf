package bundle

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
)

func load(t testing.TB, dir, name string) []byte {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, name))
	require.NoError(t, err)
	return content
}

func save(t testing.TB, dir, name string, content []byte) {
	t.Helper()
	require.NoError(t, os.WriteFile(filepath.Join(dir, name), content, 0o666))
}

// forge replaces a file and describes it in the manifest as if it belonged there.
func forge(t testing.TB, dir, name string, content []byte) {
	t.Helper()
	save(t, dir, name, content)
	editManifest(t, dir, func(m map[string]any) {
		sum := sha256.Sum256(content)
		m["files"].(map[string]any)[name] = map[string]any{"size": len(content), "sha256": hex.EncodeToString(sum[:])}
	})
}

func editManifest(t testing.TB, dir string, edit func(m map[string]any)) {
	t.Helper()
	var m map[string]any
	require.NoError(t, json.Unmarshal(load(t, dir, manifestFile), &m))
	m["params"].(map[string]any)["training"].(map[string]any)["seed"] = 1 // a float64 does not hold the largest one
	edit(m)
	content, err := json.Marshal(m)
	require.NoError(t, err)
	save(t, dir, manifestFile, content)
}

func TestEveryDamagedByteIsNoticed(t *testing.T) {
	dir := written(t, labelled(t))
	for _, name := range []string{weightsFile, clusterVectorsFile, clustersFile} {
		good := load(t, dir, name)
		for i := 0; i < len(good); i += 7 {
			bad := slices.Clone(good)
			bad[i] ^= 1
			save(t, dir, name, bad)
			_, _, err := Read(dir)
			require.ErrorContains(t, err, filepath.Join(dir, name)+": sha256 is ")
			save(t, dir, name, good[:i])
			_, _, err = Read(dir)
			require.EqualError(t, err, fmt.Sprintf("%s: %d bytes, manifest.json says %d: the file is damaged", filepath.Join(dir, name), i, len(good)))
			_, err = ReadManifest(dir)
			require.ErrorContains(t, err, "the file is damaged")
		}
		save(t, dir, name, good)
	}
	good := load(t, dir, manifestFile)
	for i := range len(good) - 2 { // without its last newline it is whole
		save(t, dir, manifestFile, good[:i])
		_, _, err := Read(dir)
		require.ErrorContains(t, err, filepath.Join(dir, manifestFile)+": ")
	}
}

func TestMissingFiles(t *testing.T) {
	_, _, err := Read(filepath.Join(t.TempDir(), "nothing"))
	require.ErrorIs(t, err, os.ErrNotExist)
	for _, name := range []string{manifestFile, weightsFile, clusterVectorsFile, clustersFile} {
		dir := written(t, clustered(t))
		require.NoError(t, os.Remove(filepath.Join(dir, name)))
		_, _, err := Read(dir)
		require.ErrorIs(t, err, os.ErrNotExist)
		require.ErrorContains(t, err, name)
		require.NoError(t, os.Mkdir(filepath.Join(dir, name), 0o777))
		_, _, err = Read(dir)
		require.ErrorContains(t, err, filepath.Join(dir, name)+": ")
	}
}

func TestNewerFormat(t *testing.T) {
	dir := written(t, clustered(t))
	save(t, dir, manifestFile, []byte(`{"format": 3, "created": {"by": "somebody"}, "params": []}`))
	for _, read := range []func(string) error{
		func(dir string) error { _, _, err := Read(dir); return err },
		func(dir string) error { _, err := ReadManifest(dir); return err },
	} {
		err := read(dir)
		require.ErrorIs(t, err, ErrNewerFormat)
		require.EqualError(t, err, filepath.Join(dir, manifestFile)+": newer format: 3, this program understands 1 to 2; it needs to be updated")
	}
}

func TestReadRefusesManifests(t *testing.T) {
	files := func(m map[string]any) map[string]any { return m["files"].(map[string]any) }
	params := func(m map[string]any) map[string]any { return m["params"].(map[string]any) }
	for want, spoil := range map[string]func(m map[string]any){
		"format: is missing":                        func(m map[string]any) { delete(m, "format") },
		"format: 0 is not one, need 1 to 2":         func(m map[string]any) { m["format"] = 0 },
		"cannot unmarshal string":                   func(m map[string]any) { m["format"] = "1" },
		"created: is missing":                       func(m map[string]any) { delete(m, "created") },
		"samples: -1 is below 0":                    func(m map[string]any) { m["counts"].(map[string]any)["samples"] = -1 },
		"counts in manifest.json are {Events:5":     func(m map[string]any) { m["counts"].(map[string]any)["scored"] = 3 },
		"files: weights.safetensors is missing":     func(m map[string]any) { delete(files(m), weightsFile) },
		"files: need both clusters.safetensors and": func(m map[string]any) { delete(files(m), clustersFile) },
		"files: need both":                          func(m map[string]any) { delete(files(m), clusterVectorsFile) },
		"manifest.json says 1000000000000":          func(m map[string]any) { files(m)[weightsFile].(map[string]any)["size"] = 1_000_000_000_000 },
		"sha256 is ":                                func(m map[string]any) { files(m)[weightsFile].(map[string]any)["sha256"] = "" },
		`names: name 1 is empty`:                    func(m map[string]any) { m["names"] = []string{"cron ✓", "", "sshd: failed password"} },
		`event "sshd: failed password" is not in`:   func(m map[string]any) { m["names"] = []string{"cron ✓"} },
		"6 with NO_EVENT, counts has 5 events":      func(m map[string]any) { m["names"] = []string{"a", "b", "c", "d", "e"} },
		"timeout: -1s is below 0":                   func(m map[string]any) { params(m)["timeout"] = "-1s" },
		`invalid duration "day"`:                    func(m map[string]any) { params(m)["timeout"] = "day" },
		"hidden 2, LSTM false, layers 1, bidirectional false, but the settings say events 5, length 3, hidden 2, LSTM true": func(m map[string]any) { params(m)["lstm"] = true },
		"optimizer: bfgs is not one of":                           func(m map[string]any) { params(m)["training"].(map[string]any)["optimizer"] = "bfgs" },
		"iterations: 1152921504606846976 is not in 0 to 10000":    func(m map[string]any) { params(m)["query"].(map[string]any)["iterations"] = 1 << 60 },
		"counts and params: events 4611686018427387904":           func(m map[string]any) { m["counts"].(map[string]any)["events"] = 1 << 62 },
		"counts and params: events 5, length 4611686018427387904": func(m map[string]any) { params(m)["length"] = 1 << 62 },
		"counts: -1 clusters or vectors":                          func(m map[string]any) { m["counts"].(map[string]any)["vectors"] = -1 },
		"names: more than 23170":                                  func(m map[string]any) { m["names"] = slices.Repeat([]string{"a"}, 23_171) },
		"confidence: 2 numbers, need 100":                         func(m map[string]any) { m["confidence"] = []int{1, 2} },
		"confidence: more than 100":                               func(m map[string]any) { m["confidence"] = make([]int, 101) },
		"confidence: number 99 is -1, below 0":                    func(m map[string]any) { m["confidence"] = append(make([]int, 99), -1) },
		`templates: "x", need 16 hexadecimal digits`:              func(m map[string]any) { m["templates"] = []string{"x"} },
		"templates: 0123456789abcdef after 0123456789abcdef":      func(m map[string]any) { m["templates"] = []string{"0123456789abcdef", "0123456789abcdef"} },
		"templates: more than 64":                                 func(m map[string]any) { m["templates"] = slices.Repeat([]string{"a"}, 65) },
		"names: need an array":                                    func(m map[string]any) { m["names"] = map[string]any{} },
		"threshold: 2 is not in [0, 1]":                           func(m map[string]any) { params(m)["interpreter"].(map[string]any)["threshold"] = 2 },
		"guard: -1 is not a finite number":                        func(m map[string]any) { params(m)["interpreter"].(map[string]any)["guard"] = -1 },
	} {
		dir := written(t, clustered(t))
		editManifest(t, dir, spoil)
		_, _, err := Read(dir)
		require.ErrorContains(t, err, want)
	}
}

// TestReadIgnoresWhatItDoesNotKnow keeps room for additions that need no new format.
func TestReadIgnoresWhatItDoesNotKnow(t *testing.T) {
	dir := written(t, clustered(t))
	editManifest(t, dir, func(m map[string]any) {
		m["author"] = "somebody"
		m["files"].(map[string]any)["notes.txt"] = map[string]any{"size": 5}
	})
	_, _, err := Read(dir)
	require.NoError(t, err)
}

func TestReadRefusesClusters(t *testing.T) {
	for content, want := range map[string]string{
		`null`: "is null, need an array",
		`{}`:   "clusters: need an array",
		`[`:    "unexpected EOF",
		`[{"id":0,"event":"cron ✓","size":1,"score":1}]`:                                                                              "vector 2: cluster 1 is not one of 1",
		`[{"id":0,"event":"cron ✓"},{"id":2,"event":"cron ✓"}]`:                                                                       "cluster 1: has id 2, need 1",
		`[{"id":0,"event":"cron ✓","score":-2}]`:                                                                                      "cluster 0: score -2",
		`[{"id":0,"event":"nobody"}]`:                                                                                                 `cluster 0: event "nobody" is not in the vocabulary`,
		`[{"event":"cron ✓"},{"id":1,"event":"cron ✓","score":1e999}]`:                                                                "cannot unmarshal number 1e999",
		`[{"event":"cron ✓"},{"id":1,"event":"cron ✓"},{"event":"cron ✓"}]`:                                                           "cluster 2: has id 0",
		`[{"event":"cron ✓","contexts":[{"context":["cron ✓"],"count":1}]},{}]`:                                                       "cluster 1: event \"\" is not in the vocabulary",
		`[{"event":"cron ✓","labels":{"vectors":[0],"scores":[1]}}]`:                                                                  "labels: 1 vectors, 1 scores and 0 counts, need as many of each",
		`[{"event":"cron ✓","labels":[0]}]`:                                                                                           "cannot unmarshal array",
		`[{"event":"cron ✓","labels":{"vectors":[0.5],"scores":[1],"counts":[1]}}]`:                                                   "cannot unmarshal number 0.5",
		`[{"event":"cron ✓","labels":{"vectors":[4],"scores":[1],"counts":[1]}},{"id":1,"event":"cron ✓"},{"id":2,"event":"cron ✓"}]`: "cluster 0: label 0 is of vector 4",
		`[{"event":"cron ✓","hourly_max":1},{"id":1,"event":"cron ✓"},{"id":2,"event":"cron ✓"}]`:                                     "cluster 0: hourly max 1 is not in 0 to 0",
	} {
		dir := written(t, clustered(t))
		forge(t, dir, clustersFile, []byte(content))
		_, _, err := Read(dir)
		require.ErrorContains(t, err, want, content)
	}
}

// safetensorsFile has a header and as many bytes of data as said.
func safetensorsFile(header string, data ...uint32) []byte {
	content := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	content = append(content, header...)
	for _, x := range data {
		content = binary.LittleEndian.AppendUint32(content, x)
	}
	return content
}

func TestReadRefusesTensors(t *testing.T) {
	const info = `"%s":{"dtype":"%s","shape":[%d],"data_offsets":[%d,%d]}`
	four := func(dtype string, offsets, ids int) string {
		return "{" + fmt.Sprintf(info, "offsets", dtype, offsets, 0, 4*offsets) + "," + fmt.Sprintf(info, "ids", "I32", ids, 4*offsets, 4*(offsets+ids)) + "," +
			fmt.Sprintf(info, "values", "I32", ids, 4*(offsets+ids), 4*(offsets+2*ids)) + "," +
			fmt.Sprintf(info, "cluster", "I32", offsets-1, 4*(offsets+2*ids), 4*(2*offsets+2*ids-1)) + "}"
	}
	huge := binary.LittleEndian.AppendUint64(nil, math.MaxUint64)
	for want, content := range map[string][]byte{
		"header too small":                     {1, 2, 3},
		"header of 18446744073709551615 bytes": huge,
		"header of 65537 bytes, at most 65536": binary.LittleEndian.AppendUint64(nil, maxHeader+1),
		"invalid header":                       safetensorsFile(`{`),
		`the tensors are [], need ["cluster"`:  safetensorsFile(`{}`),
		"multiplication overflow":              safetensorsFile(`{"ids":{"dtype":"I32","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`),
		"incomplete buffer":                    safetensorsFile(`{"ids":{"dtype":"I32","shape":[1000000000],"data_offsets":[0,4000000000]}}`),
		`tensor "ids" has shape [1 1]`:         safetensorsFile(`{"ids":{"dtype":"I32","shape":[1,1],"data_offsets":[0,4]}}`, 1),
		`tensor "offsets" is of type F32`:      safetensorsFile(four("F32", 2, 1), 0, 1, 0, 1, 0),
		"vector 0: id 9 at 0":                  safetensorsFile(four("I32", 2, 1), 0, 1, 9, 10_000, 0),
		"vector 0: value 0 of id 4":            safetensorsFile(four("I32", 2, 1), 0, 1, 4, 0, 0),
		"vector 0: cluster -1 is not one":      safetensorsFile(four("I32", 2, 1), 0, 1, 4, 10_000, math.MaxUint32),
		"offsets go from 0 to 2, need 0 to 1":  safetensorsFile(four("I32", 2, 1), 0, 2, 4, 10_000, 0),
		"vector 0: offsets 0, -1 descend":      safetensorsFile(four("I32", 3, 1), 0, math.MaxUint32, 1, 4, 10_000, 0, 0),
		"offsets 2147483647, 1 descend":        safetensorsFile(four("I32", 3, 1), 0, math.MaxInt32, 1, 4, 10_000, 0, 0),
	} {
		dir := written(t, clustered(t))
		forge(t, dir, clusterVectorsFile, content)
		_, _, err := Read(dir)
		require.ErrorContains(t, err, want)
	}
	for want, content := range map[string][]byte{
		`tensor "embedding.weight" is missing`:     safetensorsFile(`{}`),
		`tensor "embedding.weight" is of type I32`: safetensorsFile(`{"embedding.weight":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}`, 1),
		"dimension 4294967296 is too large":        safetensorsFile(`{"embedding.weight":{"dtype":"F32","shape":[0,4294967296],"data_offsets":[0,0]}}`),
	} {
		dir := written(t, clustered(t))
		forge(t, dir, weightsFile, content)
		_, _, err := Read(dir)
		require.ErrorContains(t, err, want)
	}
}

func TestLargeFilesAreRefusedBeforeTheyAreRead(t *testing.T) {
	dir := written(t, clustered(t))
	require.NoError(t, os.Truncate(filepath.Join(dir, clustersFile), maxClusters+1)) // takes no room: a hole
	editManifest(t, dir, func(m map[string]any) {
		m["files"].(map[string]any)[clustersFile].(map[string]any)["size"] = maxClusters + 1
	})
	_, _, err := Read(dir)
	require.ErrorContains(t, err, "1073741825 bytes, at most 1073741824 are allowed")
	require.NoError(t, os.Truncate(filepath.Join(dir, manifestFile), maxManifest+1))
	_, _, err = Read(dir)
	require.ErrorContains(t, err, "67108865 bytes, at most 67108864 are allowed")
}

// A file may be as large as a manifest says without having any blocks on the disk: how large it can be follows from counts and params, and
// its checksum is looked at before memory is taken for it.
func TestSparseFilesTakeNoMemory(t *testing.T) {
	most := map[string]int64{weightsFile: 4*169 + maxHeader + 8, clusterVectorsFile: 4*(2*4+1+2*4*3) + maxHeader + 8}
	for name, most := range most {
		for _, size := range []int64{12 << 30, most + 1} {
			dir := written(t, clustered(t))
			require.NoError(t, os.Truncate(filepath.Join(dir, name), size))
			editManifest(t, dir, func(m map[string]any) { m["files"].(map[string]any)[name].(map[string]any)["size"] = size })
			for _, read := range []func(string) error{
				func(dir string) error { _, _, err := Read(dir); return err },
				func(dir string) error { _, err := ReadManifest(dir); return err },
			} {
				err := read(dir)
				var damaged *DamagedError
				require.ErrorAs(t, err, &damaged)
				require.ErrorContains(t, err, fmt.Sprintf("files: %s has %d bytes, at most %d follow from counts and params", name, size, most))
			}
		}
	}
	dir := written(t, clustered(t))
	const size = 1 << 29
	require.NoError(t, os.Truncate(filepath.Join(dir, clustersFile), size))
	editManifest(t, dir, func(m map[string]any) { m["files"].(map[string]any)[clustersFile].(map[string]any)["size"] = size })
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, _, err := Read(dir)
	runtime.ReadMemStats(&after)
	require.ErrorContains(t, err, "clusters.json: sha256 is ")
	require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(size/8))
}

// FuzzManifest checks that a manifest that is accepted has bounds: of time for a query, and of memory for its files and its network.
func FuzzManifest(f *testing.F) {
	f.Add(load(f, fixture, manifestFile))
	f.Add([]byte(`{"format":1,"created":"2026-01-01T00:00:00Z","names":["a","b"],"counts":{"events":3},"params":{"length":9223372036854775807,"hidden":1}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		m, err := decodeManifest(content)
		if err != nil || m.checkBounds() != nil {
			return
		}
		require.LessOrEqual(t, m.Params.Query.Iterations, contextbuilder.MaxIterations)
		require.LessOrEqual(t, m.Files[weightsFile].Size, int64(5<<30))
		require.Less(t, len(m.Names), m.Counts.Events)
	})
}

// readParts reads a version from memory.
func readParts(manifest, weights, vectors, clusters []byte) (*model.Model, error) {
	described, err := decodeManifest(manifest)
	if err != nil {
		return nil, err
	}
	m := described.model()
	if m.Weights, err = decodeWeights(weights); err != nil {
		return nil, err
	}
	if m.Vectors, m.VectorCluster, err = decodeVectors(vectors); err != nil {
		return nil, err
	}
	if m.Clusters, err = decodeClusters(clusters, described.Counts.Clusters); err != nil {
		return nil, err
	}
	return m, described.matches(m, nil)
}

// FuzzRead checks that no content makes a reader panic or take much memory, and that whatever is read can be written and read again.
func FuzzRead(f *testing.F) {
	const fixture = "testdata/v1-labels"
	parts := [][]byte{load(f, fixture, manifestFile), load(f, fixture, weightsFile), load(f, fixture, clusterVectorsFile), load(f, fixture, clustersFile)}
	for which, part := range parts {
		f.Add(uint8(which), part)
	}
	f.Add(uint8(3), []byte(`[{"event":"cron ✓","score":1e3,"examples":[null, {"a": 1}]},{"id":1,"event":"cron ✓"},{"id":2,"event":"cron ✓","examples":[]}]`))
	f.Add(uint8(2), safetensorsFile(`{"offsets":{"dtype":"I32","shape":[1],"data_offsets":[0,4]}}`, 0))
	f.Fuzz(func(t *testing.T, which uint8, content []byte) {
		read := slices.Clone(parts)
		read[which%4] = content
		m, err := readParts(read[0], read[1], read[2], read[3])
		if err != nil {
			return
		}
		once, _, err := Read(written(t, m)) // raw examples lose their blanks
		require.NoError(t, err)
		twice, _, err := Read(written(t, once))
		require.NoError(t, err)
		require.Equal(t, once, twice)
	})
}
