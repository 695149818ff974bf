package sequencer

import (
	"sync"
	"unsafe"
)

// shard holds a part of the machines.
type shard struct {
	mu       sync.Mutex
	machines map[string]*window
	names    names
	windows  int   // bytes of the windows, without names
	told     int   // bytes of windows and names that are counted in Windows.bytes
	last     int64 // time of the event that arrived last

	fresh, known          list // machines with fewer than Length arrivals, and the others
	maxFresh, maxFreshMem int  // beyond these, fresh ones go before known ones
}

// list orders windows by their last use: succ of its head is the latest, prev the oldest.
type list struct {
	head   window
	n      int
	weight int
}

func (l *list) oldest() *window {
	if l.n == 0 {
		return nil
	}
	return l.head.prev
}

func (s *shard) init(maxFresh, maxFreshMem int) {
	s.machines, s.names.ids = map[string]*window{}, map[string]uint32{}
	s.maxFresh, s.maxFreshMem = maxFresh, maxFreshMem
	for _, l := range []*list{&s.fresh, &s.known} {
		l.head.prev, l.head.succ = &l.head, &l.head
	}
}

// touch makes win the most recently used of its kind.
func (s *shard) touch(win *window, length int) {
	s.unlink(win)
	l := &s.fresh
	if win.arrived >= uint64(length) {
		l = &s.known
	}
	win.in, win.weight = l, win.size+win.named
	l.n++
	l.weight += win.weight
	win.prev, win.succ = &l.head, l.head.succ
	win.prev.succ, win.succ.prev = win, win
}

// unlink takes win out of its list, if it is in one.
func (s *shard) unlink(win *window) {
	if win.in == nil {
		return
	}
	win.in.n--
	win.in.weight -= win.weight
	win.prev.succ, win.succ.prev = win.succ, win.prev
	win.in, win.prev, win.succ = nil, nil, nil
}

// settle counts the memory of a window that has changed.
func (w *Windows) settle(s *shard, win *window) {
	size := windowSize + allocated(len(win.machine)) + allocated(entrySize*cap(win.entries))
	s.windows += size - win.size
	win.size = size
	w.tell(s)
}

// tell adds a change to Windows.bytes.
func (w *Windows) tell(s *shard) {
	if now := s.windows + s.names.size; now != s.told {
		w.bytes.Add(int64(now - s.told))
		s.told = now
	}
}

const (
	entrySize  = int(unsafe.Sizeof(entry{}))
	windowSize = int(unsafe.Sizeof(window{})) + 64 // with its place in the map
)

// evict forgets machines of the shard, but not except, until the limits hold.
func (w *Windows) evict(s *shard, except *window) {
	for w.held.Load() > int64(w.opts.MaxMachines) || w.bytes.Load() > int64(w.opts.MaxBytes) {
		now := min(s.last, nanos(w.opts.Now())) // a time in the future must not make windows look old
		victim := w.victim(s, except, now)
		if victim == nil {
			return
		}
		if !w.overfull() {
			if w.bytes.Load() <= int64(w.opts.MaxBytes) {
				return // another shard was faster
			}
			w.held.Add(-1)
		}
		if victim.expired(&w.opts, now) {
			w.evictedExpired.Add(1)
		} else {
			w.evictedLive.Add(1)
		}
		w.remove(s, victim)
	}
}

// victim is the machine to forget first, nil if there is none except except.
func (w *Windows) victim(s *shard, except *window, now int64) *window {
	fresh, known := s.fresh.oldest(), s.known.oldest()
	if fresh == except {
		fresh = nil
	}
	if known == except {
		known = nil
	}
	switch {
	case known != nil && known.expired(&w.opts, now):
		return known
	case fresh != nil && (known == nil || fresh.expired(&w.opts, now) || s.fresh.n > s.maxFresh || s.fresh.weight > s.maxFreshMem):
		return fresh
	}
	return known
}

// overfull subtracts one from the number of machines if there are too many.
func (w *Windows) overfull() bool {
	for {
		n := w.held.Load()
		if n <= int64(w.opts.MaxMachines) {
			return false
		}
		if w.held.CompareAndSwap(n, n-1) {
			return true
		}
	}
}

// remove forgets a window. The caller updates held.
func (w *Windows) remove(s *shard, win *window) {
	s.unlink(win)
	win.clear(&s.names)
	delete(s.machines, win.machine)
	s.windows -= win.size
	w.tell(s)
}
