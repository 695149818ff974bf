// Package server puts the parts of the review page together and serves them.
package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/internal/review/database"
	"connect-deepcase/internal/review/desk"
	"connect-deepcase/internal/review/gate"
	"connect-deepcase/internal/review/page"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/decisions"
)

// Options of a server.
type Options struct {
	Model, Store string // directories
	Address      string // host and port
	TLS          *tls.Config
	Gate         gate.Options
	Levels       []review.Level
	Hold         decisions.Hold
	Retain       int // versions to keep, 0 for all
	Keep         time.Duration
	Rest, AtMost time.Duration // how long scores wait for their version; 0 for the defaults
	Engine       contextbuilder.Engine
	Finished     bool // the alerts are from finished files: it is the time of the last one
	Log          func(format string, arguments ...any)
	Observe      func(route string, status int, took time.Duration) // of each request; may be nil
}

// Server has the parts of a review page.
type Server struct {
	listener net.Listener
	scheme   string
	db       *database.DB
	board    *board.Board
	desk     *desk.Desk
	http     *http.Server
	stop     context.CancelFunc
	running  sync.WaitGroup

	asked atomic.Int64 // when the last request came, in ns since 1970
	turn  sync.Mutex   // held by who takes alerts up while the page is in use
}

// Open takes the address and opens the store. Nothing is served before Serve.
func Open(ctx context.Context, o Options) (*Server, error) {
	s := &Server{scheme: "http", stop: func() {}}
	if err := s.open(ctx, o); err != nil {
		return nil, errors.Join(err, s.Close(ctx))
	}
	return s, nil
}

func (s *Server) open(ctx context.Context, o Options) (err error) {
	if s.listener, err = listen(ctx, o.Address); err != nil {
		return err
	}
	if o.TLS != nil {
		s.listener, s.scheme = tls.NewListener(s.listener, o.TLS), "https"
	}
	if sameDirectory(o.Store, o.Model) {
		return fmt.Errorf("store: %s is the model directory: need a directory of its own", o.Store)
	}
	if s.db, err = database.Open(o.Store); err != nil {
		return err
	}
	now, stale := time.Now, time.Second // alerts may stream in all the time
	if o.Finished {
		now, stale = nil, 0
	}
	if s.board, err = board.Open(ctx, s.db, board.Options{Keep: o.Keep, Generation: desk.Generation(o.Model), Now: now, Log: o.Log}); err != nil {
		return err
	}
	s.desk, err = desk.Open(ctx, desk.Options{
		Model: o.Model, Board: s.board, DB: s.db, Hold: o.Hold, Retain: o.Retain, Rest: o.Rest, AtMost: o.AtMost, Engine: o.Engine, Stale: stale, Log: o.Log,
	})
	if err != nil {
		return err
	}
	pages, err := page.New(s.desk, page.Options{Levels: o.Levels, Observe: o.Observe})
	if err != nil {
		return err
	}
	if o.Gate.Log == nil {
		o.Gate.Log = o.Log
	}
	o.Gate.Address, o.Gate.Secure = s.listener.Addr().String(), o.TLS != nil
	handler, err := gate.New(o.Gate, pages)
	if err != nil {
		return err
	}
	s.http = &http.Server{
		Handler: s.watch(handler), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, WriteTimeout: 5 * time.Minute, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 64 << 10, ErrorLog: log.New(lines(o.Log), "", 0),
	}
	return nil
}

// sameDirectory tells whether two paths are one directory. Where the case of names does not count, both would even have the same file as their
// lock.
func sameDirectory(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return filepath.Clean(a) == filepath.Clean(b) // the model may come later
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

func listen(ctx context.Context, address string) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("address %s is in use by another program: need a free port, or end that program: %w", address, err)
	case err != nil:
		return nil, fmt.Errorf("address %s: %w", address, err)
	}
	return l, nil
}

// lines makes a log of the errors that net/http writes.
type lines func(format string, arguments ...any)

func (l lines) Write(text []byte) (int, error) {
	l("The review page: %s", strings.TrimSpace(string(text)))
	return len(text), nil
}

// Serve serves the page, follows the decisions of others, and publishes, until Close.
func (s *Server) Serve() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	s.running.Go(func() { s.desk.Run(ctx) })
	s.running.Go(func() { s.tidy(ctx) })
	s.running.Go(func() {
		if err := s.http.Serve(s.listener); !errors.Is(err, http.ErrServerClosed) {
			s.http.ErrorLog.Print(err)
		}
	})
}

// tidied is how often the store is written although no alert comes, so that what is too old is forgotten all the same.
const tidied = 10 * time.Minute

func (s *Server) tidy(ctx context.Context) {
	ticks := time.NewTicker(tidied)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			_ = s.board.Add(ctx, nil) // the board logs a store that cannot be written
		}
	}
}

// URL is where the page is served.
func (s *Server) URL() string { return s.scheme + "://" + s.listener.Addr().String() + "/" }

// inUse is how long the page counts as in use after a request.
const inUse = 2 * time.Second

func (s *Server) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.asked.Store(time.Now().UnixNano())
		next.ServeHTTP(w, r)
	})
}

// Turn waits until its caller may decode and Add alerts, who then calls done. While the page is in use, one batch has its turn after the other, so
// that a flood of alerts leaves a processor to the page.
func (s *Server) Turn() (done func()) {
	if time.Since(time.Unix(0, s.asked.Load())) > inUse {
		return func() {}
	}
	s.turn.Lock()
	return s.turn.Unlock
}

// Add takes up alerts: board.Board.Add.
func (s *Server) Add(ctx context.Context, alerts []board.Alert) error {
	return s.board.Add(ctx, alerts)
}

// State is what metrics say.
type State struct {
	Questions, Cases int // open
	Unpublished      int
	Problems         int
	Newest           time.Time // of the alerts; zero if there is none
}

// State counts what is open. It sorts the queue, so it is for every few seconds.
func (s *Server) State() State {
	status := s.desk.Status()
	counts := s.desk.Queue("", review.Query{Limit: 1}).Counts
	state := State{Questions: counts[review.Open], Cases: counts[review.Cases], Unpublished: status.Unpublished, Problems: len(status.Problems)}
	s.board.View(func(v board.View) { state.Newest = v.Totals().Last })
	return state
}

// Changes are the decisions since a sequence number.
func (s *Server) Changes(since uint64) review.Changes { return s.desk.Changes(since) }

// closing is how long requests may take to end, and then the store.
const closing = 5 * time.Second

// Close ends requests, publishing and the store. If ctx ends, requests are cut off, but the store is written all the same.
func (s *Server) Close(ctx context.Context) error {
	var err error
	if s.http != nil {
		ending, cancel := context.WithTimeout(ctx, closing)
		if s.http.Shutdown(ending) != nil { // a request takes longer
			err = s.http.Close()
		}
		cancel()
	}
	if s.listener != nil {
		_ = s.listener.Close() // Serve may have closed it
	}
	s.stop()
	s.running.Wait()
	if s.board != nil {
		writing, cancel := context.WithTimeout(context.WithoutCancel(ctx), closing)
		err = errors.Join(err, s.board.Close(writing))
		cancel()
	}
	if s.db != nil {
		err = errors.Join(err, s.db.Close())
	}
	return err
}
