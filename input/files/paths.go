package files

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/redpanda-data/benthos/v4/public/service"
)

// find gives the files of paths: each path is a file or a pattern, and must match a file. All files that it gives exist and can be opened.
func find(fsys fs.FS, paths []string) ([]string, error) {
	var found []string
	seen := map[string]bool{}
	for _, path := range paths {
		matches := []string{path}
		// The name of an existing file is not a pattern.
		_, err := os.Stat(path)
		literal := err == nil
		if !literal {
			if matches, err = service.Globs(fsys, path); err != nil {
				return nil, fmt.Errorf("field '%s': %q: %w", fieldPaths, path, err)
			}
		}
		n := 0
		for _, match := range matches {
			info, err := os.Stat(match)
			switch {
			case err != nil:
				return nil, fmt.Errorf("field '%s': %w", fieldPaths, err)
			case info.IsDir() && !literal:
				continue
			case info.IsDir():
				return nil, fmt.Errorf("field '%s': %s is a folder: want files, such as %s", fieldPaths, match, filepath.Join(match, "*"))
			case info.Mode().IsRegular():
				if err := readable(match); err != nil {
					return nil, fmt.Errorf("field '%s': %w", fieldPaths, err)
				}
			}
			n++
			if clean := filepath.Clean(match); !seen[clean] {
				seen[clean] = true
				found = append(found, match)
			}
		}
		if n == 0 {
			return nil, fmt.Errorf("field '%s': no file matches %q", fieldPaths, path)
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("field '%s' is empty: want at least one file", fieldPaths)
	}
	return found, nil
}

func readable(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return f.Close()
}
