package cli

import (
	"bufio"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"connect-deepcase/internal/report"
	"connect-deepcase/model/store"
	"connect-deepcase/sequencer"
)

// saveable checks before long work that its results can be saved.
func (s *session) saveable() error {
	read := map[string]string{} // flags by file
	for _, flag := range s.flags.FlagNames() {
		if files, many := s.flags.Generic(flag).(*paths); many {
			for _, path := range *files {
				read[filepath.Clean(path)] = flag
			}
		} else if strings.HasPrefix(flag, "load-") {
			read[filepath.Clean(s.flags.String(flag))] = flag
		}
	}
	for _, flag := range []string{"save-sequences", "save-clusters", "save-prediction"} {
		path := s.flags.String(flag)
		if path == "" {
			continue
		}
		other, taken := read[filepath.Clean(path)]
		if info, err := os.Stat(path); taken && (err != nil || info.Mode().IsRegular()) {
			return usagef("--%s and --%s: %s is one file, which would be overwritten: give another one", other, flag, path)
		}
		read[filepath.Clean(path)] = flag
		if err := saveableFile(flag, path); err != nil {
			return err
		}
	}
	for _, flag := range []string{"save-builder", "save-interpreter"} {
		path := s.flags.String(flag)
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return fmt.Errorf("--%s: %s is a file, need a model directory", flag, path)
		}
		if err := store.Writable(path); err != nil {
			return fmt.Errorf("--%s: %w", flag, err)
		}
	}
	return nil
}

// saveableFile checks that a file can be at the path of a flag: no folder is there, and there is one for it.
func saveableFile(flag, path string) error {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return fmt.Errorf("--%s: %s is a folder, need a file", flag, path)
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return fmt.Errorf("--%s: %s: there is no folder %s", flag, path, filepath.Dir(path))
	}
	return nil
}

// saveFile writes a whole file or nothing. The old file stays until the new one is complete, even if the disk fills up or an interrupt
// ends ctx. Anything that is not a regular file, such as /dev/stdout, is written to directly.
func saveFile(ctx context.Context, path string, write func(io.Writer) error) (err error) {
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target // a link stays a link
	}
	info, err := os.Stat(path)
	regular := err != nil || info.Mode().IsRegular()
	temporary := path
	flags := os.O_WRONLY
	if regular {
		temporary, flags = path+".part", os.O_WRONLY|os.O_CREATE|os.O_EXCL
		if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) { // left by a run that was killed
			return err
		}
	}
	f, err := os.OpenFile(temporary, flags, 0o666)
	if err != nil {
		return err
	}
	if regular {
		defer func() {
			if err != nil {
				_ = os.Remove(temporary)
			}
		}()
		if info != nil {
			err = f.Chmod(info.Mode().Perm())
		}
	}
	b := bufio.NewWriterSize(f, 1<<16)
	if err == nil {
		err = write(b)
	}
	err = errors.Join(err, b.Flush())
	if regular && err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil && regular {
		if err = ctx.Err(); err != nil {
			return fmt.Errorf("%s is not saved: %w", path, err)
		}
		err = os.Rename(temporary, path)
	}
	return err
}

// saveClusters writes the original's clusters file; labels may be nil.
func saveClusters(ctx context.Context, path string, clusters []int32, labels []float64) error {
	return saveCSV(ctx, path, []string{"clusters", "labels"}, len(clusters), func(row int) []string {
		label := float64(sequencer.NoLabel)
		if labels != nil {
			label = labels[row]
		}
		return []string{strconv.Itoa(int(clusters[row])), report.Number(label)}
	})
}

// savePrediction writes the original's prediction file, with 1 instead of 1.0.
func savePrediction(ctx context.Context, path string, prediction []float64) error {
	return saveCSV(ctx, path, []string{"labels"}, len(prediction), func(row int) []string { return []string{report.Number(prediction[row])} })
}

func saveCSV(ctx context.Context, path string, header []string, rows int, row func(int) []string) error {
	return saveFile(ctx, path, func(out io.Writer) error {
		w := csv.NewWriter(out)
		if err := w.Write(header); err != nil {
			return err
		}
		for i := range rows {
			if err := w.Write(row(i)); err != nil {
				return err
			}
		}
		w.Flush()
		return w.Error()
	})
}
