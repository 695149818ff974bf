// Package bundle writes one version of a model to a folder and reads it back (docs/model-format.md). Package store keeps the versions; most
// programs need only that.
package bundle

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"connect-deepcase/internal/disk"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
)

// The files of a version. Only a model with clusters has those of the clusters.
const (
	manifestFile       = "manifest.json"
	weightsFile        = "weights.safetensors"
	clustersFile       = "clusters.json"
	clusterVectorsFile = "clusters.safetensors"
)

// The largest sizes of files in bytes, which bound what a reader allocates.
const (
	maxManifest = 1 << 26
	maxClusters = 1 << 30
	maxTensors  = 1 << 36
)

// DamagedError says that a file is not as it was written, or never was valid, so that reading it again does not help. It does not stand for
// missing files (os.ErrNotExist) and newer formats (ErrNewerFormat).
type DamagedError struct {
	Path string // the file, or the folder if its files do not fit each other
	Err  error
}

func (e *DamagedError) Error() string { return e.Path + ": " + e.Err.Error() }
func (e *DamagedError) Unwrap() error { return e.Err }

// Check says why Write refuses a model, such as one whose training diverged.
func Check(m *model.Model) error {
	if m == nil {
		return errors.New("there is no model to write")
	}
	if err := checkAll(m); err != nil {
		return fmt.Errorf("the model is not written, because it could not be read: %w", err)
	}
	return nil
}

// Write creates dir, which must not exist, and writes m into it. All of it is on disk when Write returns. If Write fails, it may leave files
// behind, but no valid version. The same arguments give the same bytes.
func Write(dir string, m *model.Model, lineage Lineage, created time.Time) error {
	if err := Check(m); err != nil {
		return err
	}
	manifest := describe(m, lineage, created)
	if err := os.Mkdir(dir, 0o777); err != nil {
		return err
	}
	write := func(name string, limit int64, encode func(io.Writer) error) error {
		f, err := writeFile(filepath.Join(dir, name), limit, encode)
		manifest.Files[name] = f
		return err
	}
	if err := write(weightsFile, maxTensors, func(w io.Writer) error { return encodeWeights(w, m.Weights) }); err != nil {
		return err
	}
	if manifest.clustered() {
		if err := write(clusterVectorsFile, maxTensors, func(w io.Writer) error { return encodeVectors(w, m.Vectors, m.VectorCluster) }); err != nil {
			return err
		}
		if err := write(clustersFile, maxClusters, func(w io.Writer) error { return encodeClusters(w, m.Clusters) }); err != nil {
			return err
		}
	}
	if _, err := writeFile(filepath.Join(dir, manifestFile), maxManifest, manifest.encode); err != nil {
		return err
	}
	return disk.SyncDir(dir)
}

// Read reads and checks all of the version in dir. Errors name the file: a *DamagedError, ErrNewerFormat, or an error of the system.
func Read(dir string) (*model.Model, *Manifest, error) {
	manifest, err := ReadManifest(dir)
	if err != nil {
		return nil, nil, err
	}
	m := manifest.model()
	decode := func(name string, limit int64, decode func([]byte) error) error {
		path := filepath.Join(dir, name)
		want := manifest.Files[name]
		content, err := readFile(path, limit, &want)
		if err != nil {
			return err
		}
		if err := decode(content); err != nil {
			return &DamagedError{path, err}
		}
		return nil
	}
	err = decode(weightsFile, maxTensors, func(content []byte) (err error) {
		m.Weights, err = decodeWeights(content)
		return err
	})
	if err == nil && manifest.clustered() {
		err = decode(clusterVectorsFile, maxTensors, func(content []byte) (err error) {
			m.Vectors, m.VectorCluster, err = decodeVectors(content)
			return err
		})
		if err == nil {
			err = decode(clustersFile, maxClusters, func(content []byte) (err error) {
				m.Clusters, err = decodeClusters(content, manifest.Counts.Clusters)
				return err
			})
		}
	}
	if err != nil {
		return nil, nil, err
	}
	if err := manifest.matches(m); err != nil {
		return nil, nil, &DamagedError{dir, err}
	}
	return m, manifest, nil
}

// ReadManifest reads the manifest of a version, and checks that the other files exist and have the right sizes. Only Read checks their content.
func ReadManifest(dir string) (*Manifest, error) {
	path := filepath.Join(dir, manifestFile)
	content, err := readFile(path, maxManifest, nil)
	if err != nil {
		return nil, err
	}
	manifest, err := decodeManifest(content)
	if errors.Is(err, ErrNewerFormat) {
		return nil, fmt.Errorf("%s: %w", path, err)
	} else if err != nil {
		return nil, &DamagedError{path, err}
	}
	for _, name := range manifest.names() {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			return nil, err
		}
		if err := manifest.Files[name].checkSize(info.Size()); err != nil {
			return nil, &DamagedError{path, err}
		}
	}
	if err := manifest.checkBounds(); err != nil {
		return nil, &DamagedError{path, err}
	}
	return manifest, nil
}

// checkAll tells whether Read would accept m.
func checkAll(m *model.Model) error {
	if err := check(m); err != nil {
		return err
	}
	_, err := contextbuilder.FromTensors(m.Weights.Tensors())
	return err
}

// check checks that the parts of m fit each other. It does not check weights, which FromTensors does.
func check(m *model.Model) error {
	if err := m.Validate(); err != nil {
		return err
	}
	if err := checkNames(m.Names); err != nil {
		return err
	}
	if err := checkTemplates(m.Templates); err != nil {
		return err
	}
	if m.Samples < 0 {
		return fmt.Errorf("samples: %d is below 0", m.Samples)
	}
	return checkClusters(m)
}

func writeFile(path string, limit int64, encode func(io.Writer) error) (File, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return File{}, err
	}
	digest, size := sha256.New(), counter(0)
	buffered := bufio.NewWriterSize(io.MultiWriter(f, digest, &size), 1<<20)
	if err = encode(buffered); err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	if err = errors.Join(err, buffered.Flush()); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil && int64(size) > limit {
		err = fmt.Errorf("%s: %d bytes, at most %d can be read", path, size, limit)
	}
	return File{Size: int64(size), SHA256: hex.EncodeToString(digest.Sum(nil))}, err
}

// counter counts the bytes written to it.
type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// largeFile is the size from which a file's checksum is verified before memory is allocated for it: a sparse file is large and takes no space
// on the disk.
const largeFile = 1 << 26

// readFile reads a whole file of at most limit bytes. want, which may be nil, is what the manifest says of it.
func readFile(path string, limit int64, want *File) ([]byte, error) {
	f, info, err := disk.Open(path)
	if errors.Is(err, disk.ErrNotRegular) {
		return nil, &DamagedError{path, disk.ErrNotRegular}
	} else if err != nil {
		return nil, err
	}
	defer f.Close()
	size := info.Size()
	if size > limit {
		return nil, &DamagedError{path, fmt.Errorf("%d bytes, at most %d are allowed", size, limit)}
	}
	if want != nil {
		if err := want.checkSize(size); err != nil {
			return nil, &DamagedError{path, err}
		}
	}
	if want != nil && size > largeFile {
		digest := sha256.New()
		if _, err := io.Copy(digest, f); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if err := want.checkSum(digest.Sum(nil)); err != nil {
			return nil, &DamagedError{path, err}
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	content := make([]byte, size)
	if _, err := io.ReadFull(f, content); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if want != nil {
		sum := sha256.Sum256(content)
		if err := want.checkSum(sum[:]); err != nil {
			return nil, &DamagedError{path, err}
		}
	}
	return content, nil
}
