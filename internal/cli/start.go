package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/store"
)

// ready is what cluster, manual and automatic work with.
type ready struct {
	engine    contextbuilder.Engine
	from      loaded
	sequences *sequences
}

// start checks the flags, loads what they name, and makes sequences of events where there are none to load.
func (s *session) start(ctx context.Context) (ready, error) {
	var r ready
	_, err := s.params()
	if err != nil {
		return r, err
	}
	if r.engine, err = s.engine(); err != nil {
		return r, err
	}
	if r.from, err = s.load(); err != nil {
		return r, err
	}
	if r.sequences, err = s.sequences(ctx, r.from.params()); err != nil {
		return r, err
	}
	if m := r.from.model; m != nil && m.Params.Timeout != r.sequences.Timeout {
		s.note("the sequences were made with a timeout of %v seconds, the model with %v: contexts may differ from those that it knows",
			r.sequences.Timeout.Seconds(), m.Params.Timeout.Seconds())
	}
	return r, nil
}

// saveable finds out before long work whether its results have a place to go.
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
			return usagef("--%s and --%s: %s is one file, which would be lost: give another one", other, flag, path)
		}
		read[filepath.Clean(path)] = flag
		if info, err := os.Stat(path); err == nil && info.IsDir() {
			return fmt.Errorf("%s: %s is a folder, need a file", flag, path)
		}
		if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
			return fmt.Errorf("%s: %s: there is no folder %s", flag, path, filepath.Dir(path))
		}
	}
	for _, flag := range []string{"save-builder", "save-interpreter"} {
		path := s.flags.String(flag)
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return fmt.Errorf("%s: %s is a file, need a model directory", flag, path)
		}
		if err := store.Writable(path); err != nil {
			return fmt.Errorf("%s: %w", flag, err)
		}
	}
	return nil
}
