// Package bundle writes one version of a model to a folder and reads it back (docs/model-format.md). Package store keeps the versions; most
// programs need only that.
package bundle

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"

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

var limits = map[string]int64{weightsFile: maxTensors, clusterVectorsFile: maxTensors, clustersFile: maxClusters}

// DamagedError says that a file is not as it was written, or never was valid, so that reading it again does not help. It does not stand for
// missing files (os.ErrNotExist) and newer formats (ErrNewerFormat).
type DamagedError struct {
	Path string // the file, or the folder if its files do not fit each other
	Err  error
}

func (e *DamagedError) Error() string { return e.Path + ": " + e.Err.Error() }
func (e *DamagedError) Unwrap() error { return e.Err }

// Check says why Write refuses a model, such as one whose training diverged.
func Check(m *model.Model) error { return checkToWrite(m, nil) }

// checkToWrite is Check for a model of which known, which may be nil, passed.
func checkToWrite(m, known *model.Model) error {
	if m == nil {
		return errors.New("there is no model to write")
	}
	err := check(m, known)
	if err == nil && (known == nil || m.Weights != known.Weights) {
		_, err = contextbuilder.FromTensors(m.Weights.Tensors())
	}
	if err != nil {
		return fmt.Errorf("the model is not written, because it could not be read: %w", err)
	}
	return nil
}

// Read reads and checks all of the version in dir. Errors name the file: a *DamagedError, ErrNewerFormat, or an error of the system.
func Read(dir string) (*model.Model, *Manifest, error) {
	v, err := ReadAfter(dir, nil)
	if err != nil {
		return nil, nil, err
	}
	return v.Model, v.Manifest, nil
}

// ReadManifest reads the manifest of a version, and checks that the other files exist and have the right sizes. Only Read checks their content.
func ReadManifest(dir string) (*Manifest, error) {
	manifest, _, err := readManifest(dir)
	return manifest, err
}

// readManifest is ReadManifest, and gives the checksum of the manifest.
func readManifest(dir string) (*Manifest, string, error) {
	path := filepath.Join(dir, manifestFile)
	content, err := readFile(path, maxManifest)
	if err != nil {
		return nil, "", err
	}
	manifest, err := decodeManifest(content)
	if errors.Is(err, ErrNewerFormat) {
		return nil, "", fmt.Errorf("%s: %w", path, err)
	} else if err != nil {
		return nil, "", &DamagedError{path, err}
	}
	for _, name := range manifest.names() {
		path := filepath.Join(dir, name)
		info, err := os.Stat(path)
		if err != nil {
			return nil, "", err
		}
		if err := manifest.Files[name].checkSize(info.Size()); err != nil {
			return nil, "", &DamagedError{path, err}
		}
	}
	if err := manifest.checkBounds(); err != nil {
		return nil, "", &DamagedError{path, err}
	}
	sum := sha256.Sum256(content)
	return manifest, hex.EncodeToString(sum[:]), nil
}

// check checks that the parts of m fit each other. It does not check weights, which FromTensors does. known, which may
// be nil, passed the check: what m shares with it is not checked again.
func check(m, known *model.Model) error {
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
	return checkClusters(m, known)
}
