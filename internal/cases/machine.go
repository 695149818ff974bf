package cases

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"slices"
	"time"

	"github.com/cespare/xxhash/v2"

	"connect-deepcase/internal/attack"
	"connect-deepcase/model"
)

// Machine holds the cases of one machine. The zero value has none.
//
// If alerts come in the order of their times, cases are what they are by definition: the alerts of one group, cut at each pause of more
// than the gap. A group is
//
//   - for alarms, the cluster, or the event if the score is that of an answer; with Options.ByMachine, the machine
//   - for new alerts, the machine; with Options.ByMachine, they belong to the case of an alarm if the pause after that is at most Gap
//   - for alerts of unscored clusters, the cluster. Its case has the same id on all machines
//   - for bursts, the cluster
//
// An audited alert is a case of its own.
//
// An alert that comes late joins the case of its group that it is near enough to. It never joins two cases that are there already into one.
type Machine struct {
	spans   []span // least recently used first
	hours   []hour // least recently used first
	marks   []mark // a ring once there are Options.Late
	oldest  int    // in marks
	arrived uint64
	latest  int64 // time of the alert that arrived last; not in snapshots
}

// span is the time of a case.
type span struct {
	group       uint64
	number      uint64 // of the case
	first, last int64  // Unix nanoseconds
	kind        Kind
	techniques  []string // of its alerts
}

// hour counts the alerts of a cluster in an hour.
type hour struct {
	group uint64
	hour  int64 // since 1970
	count uint32
}

// mark is a remembered alert, with its case.
type mark struct {
	alert  uint64
	number uint64
	kind   Kind
	opened bool
}

// maxSpans and maxHours bound what is held of a machine, whatever happens there: about 64 kB. What was used least recently goes first.
const (
	maxSpans = 1000
	maxHours = 1000
)

// manySpans and manyHours are how many are held before those that are over are dropped.
const (
	manySpans = 8
	manyHours = 32
)

// Add puts an alert of the machine into its case.
func (m *Machine) Add(o Options, a Alert) Case {
	alert := uint64(0)
	if a.ID != "" && o.Late > 0 {
		alert = a.digest()
		if i := slices.IndexFunc(m.marks, func(k mark) bool { return k.alert == alert }); i >= 0 {
			return m.result(&a, m.marks[i])
		}
	}
	m.arrived++
	m.latest = a.At.UnixNano()
	k := m.add(&o, &a)
	if alert != 0 {
		k.alert = alert
		m.remember(k, o.Late)
	}
	return m.result(&a, k)
}

func (m *Machine) add(o *Options, a *Alert) mark {
	kind := a.judge()
	if kind == None && m.burst(o, a) {
		kind = Burst
	}
	if kind == None {
		if !a.drawn(o.Audit) {
			return mark{}
		}
		return mark{kind: Audit, number: a.digest(), opened: true}
	}
	at := a.At.UnixNano()
	if o.ByMachine && kind == New && m.nearest(alarms, at, uint64(o.Gap)) >= 0 {
		kind = Alarm
	}
	group, gap := a.group(kind), o.gap(kind)
	if o.ByMachine && kind == Alarm {
		group = alarms
	}
	if i := m.nearest(group, at, gap); i >= 0 {
		s := m.spans[i]
		s.first, s.last = min(s.first, at), max(s.last, at)
		s.techniques = attack.Merge(s.techniques, a.techniques()...)
		m.spans = append(slices.Delete(m.spans, i, i+1), s)
		return mark{kind: kind, number: s.number}
	}
	s := span{group: group, number: number(kind, a.Machine, group, at), first: at, last: at, kind: kind, techniques: a.techniques()}
	if len(m.spans) >= manySpans { // or else an alert of the future would end the cases of the present
		m.spans = slices.DeleteFunc(m.spans, func(s span) bool { return s.last < at && apart(s.last, at) > 2*o.gap(s.kind) })
	}
	m.spans = append(m.spans[max(0, len(m.spans)-maxSpans+1):], s)
	return mark{kind: kind, number: s.number, opened: true}
}

// nearest finds the case of a group that is nearest in time, at most a gap away; −1 if there is none. In a stream in order there is one at most.
func (m *Machine) nearest(group uint64, at int64, gap uint64) int {
	found := -1
	for i := len(m.spans) - 1; i >= 0 && (found < 0 || gap > 0); i-- {
		if s := &m.spans[i]; s.group == group {
			if d := s.distance(at); d < gap || d == gap && found < 0 {
				found, gap = i, d
			}
		}
	}
	return found
}

// distance is how far an alert at a time is from the case, in nanoseconds.
func (s *span) distance(at int64) uint64 {
	switch {
	case at < s.first:
		return apart(at, s.first)
	case at > s.last:
		return apart(s.last, at)
	}
	return 0
}

// open counts the cases that an alert at a time, or a later one, could still join.
func (m *Machine) open(o *Options, at int64) (n int) {
	for _, s := range m.spans {
		if at <= s.last || apart(s.last, at) <= o.gap(s.kind) {
			n++
		}
	}
	return n
}

// apart is later − earlier, which may overflow an int64.
func apart(earlier, later int64) uint64 { return uint64(later) - uint64(earlier) }

// burst counts a dismissed alert, and says whether its cluster had far more of them in this hour than was learnt.
func (m *Machine) burst(o *Options, a *Alert) bool {
	if o.Burst == 0 || a.HourlyMax == 0 || a.Status != model.Scored {
		return false
	}
	h := hour{group: a.group(Burst), hour: hourOf(a.At)}
	i := len(m.hours) - 1
	for i >= 0 && (m.hours[i].group != h.group || m.hours[i].hour != h.hour) {
		i--
	}
	if i >= 0 {
		h.count = m.hours[i].count
		m.hours = slices.Delete(m.hours, i, i+1)
	} else {
		if len(m.hours) >= manyHours { // or else an alert of the future would end the counts of the present
			m.hours = slices.DeleteFunc(m.hours, func(before hour) bool { return before.hour < h.hour-1 })
		}
		m.hours = m.hours[max(0, len(m.hours)-maxHours+1):]
	}
	if h.count < math.MaxUint32 {
		h.count++
	}
	m.hours = append(m.hours, h)
	return int64(h.count) >= int64(o.BurstFloor) && float64(h.count) > o.Burst*float64(a.HourlyMax)
}

// hourOf counts hours by the clock (UTC) since 1970.
func hourOf(at time.Time) int64 { return at.Truncate(time.Hour).Unix() / (60 * 60) }

// remember puts k into the ring of the last marks.
func (m *Machine) remember(k mark, most int) {
	if len(m.marks) > most || len(m.marks) < most && m.oldest > 0 { // the ring was made for another number
		m.resize(most)
	}
	if len(m.marks) < most {
		if len(m.marks) == cap(m.marks) { // append would waste up to half of the memory
			m.marks = append(make([]mark, 0, min(most, max(4, 2*len(m.marks)))), m.marks...)
		}
		m.marks = append(m.marks, k)
		return
	}
	m.marks[m.oldest] = k
	m.oldest = (m.oldest + 1) % len(m.marks)
}

// resize keeps the last marks, oldest first.
func (m *Machine) resize(most int) {
	inOrder := m.remembered()
	m.marks, m.oldest = inOrder[max(0, len(inOrder)-most):], 0
}

// remembered are the marks, oldest first.
func (m *Machine) remembered() []mark { return slices.Concat(m.marks[m.oldest:], m.marks[:m.oldest]) }

// result is the case of an alert, with all that is known of it by now.
func (m *Machine) result(a *Alert, k mark) Case {
	if k.kind == None {
		return Case{}
	}
	text := append(make([]byte, 0, 32), k.kind.String()...)
	text = append(text, '-')
	text = hex.AppendEncode(text, binary.BigEndian.AppendUint64(nil, k.number))
	return Case{ID: string(text), Kind: k.kind, Opened: k.opened, Techniques: m.techniques(a, k)}
}

// techniques are those of the case of an alert.
func (m *Machine) techniques(a *Alert, k mark) []string {
	if k.kind == Audit {
		return a.techniques()
	}
	for _, s := range slices.Backward(m.spans) { // the case was used last, unless the alert came again
		if s.number == k.number {
			return slices.Clone(s.techniques)
		}
	}
	return a.techniques() // the case is forgotten
}

// drawn draws the alert with the probability share, in every process alike.
func (a *Alert) drawn(share float64) bool {
	var buffer [512]byte
	return share > 0 && float64(xxhash.Sum64(a.append(buffer[:0]))>>11) < share*(1<<53)
}

// digest is the same for the same alert in every process. It is a part of SHA-256: who sends alerts finds none that would be taken for another
// one, and dismissed with it.
func (a *Alert) digest() uint64 {
	var buffer [512]byte
	sum := sha256.Sum256(a.append(buffer[:0]))
	return binary.BigEndian.Uint64(sum[:])
}

// append appends what makes the alert this one.
func (a *Alert) append(b []byte) []byte {
	return binary.BigEndian.AppendUint64(texts(b, a.Machine, a.Event, a.ID), uint64(a.At.UnixNano()))
}

// alarms is the group of all alarms of a machine.
const alarms = uint64(Alarm)

// group tells the cases of a kind apart on one machine. A cluster has one event. Its number may be that of another cluster in the next
// training, and most often that has another event. The names are those of clusters and answers: nobody can invent one that is taken for another.
func (a *Alert) group(k Kind) uint64 {
	var buffer [512]byte
	b := append(buffer[:0], byte(k))
	switch {
	case k == New:
	case k == Alarm && a.Status == model.Answered:
		b = texts(b, "event", a.Event)
	default:
		b = binary.BigEndian.AppendUint64(texts(b, "cluster", a.Event), uint64(a.Cluster))
	}
	return xxhash.Sum64(b)
}

// number names the case that an alert at a time opens.
func number(k Kind, machine string, group uint64, at int64) uint64 {
	if k == Unscored {
		return group
	}
	b := binary.BigEndian.AppendUint64(texts(nil, machine), group)
	sum := sha256.Sum256(binary.BigEndian.AppendUint64(b, uint64(at)))
	return binary.BigEndian.Uint64(sum[:])
}

// texts appends texts so that no others look the same.
func texts(b []byte, texts ...string) []byte {
	for _, text := range texts {
		b = append(binary.AppendUvarint(b, uint64(len(text))), text...)
	}
	return b
}
