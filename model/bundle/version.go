package bundle

import (
	"bufio"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"connect-deepcase/internal/disk"
	"connect-deepcase/model"
)

// Version is a version in memory. The next version often differs in a few scores: ReadAfter and Write take over what is the same.
type Version struct {
	Dir      string // its folder
	Model    *model.Model
	Manifest *Manifest
	sum      string            // checksum of its manifest, as in File
	files    map[string]stored // the other files
	lined    bool              // clusters.json has one cluster per line, as encodeClusters writes it
	lines    []checksum        // of clusters.json, if it was read
}

type checksum [sha256.Size]byte

// InFolder tells whether v, which may be nil, still is what its folder has by its manifest.
func (v *Version) InFolder() bool {
	if v == nil {
		return false
	}
	_, sum, err := readManifest(v.Dir)
	return err == nil && sum == v.sum
}

// model is the model of v, which may be nil.
func (v *Version) model() *model.Model {
	if v == nil {
		return nil
	}
	return v.Model
}

// has tells whether a file of v, which may be nil, has the size and checksum that m gives.
func (v *Version) has(m *Manifest, name string) bool {
	if v == nil {
		return false
	}
	file, there := v.Manifest.Files[name]
	return there && file == m.Files[name]
}

// ReadAfter is Read. What did not change since the version before, which may be nil, is in memory once. It checks the checksums of all files.
func ReadAfter(dir string, before *Version) (*Version, error) {
	manifest, sum, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	m := manifest.model()
	v := &Version{Dir: dir, Model: m, Manifest: manifest, sum: sum, files: map[string]stored{}}
	read := func(name string, same func(*model.Model), decode func([]byte) error) error {
		path, want := filepath.Join(dir, name), manifest.Files[name]
		if before.has(manifest, name) {
			same(before.Model)
			v.files[name] = before.files[name]
			return verifyFile(path, limits[name], want)
		}
		content, err := readListed(path, limits[name], want)
		if err != nil {
			return err
		}
		v.files[name] = stored{want, crc32.Checksum(content, castagnoli)}
		if err := decode(content); err != nil {
			return &DamagedError{path, err}
		}
		return nil
	}
	err = read(weightsFile, func(same *model.Model) { m.Weights = same.Weights }, func(content []byte) (err error) {
		m.Weights, err = decodeWeights(content)
		return err
	})
	if err == nil && manifest.clustered() {
		err = read(clusterVectorsFile, func(same *model.Model) { m.Vectors, m.VectorCluster = same.Vectors, same.VectorCluster },
			func(content []byte) (err error) {
				m.Vectors, m.VectorCluster, err = decodeVectors(content)
				return err
			})
		if err == nil {
			err = v.readClusters(before)
		}
	}
	if err != nil {
		return nil, err
	}
	if err := manifest.matches(m, before.model()); err != nil {
		return nil, &DamagedError{dir, err}
	}
	return v, nil
}

// Write creates dir, which must not exist, and writes m into it. All of it is on disk when Write returns. If Write fails, it may leave files
// behind, but no valid version. The same arguments give the same bytes.
//
// Write copies what m shares with the version before, which may be nil: whole files, and lines of clusters that did not change. What is damaged
// or gone there, it writes from memory.
func Write(dir string, m *model.Model, lineage Lineage, created time.Time, before *Version) (*Version, error) {
	if err := checkToWrite(m, before.model()); err != nil {
		return nil, err
	}
	manifest := describe(m, lineage, created)
	if err := os.Mkdir(dir, 0o777); err != nil {
		return nil, err
	}
	names := manifest.names()
	files := make([]stored, len(names))
	var writing errgroup.Group // several processors compute, and the disk flushes all files at once
	for i, name := range names {
		writing.Go(func() (err error) {
			path := filepath.Join(dir, name)
			if files[i], err = before.writeAgain(path, m, name); err == nil {
				return nil
			}
			if err := os.Remove(path); err != nil && !os.IsNotExist(err) {
				return err
			}
			files[i], err = writeFile(path, limits[name], nil, func(w io.Writer) error { return encode(w, m, name) })
			return err
		})
	}
	if err := writing.Wait(); err != nil {
		return nil, err
	}
	v := &Version{Dir: dir, Model: m, Manifest: manifest, files: map[string]stored{}, lined: len(m.Clusters) > 0}
	for i, name := range names {
		manifest.Files[name], v.files[name] = files[i].File, files[i]
	}
	w, err := writeFile(filepath.Join(dir, manifestFile), maxManifest, nil, manifest.encode)
	if err != nil {
		return nil, err
	}
	v.sum = w.SHA256
	return v, disk.SyncDir(dir)
}

// encode writes a file of m.
func encode(w io.Writer, m *model.Model, name string) error {
	switch name {
	case weightsFile:
		return encodeWeights(w, m.Weights)
	case clusterVectorsFile:
		return encodeVectors(w, m.Vectors, m.VectorCluster)
	default:
		return encodeClusters(w, m.Clusters, func(int) ([]byte, error) { return nil, nil })
	}
}

// errNothing says that two versions have too little in common.
var errNothing = errors.New("nothing to take over")

// writeAgain writes a file of m from the file of v, which may be nil. It fails if that is damaged or of no use.
func (v *Version) writeAgain(path string, m *model.Model, name string) (stored, error) {
	switch {
	case v == nil:
		return stored{}, errNothing
	case name == clustersFile && v.lined:
		return writeFile(path, maxClusters, nil, func(w io.Writer) error { return v.spliceClusters(w, m) })
	case name == weightsFile && m.Weights == v.Model.Weights,
		name == clusterVectorsFile && m.Vectors != nil && m.Vectors == v.Model.Vectors && slices.Equal(m.VectorCluster, v.Model.VectorCluster):
	default:
		return stored{}, errNothing
	}
	from := v.files[name]
	return writeFile(path, maxTensors, &from, func(w io.Writer) error {
		f, _, err := openFile(filepath.Join(v.Dir, name), from.Size)
		if err != nil {
			return err
		}
		defer f.Close()
		_, err = io.Copy(w, f)
		return err
	})
}

// spliceClusters writes the clusters of m. Those that are as in v are lines of its file, whose checksum it checks.
func (v *Version) spliceClusters(w io.Writer, m *model.Model) error {
	path, crc := filepath.Join(v.Dir, clustersFile), crc32.New(castagnoli)
	f, _, err := openFile(path, maxClusters)
	if err != nil {
		return err
	}
	defer f.Close()
	lines, line := bufio.NewReaderSize(io.TeeReader(f, crc), 1<<20), []byte(nil)
	err = encodeClusters(w, m.Clusters, func(i int) ([]byte, error) {
		if i >= len(v.Model.Clusters) {
			return nil, nil
		}
		var err error
		if line, err = readLine(lines, line[:0]); err != nil || !reflect.DeepEqual(m.Clusters[i], v.Model.Clusters[i]) { // this is quick, because they share slices
			return nil, err
		}
		return line[1:], nil
	})
	if _, rest := io.Copy(io.Discard, lines); err != nil || rest != nil {
		return errors.Join(err, rest)
	}
	if crc.Sum32() != v.files[clustersFile].crc {
		return fmt.Errorf("%s: not the content that was read before", path)
	}
	return nil
}

// readClusters reads clusters.json. Clusters that the version before has, too, are not decoded.
func (v *Version) readClusters(before *Version) error {
	path, want := filepath.Join(v.Dir, clustersFile), v.Manifest.Files[clustersFile]
	if before.has(v.Manifest, clustersFile) {
		v.Model.Clusters, v.files[clustersFile], v.lined, v.lines = before.Model.Clusters, before.files[clustersFile], before.lined, before.lines
		return verifyFile(path, maxClusters, want)
	}
	f, err := openListed(path, maxClusters, want)
	if err != nil {
		return err
	}
	defer f.Close()
	digest, crc := sha256.New(), crc32.New(castagnoli)
	lines := bufio.NewReaderSize(io.TeeReader(f, io.MultiWriter(digest, crc)), 1<<16)
	v.lined = v.decodeLines(lines, before)
	if _, err := io.Copy(io.Discard, lines); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := want.checkSum(digest.Sum(nil)); err != nil {
		return &DamagedError{path, err}
	}
	v.files[clustersFile] = stored{want, crc.Sum32()}
	if v.lined {
		return nil
	}
	content, err := readListed(path, maxClusters, want)
	if err != nil {
		return err
	}
	if v.Model.Clusters, err = decodeClusters(content, v.Manifest.Counts.Clusters); err != nil {
		return &DamagedError{path, err}
	}
	return nil
}

// decodeLines decodes clusters that are on one line each, as encodeClusters writes them. Lines that the version before has, too, are its clusters. It
// returns false if the file has another form, or is not valid.
func (v *Version) decodeLines(content *bufio.Reader, before *Version) bool {
	var clusters []model.Cluster
	var lines []checksum
	var line []byte
	for i, start := 0, byte('['); ; i, start = i+1, ',' {
		first, err := content.ReadByte()
		if err == nil && first == ']' && i > 0 {
			rest, _ := content.ReadString('\n')
			if _, after := content.ReadByte(); rest != "\n" || after != io.EOF {
				return false
			}
			v.Model.Clusters, v.lines = clusters, lines
			return true
		}
		if err != nil || first != start || i == v.Manifest.Counts.Clusters {
			return false
		}
		if line, err = readLine(content, line[:0]); err != nil {
			return false
		}
		sum := checksum(sha256.Sum256(line))
		if before != nil && i < len(before.lines) && before.lines[i] == sum {
			clusters = append(clusters, before.Model.Clusters[i])
		} else {
			var c cluster
			if json.Unmarshal(line, &c) != nil {
				return false
			}
			clusters = append(clusters, c.model())
		}
		lines = append(lines, sum)
	}
}

// readLine appends a line, with its end.
func readLine(r *bufio.Reader, line []byte) ([]byte, error) {
	for {
		part, err := r.ReadSlice('\n')
		line = append(line, part...)
		if !errors.Is(err, bufio.ErrBufferFull) {
			return line, err
		}
	}
}
