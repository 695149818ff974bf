package board

import (
	"cmp"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash/fnv"
	"maps"
	"math"
	"slices"
	"time"

	"connect-deepcase/internal/attack"
	"connect-deepcase/internal/review"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

// What a question holds at most.
const (
	maxPatterns  = 1000
	maxMachines  = 10_000
	maxDocuments = 6
	keptCases    = 5
	groupRadius  = 0.3 // L1 of attention: at 0.3 no group of the quick start holds both harmless and harmful patterns, at 0.5 one does
)

// Question is a cluster, or patterns that look alike. Its fields are for reading, inside of View.
type Question struct {
	Number        int64          `json:"number"` // in the database
	ID            string         `json:"id"`
	Kind          review.Kind    `json:"kind"`
	Event         string         `json:"event"`
	Cluster       int            `json:"cluster"`    // −1 for patterns
	Generation    string         `json:"generation"` // of clusters: which models have it
	Unknown       bool           `json:"unknown,omitempty"`
	Alerts        int            `json:"alerts"`
	Last          time.Time      `json:"last"`
	First         time.Time      `json:"first"`
	Status        model.Status   `json:"status"` // of the last alert, without an answer
	Bins          Bins           `json:"bins"`
	Machines      map[string]int `json:"machines"`
	Techniques    map[string]int `json:"techniques,omitempty"` // of MITRE ATT&CK: how many alerts name each
	ConfidenceSum float64        `json:"confidence"`
	ConfidenceN   int            `json:"confidences"`
	After         []review.Share `json:"after"`   // what the attention of its first alert is on
	Context       []string       `json:"context"` // of its first alert
	Attention     []float64      `json:"attention"`
	Seq           int            `json:"seq"` // of its newest pattern
	Cases         []string       `json:"cases,omitempty"`
	Slots         []slot         `json:"slots"` // of its documents

	Patterns map[decisions.Key]*Pattern `json:"-"` // by the narrowest scope
	Changed  uint64                     `json:"-"` // when it changed, in the order of changes
	bodies   map[int]*Alert             // documents that are not written yet, by slot
	spread   []review.Share             // of Attention, each event once
}

// slot is a document of a question.
type slot struct {
	At      time.Time `json:"at"`
	Machine string    `json:"machine"`
}

// Pattern is an event after events on a machine.
type Pattern struct {
	Number    int64            `json:"number"` // in the database
	Keys      [4]decisions.Key `json:"keys"`
	Seq       int              `json:"seq"` // patterns of a question are numbered as they come
	Machine   string           `json:"machine"`
	Context   []string         `json:"context"`
	Attention []float64        `json:"attention,omitempty"`
	Status    model.Status     `json:"status"` // of its last alert, without an answer
	Version   string           `json:"version"`
	Alerts    int              `json:"alerts"`
	Bins      Bins             `json:"bins"`
	First     time.Time        `json:"first"`
	Last      time.Time        `json:"last"`
	Cases     []string         `json:"cases,omitempty"`
}

// ClusterID is the ID of the question of a cluster of a generation of models.
func ClusterID(generation string, cluster int) string {
	h := fnv.New32a()
	_, _ = h.Write([]byte(generation)) // it never fails
	return fmt.Sprintf("c%d-%08x", cluster, h.Sum32())
}

// caseID is the ID of a case, which is part of an address.
func caseID(name string) string {
	h := fnv.New128a()
	_, _ = h.Write([]byte(name))
	return "k" + hex.EncodeToString(h.Sum(nil)[:8])
}

// take counts an alert.
func (q *Question) take(a *Alert) (held int) {
	q.Alerts++
	if q.First.IsZero() || a.At.Before(q.First) {
		q.First = a.At
	}
	if !a.At.Before(q.Last) {
		q.Last, q.Status = a.At, a.Status
	}
	q.Bins.add(a.At)
	count(q.Machines, a.Machine, maxMachines)
	countTechniques(&q.Techniques, a)
	if !math.IsNaN(a.Confidence) {
		q.ConfidenceSum += a.Confidence
		q.ConfidenceN++
	}
	q.Cases = remember(q.Cases, a.Case)
	return q.keep(a)
}

// remember puts a case at the end of the last few.
func remember(ids []string, name string) []string {
	if name == "" {
		return ids
	}
	id := caseID(name)
	if i := slices.Index(ids, id); i == len(ids)-1 && i >= 0 {
		return ids
	} else if i >= 0 {
		ids = slices.Delete(ids, i, i+1)
	}
	ids = append(ids, id)
	return ids[max(0, len(ids)-keptCases):]
}

// keep keeps the document of an alert: the newest of each machine, and the newest machines. It returns how many more bytes are held until the
// next checkpoint.
func (q *Question) keep(a *Alert) (held int) {
	at := slices.IndexFunc(q.Slots, func(s slot) bool { return s.Machine == a.Machine })
	if at < 0 && len(q.Slots) < maxDocuments {
		at = len(q.Slots)
		q.Slots = append(q.Slots, slot{})
	} else if at < 0 {
		at = 0
		for i, s := range q.Slots {
			if s.At.Before(q.Slots[at].At) {
				at = i
			}
		}
	}
	if a.At.Before(q.Slots[at].At) {
		return 0
	}
	q.Slots[at] = slot{a.At, a.Machine}
	if q.bodies == nil {
		q.bodies = map[int]*Alert{}
	}
	if old := q.bodies[at]; old != nil {
		held = -len(old.Body)
	}
	kept := *a // the caller may use its slice again
	q.bodies[at] = &kept
	return held + len(a.Body)
}

// pattern counts an alert of a pattern question, and gives its pattern and those that it displaces, if any.
func (q *Question) pattern(a *Alert) (p *Pattern, gone []*Pattern) {
	p = q.Patterns[a.Pattern]
	if p == nil {
		if len(q.Patterns) >= maxPatterns { // many at once, so that this is seldom
			gone = slices.SortedFunc(maps.Values(q.Patterns), func(a, b *Pattern) int { return cmp.Or(a.Last.Compare(b.Last), a.Seq-b.Seq) })[:maxPatterns/10]
		}
		q.Seq++
		p = &Pattern{Keys: a.subject().Keys(), Seq: q.Seq, Machine: a.Machine, Context: a.Context, Attention: a.Attention, First: a.At}
		p.Keys[0] = a.Pattern
		q.Patterns[a.Pattern] = p
	}
	p.Alerts++
	p.Bins.add(a.At)
	if a.At.Before(p.First) {
		p.First = a.At
	}
	if !a.At.Before(p.Last) {
		p.Last, p.Status, p.Version = a.At, a.Status, a.Version
		if a.Attention != nil {
			p.Attention = a.Attention
		}
	}
	p.Cases = remember(p.Cases, a.Case)
	return p, gone
}

// groupID is the ID of a group of patterns: that of its first one, on all machines.
func groupID(event string, key decisions.Key, unknown bool) string {
	if unknown {
		h := fnv.New64a()
		_, _ = h.Write([]byte(event))
		return "p" + hex.EncodeToString(binary.BigEndian.AppendUint64(nil, h.Sum64()))
	}
	return "p" + hex.EncodeToString(key[:8])
}

// Case is what a person opens. Its fields are for reading, inside of View.
type Case struct {
	Number    int64           `json:"number"` // in the database
	ID        string          `json:"id"`     // in addresses
	Name      string          `json:"name"`   // that deepcase_case gave it
	Kind      string          `json:"kind"`
	Event     string          `json:"event"` // of its first alert
	Machines  map[string]int  `json:"machines"`
	Alerts    int             `json:"alerts"`
	First     time.Time       `json:"first"`
	Last      time.Time       `json:"last"`
	Score     float64         `json:"score"` // the highest
	Bins      Bins            `json:"bins"`
	Questions map[string]int  `json:"questions"` // alerts by question, at most maxOfCase
	Patterns  []decisions.Key `json:"patterns"`  // by the narrowest scope, at most maxOfCase

	Techniques map[string]int `json:"techniques,omitempty"` // as those of a Question
}

const maxOfCase = 200

func (c *Case) take(a *Alert, question string, pattern bool) {
	if c.Alerts == 0 || a.At.Before(c.First) {
		c.First, c.Event = a.At, a.Event
	}
	c.Alerts++
	if a.At.After(c.Last) {
		c.Last = a.At
	}
	if a.Settled.HasScore() {
		c.Score = max(c.Score, a.Score)
	}
	c.Bins.add(a.At)
	count(c.Machines, a.Machine, maxOfCase)
	countTechniques(&c.Techniques, a)
	if question != "" {
		count(c.Questions, question, maxOfCase)
	}
	if pattern && len(c.Patterns) < maxOfCase && !slices.Contains(c.Patterns, a.Pattern) {
		c.Patterns = append(c.Patterns, a.Pattern)
	}
}

// count counts a name, unless there are so many others already.
func count(names map[string]int, name string, most int) {
	if _, known := names[name]; known || len(names) < most {
		names[name]++
	}
}

// countTechniques counts those of an alert. Most alerts name none.
func countTechniques(ids *map[string]int, a *Alert) {
	if *ids == nil && len(a.Techniques) > 0 {
		*ids = map[string]int{}
	}
	for _, id := range a.Techniques {
		count(*ids, id, attack.Most)
	}
}

// Busiest are the names that come most often, at most n.
func Busiest(names map[string]int, n int) []review.Count {
	all := make([]review.Count, 0, len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		all = append(all, review.Count{Name: name, N: names[name]})
	}
	slices.SortStableFunc(all, func(a, b review.Count) int { return b.N - a.N })
	return all[:min(n, len(all))]
}
