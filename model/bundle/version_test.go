package bundle

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
)

func readAfter(t *testing.T, dir string, before *Version) *Version {
	t.Helper()
	v, err := ReadAfter(dir, before)
	require.NoError(t, err)
	return v
}

func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, name := range []string{manifestFile, weightsFile, clustersFile, clusterVectorsFile} {
		files[name] = string(load(t, dir, name))
	}
	return files
}

// changes are models that a version is followed by.
func changes(t *testing.T, m *model.Model) map[string]*model.Model {
	scored, err := m.WithScores(map[int]float64{1: 7})
	require.NoError(t, err)
	fewer, more, other, vectors := *m, *m, *m, *m
	fewer.Clusters, fewer.Vectors, fewer.VectorCluster = m.Clusters[:2], &interpreter.Vectors{Offsets: []int32{0, 2}, IDs: []int32{0, 4}, Values: []int32{1, 2}}, []int32{1}
	more.Clusters = append(append([]model.Cluster{}, m.Clusters...), model.Cluster{ID: 3, Event: m.Names[0], Size: 1, Score: 4})
	other.Weights = network(t, m.Weights.Config)
	other.Weights.Out.Bias[0] = 99
	vectors.VectorCluster = []int32{0, 1, 1, 2}
	return map[string]*model.Model{"the same": m, "a score": scored, "fewer clusters": &fewer, "more clusters": &more, "other weights": &other,
		"other clusters of vectors": &vectors, "another model": named(t)}
}

// What is taken over from the version before never shows: files and models are those of Write and Read.
func TestAVersionAfterAnother(t *testing.T) {
	m := clustered(t)
	for name, changed := range changes(t, m) {
		t.Run(name, func(t *testing.T) {
			first := readAfter(t, written(t, m), nil)
			for _, before := range []*Version{first, {Dir: first.Dir, Model: first.Model, Manifest: first.Manifest}} {
				changed := *changed
				for _, shared := range []bool{true, false} { // with the version before
					if shared && changed.Weights == m.Weights {
						changed.Weights = first.Model.Weights
					}
					if shared && changed.Vectors == m.Vectors {
						changed.Vectors = first.Model.Vectors
					}
					dir := filepath.Join(t.TempDir(), "after")
					wrote, err := Write(dir, &changed, Lineage{}, created, before)
					require.NoError(t, err)
					require.Equal(t, contents(t, written(t, &changed)), contents(t, dir))
					want, manifest, err := Read(dir)
					require.NoError(t, err)
					for _, before := range []*Version{first, wrote, nil} {
						v := readAfter(t, dir, before)
						require.Equal(t, want, v.Model)
						require.Equal(t, manifest, v.Manifest)
						require.True(t, v.InFolder())
					}
				}
			}
		})
	}
}

func TestWhatDidNotChangeIsInMemoryOnce(t *testing.T) {
	first := readAfter(t, written(t, clustered(t)), nil)
	scored, err := first.Model.WithScores(map[int]float64{1: 7})
	require.NoError(t, err)
	dir := filepath.Join(t.TempDir(), "after")
	_, err = Write(dir, scored, Lineage{}, created, first)
	require.NoError(t, err)
	v := readAfter(t, dir, first)
	require.Same(t, first.Model.Weights, v.Model.Weights)
	require.Same(t, first.Model.Vectors, v.Model.Vectors)
	require.Same(t, &first.Model.Clusters[0].Contexts[0], &v.Model.Clusters[0].Contexts[0])
	require.NotSame(t, &first.Model.Clusters[1].Contexts[0], &v.Model.Clusters[1].Contexts[0])
}

// Damage of a version does not get into the next one, and is found although the reader has the content in memory.
func TestDamageIsNotTakenOver(t *testing.T) {
	for _, name := range []string{weightsFile, clusterVectorsFile, clustersFile} {
		for what, damage := range map[string]func(path string, content []byte) error{
			"gone":  func(path string, _ []byte) error { return os.Remove(path) },
			"cut":   func(path string, content []byte) error { return os.WriteFile(path, content[:len(content)-3], 0o600) },
			"empty": func(path string, _ []byte) error { return os.WriteFile(path, nil, 0o600) },
			"changed": func(path string, content []byte) error {
				return os.WriteFile(path, bytes.Replace(content, []byte("8"), []byte("9"), 1), 0o600)
			},
			"a bit": func(path string, content []byte) error {
				content[len(content)-4] ^= 1
				return os.WriteFile(path, content, 0o600)
			},
		} {
			t.Run(name+" "+what, func(t *testing.T) {
				before := readAfter(t, written(t, clustered(t)), nil)
				path := filepath.Join(before.Dir, name)
				content := load(t, before.Dir, name)
				require.NoError(t, damage(path, bytes.Clone(content)))
				scored, err := before.Model.WithScores(map[int]float64{0: 7})
				require.NoError(t, err)
				dir := filepath.Join(t.TempDir(), "after")
				_, err = Write(dir, scored, Lineage{}, created, before)
				require.NoError(t, err)
				require.Equal(t, contents(t, written(t, scored)), contents(t, dir))
				if what == "gone" {
					_, err = ReadAfter(before.Dir, before)
					require.ErrorIs(t, err, os.ErrNotExist)
				} else if !bytes.Equal(load(t, before.Dir, name), content) { // some files have no 8
					_, err = ReadAfter(before.Dir, before)
					require.ErrorAs(t, err, new(*DamagedError))
				}
			})
		}
	}
}

// Other programs may write clusters.json in another form.
func TestClustersInAnotherForm(t *testing.T) {
	for _, between := range []string{"\n,", "\n, ", ",", ",\n"} {
		dir := written(t, clustered(t))
		editManifest(t, dir, func(map[string]any) {}) // it changes the seed
		want, _, err := Read(dir)
		require.NoError(t, err)
		forge(t, dir, clustersFile, bytes.ReplaceAll(load(t, dir, clustersFile), []byte("\n,"), []byte(between)))
		before := readAfter(t, dir, nil)
		require.Equal(t, want, before.Model)
		after := filepath.Join(t.TempDir(), "after")
		scored, err := before.Model.WithScores(map[int]float64{0: 7})
		require.NoError(t, err)
		_, err = Write(after, scored, Lineage{}, created, before)
		require.NoError(t, err)
		require.Equal(t, scored, readAfter(t, after, before).Model)
	}
}
