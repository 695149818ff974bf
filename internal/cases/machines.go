package cases

import (
	"container/list"
	"fmt"
	"strings"
	"sync"
	"time"
	"unsafe"
)

// Limits bound what Machines hold.
type Limits struct {
	MaxMachines int
	MaxBytes    int              // of memory: see Machines.Bytes
	Now         func() time.Time // nil for time.Now
}

// minBytes is the smallest MaxBytes.
const minBytes = 1 << 20

// Machines hold the cases of machines. All methods may be called from several goroutines at once.
//
// Beyond the limits, machines are forgotten in this order, and within each group the one that was silent longest goes first:
//
//  1. machines without a case that is open, nor one that was opened lately
//  2. new machines, with fewer than 10 alerts, while they take more than a quarter of a limit, so that a flood of invented names does not
//     displace the machines that are known
//  3. all others
//
// A machine that was forgotten begins anew: its next alerts open cases again, and count from one in their hour. Machines in use may exceed
// the limits.
type Machines struct {
	opts   Options
	limits Limits

	mu           sync.Mutex
	machines     map[string]*entry
	bytes        int
	fresh, known crowd
	latest       int64 // time of the alert that arrived last

	evictedLive, evictedExpired int64
}

// entry is a machine that is held. The lock of its Machines guards all fields except machine, which belongs to the Update that holds mu, or to
// Machines if there are no users.
type entry struct {
	name    string
	machine Machine
	mu      sync.Mutex
	users   int    // Updates that run or wait
	size    int    // bytes that are counted for it
	in      *crowd // nil until its first Update ends
	place   *list.Element
}

// crowd orders machines by their last use, latest first.
type crowd struct {
	list.List
	bytes int
}

// matured is how many alerts a machine has had that is not new.
const matured = 10

// NewMachines returns an error that names what is out of range.
func NewMachines(opts Options, limits Limits) (*Machines, error) {
	switch {
	case opts.Gap < 0 || opts.AlarmGap < 0:
		return nil, fmt.Errorf("gap %s, alarm gap %s: want 0 or more", opts.Gap, opts.AlarmGap)
	case !(opts.Burst >= 0) || opts.BurstFloor < 0:
		return nil, fmt.Errorf("burst %v, burst floor %d: want 0 or more", opts.Burst, opts.BurstFloor)
	case !(opts.Audit >= 0 && opts.Audit <= 1):
		return nil, fmt.Errorf("audit %v: want 0 to 1", opts.Audit)
	case opts.Late < 0 || opts.Late > maxLate:
		return nil, fmt.Errorf("late %d: want 0 to %d alerts", opts.Late, maxLate)
	case limits.MaxMachines < 1 || limits.MaxBytes < minBytes:
		return nil, fmt.Errorf("max machines %d, max bytes %d: want at least 1 and %d", limits.MaxMachines, limits.MaxBytes, minBytes)
	}
	if limits.Now == nil {
		limits.Now = time.Now
	}
	return &Machines{opts: opts, limits: limits, machines: map[string]*entry{}}, nil
}

const maxLate = 100_000

// Add puts an alert into its case.
func (m *Machines) Add(a Alert) (c Case) {
	_ = m.Update(a.Machine, func(machine *Machine) error {
		c = machine.Add(m.opts, a)
		return nil
	})
	return c
}

// Options are what NewMachines was given.
func (m *Machines) Options() Options { return m.opts }

// Update runs f on a machine. Two Updates of the same machine wait for each other; those of different machines do not. So f may do I/O. The
// machine is not forgotten while f runs. f must not call Update or keep the machine. Update returns the error of f; changes that f made stay.
func (m *Machines) Update(name string, f func(*Machine) error) error {
	m.mu.Lock()
	e := m.machines[name]
	if e == nil {
		e = &entry{name: strings.Clone(name)}
		m.machines[e.name] = e
	}
	e.users++
	m.mu.Unlock()

	e.mu.Lock()
	defer func() {
		latest := e.machine.latest
		e.mu.Unlock()
		m.mu.Lock()
		defer m.mu.Unlock()
		if latest != 0 { // otherwise f has added no alert
			m.latest = latest
		}
		if e.users--; e.users > 0 {
			return
		}
		if e.machine.arrived == 0 {
			m.remove(e)
			return
		}
		m.settle(e)
		m.evict()
	}()
	return f(&e.machine)
}

// settle counts the memory of a machine that has changed, and makes it the one that was used last.
func (m *Machines) settle(e *entry) {
	in := &m.known
	if e.machine.arrived < matured {
		in = &m.fresh
	}
	if e.in != in {
		m.leave(e)
		e.in, e.place = in, in.PushFront(e)
		in.bytes += e.size
	}
	in.MoveToFront(e.place)
	grown := e.bytes() - e.size
	e.size += grown
	in.bytes += grown
	m.bytes += grown
}

func (m *Machines) leave(e *entry) {
	if e.in != nil {
		e.in.Remove(e.place)
		e.in.bytes -= e.size
	}
}

func (m *Machines) remove(e *entry) {
	m.leave(e)
	m.bytes -= e.size
	delete(m.machines, e.name)
}

// bytes is the memory of a machine, with its name and its places in the map and the list.
func (e *entry) bytes() int {
	s := &e.machine
	techniques := 0
	for i := range s.spans {
		techniques += cap(s.spans[i].techniques) * techniqueBytes
	}
	return techniques + int(unsafe.Sizeof(*e)) + 128 + len(e.name) +
		cap(s.spans)*int(unsafe.Sizeof(span{})) + cap(s.hours)*int(unsafe.Sizeof(hour{})) + cap(s.marks)*int(unsafe.Sizeof(mark{}))
}

// techniqueBytes is the memory of a technique of a case: a text of 9 bytes, and the pointer to it with its length.
const techniqueBytes = 16 + 16

// evict forgets machines until the limits hold.
func (m *Machines) evict() {
	for len(m.machines) > m.limits.MaxMachines || m.bytes > m.limits.MaxBytes {
		e, live := m.victim()
		if e == nil {
			return
		}
		if live {
			m.evictedLive++
		} else {
			m.evictedExpired++
		}
		m.remove(e)
	}
}

// victim is the machine to forget first, nil if all are in use. It is live if an alert could still join one of its cases.
func (m *Machines) victim() (victim *entry, live bool) {
	fresh, known := m.fresh.oldest(), m.known.oldest()
	now := min(m.latest, m.limits.Now().UnixNano()) // a time in the future must not make cases look closed
	open := func(e *entry) bool { return e != nil && e.machine.open(&m.opts, now) > 0 }
	switch {
	case known != nil && !open(known):
		return known, false
	case fresh != nil && (known == nil || !open(fresh) || m.fresh.Len() > m.limits.MaxMachines/4 || m.fresh.bytes > m.limits.MaxBytes/4):
		return fresh, open(fresh)
	}
	return known, known != nil
}

// oldest is the machine that was silent longest, of those that are not in use.
func (c *crowd) oldest() *entry {
	for place := c.Back(); place != nil; place = place.Prev() {
		if e, _ := place.Value.(*entry); e.users == 0 {
			return e
		}
	}
	return nil
}

// Len is the number of machines that are held.
func (m *Machines) Len() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.machines)
}

// Bytes is the memory that they take.
func (m *Machines) Bytes() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.bytes
}

// Open is the number of their cases that an alert could still join, at the time of the alert that arrived last. It looks at every machine.
func (m *Machines) Open() (n int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.machines {
		if e.users == 0 {
			n += e.machine.open(&m.opts, m.latest)
		}
	}
	return n
}

// TakeEvicted returns how many machines were forgotten since the last call because of the limits. Live ones had a case that was open.
func (m *Machines) TakeEvicted() (live, expired int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	live, expired = m.evictedLive, m.evictedExpired
	m.evictedLive, m.evictedExpired = 0, 0
	return live, expired
}
