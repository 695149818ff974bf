//go:build browser

package browser

import (
	"archive/tar"
	"compress/gzip"
	"fmt"
	"io"
)

// fromTar is the text of a file in a compressed archive.
func fromTar(archive io.Reader, name string) (string, error) {
	unpacked, err := gzip.NewReader(archive)
	if err != nil {
		return "", err
	}
	for files := tar.NewReader(unpacked); ; {
		header, err := files.Next()
		if err != nil {
			return "", fmt.Errorf("%s: %w", name, err)
		}
		if header.Name == name {
			text, err := io.ReadAll(files)
			return string(text), err
		}
	}
}
