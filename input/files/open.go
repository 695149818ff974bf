package files

import (
	"context"
	"os"
	"syscall"
	"time"
)

// file is one that is being read.
type file struct {
	*os.File
	path   string
	stream bool // a pipe, say: it may have no more for now
	text   *text
	splitter
}

func isStream(path string) bool {
	info, err := os.Stat(path)
	return err == nil && !info.Mode().IsRegular()
}

// open opens a file and detects its format. If the file opens but cannot be read, its only piece is the error.
func open(ctx context.Context, path string, r reading) (*file, error) {
	f := &file{path: path, stream: isStream(path), text: &text{encoding: r.encoding, line: 1, wait: true}}
	var err error
	if f.File, err = openFile(ctx, path, f.stream); err != nil {
		return nil, err
	}
	defer f.interrupt(ctx)()
	if f.text.in, err = r.encoding.NewReader(f.File); err != nil {
		f.text.err = err
	}
	if f.splitter, err = r.splitter(f.text, path); err != nil {
		f.splitter = &refused{f.text, err}
	}
	return f, ctx.Err()
}

// read gives the next piece. If wait is set, it waits for a stream.
func (f *file) read(ctx context.Context, wait bool) (piece, error) {
	if f.stream && wait {
		defer f.interrupt(ctx)()
	}
	f.text.wait = wait || !f.stream
	p, err := f.next()
	if err != nil && ctx.Err() != nil {
		return piece{}, ctx.Err()
	}
	return p, err
}

// interrupt makes reads of a stream fail with os.ErrDeadlineExceeded when ctx ends. The function that it returns undoes this.
func (f *file) interrupt(ctx context.Context) func() bool {
	if !f.stream {
		return func() bool { return true }
	}
	_ = f.SetReadDeadline(time.Time{}) // what has no deadlines does not block for long
	return context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Now()) })
}

// openFile waits for a writer of a named pipe until ctx ends.
func openFile(ctx context.Context, path string, stream bool) (*os.File, error) {
	if !stream {
		return os.Open(path)
	}
	type opened struct {
		*os.File
		error
	}
	result := make(chan opened, 1)
	go func() {
		f, err := os.Open(path)
		result <- opened{f, err}
	}()
	select {
	case o := <-result:
		return o.File, o.error
	case <-ctx.Done():
	}
	// A pipe that is open in both directions has a writer, so that the goroutine above does not wait, even if it has yet to open
	// the pipe. Opening both does not wait either.
	both, err := os.OpenFile(path, os.O_RDWR|syscall.O_NONBLOCK, 0)
	go func() {
		if o := <-result; o.error == nil {
			_ = o.Close()
		}
		if err == nil {
			_ = both.Close()
		}
	}()
	return nil, ctx.Err()
}
