package train

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"slices"
	"time"

	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/spool"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/sequencer"
)

// dataset is what a model learns from, gathered from a spool.
type dataset struct {
	data   model.Data
	source model.Source
	// subject says what answers to a row are about. It does not know of names that were left out, as answers do not.
	subject func(row int) decisions.Subject
	// Records left out: they were there before; they cannot be read; they came with a context of another length.
	repeated, damaged, misfit int
	// Events whose id was that of an event with another name or time: they are not left out.
	reused   int
	reusedID string // the first one, as text
	// Records among the repeated ones whose document was another one.
	other   int
	otherID string
	// The templates that deepcase_template named events by, and how many events. At most model.MaxTemplates of them.
	templates map[string]int
	// Names that were left out since there were too many.
	rareNames int
	// Events whose label was refused: their score is NaN until unlabel.
	refused     int
	whyRefused  string // the first one
	refusedRows []int  // of unlabel
}

// withhold removes the score of each cluster that has an event with a refused label. That label may have meant an attack, and the labels of
// the other events must not hide it, nor may answers. clusters has the cluster of each row. withheld are these clusters, by id.
func withhold(m *model.Model, clusters []int32, refused []int) (withheld map[int32]bool, without int) {
	withheld = map[int32]bool{}
	for _, row := range refused {
		c := clusters[row]
		if c < 0 {
			continue
		}
		withheld[c] = true
		if m.Clusters[c].Score != interpreter.NoScore {
			m.Clusters[c].Score, m.Clusters[c].Labels = interpreter.NoScore, nil
			without++
		}
	}
	return withheld, without
}

// unlabel removes the scores of rows with a refused label, and gives these rows.
func (d *dataset) unlabel() (refused []int) {
	labelled := false
	for row, score := range d.data.Scores {
		if math.IsNaN(score) {
			d.data.Scores[row] = interpreter.NoScore
			refused = append(refused, row)
		} else if score != interpreter.NoScore {
			labelled = true
		}
	}
	if !labelled {
		d.data.Scores = nil
	}
	return refused
}

// noEvent cannot be the name of an event: names are UTF-8.
const noEvent = "\xff"

// gather sequences the events of a snapshot. Events that came with a context keep it, and come after the others. The snapshot must stay open
// while documents of the data are read.
func gather(ctx context.Context, snapshot *spool.Snapshot, opts sequencer.Options) (*dataset, error) {
	d := dataset{templates: map[string]int{}}
	var err error
	var table sequencer.Table
	var attached attached
	var tableRows, attachedRows []int // rows of the snapshot
	rows := 0
	ids := seen{seed: maphash.MakeSeed(), first: map[uint64]remembered{}, further: map[uint64]uint32{}}
	d.damaged, err = snapshot.Each(func(r *spool.Record) (bool, error) {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		again, reused, other := ids.again(r)
		if reused {
			if d.reused++; d.reused == 1 {
				d.reusedID = fmt.Sprintf("%s of machine %s is that of events with other names or times", excerpt.Quote(r.ID), excerpt.Quote(r.Machine))
			}
		}
		if other {
			if d.other++; d.other == 1 {
				d.otherID = fmt.Sprintf("%s of machine %s, event %s", excerpt.Quote(r.ID), excerpt.Quote(r.Machine), excerpt.Quote(r.Event))
			}
		}
		if again {
			d.repeated++
			return false, nil
		}
		if r.Context != nil && len(r.Context) != opts.Length {
			d.misfit++
			return false, nil
		}
		if r.Templates != "" && (d.templates[r.Templates] > 0 || len(d.templates) < model.MaxTemplates) {
			d.templates[r.Templates]++
		}
		score := float64(interpreter.NoScore)
		switch {
		case r.Refused != "":
			score = math.NaN()
			if d.refused++; d.refused == 1 {
				d.whyRefused = r.Refused
			}
		case r.Score != nil:
			score = *r.Score
		}
		if r.Context == nil {
			table.AppendLabelled(sequencer.Event{Machine: r.Machine, Name: r.Event, Time: r.Time()}, score)
			tableRows = append(tableRows, rows)
		} else {
			attached.add(r, score)
			attachedRows = append(attachedRows, rows)
		}
		rows++
		return true, nil
	})
	if err != nil {
		return nil, err
	}
	if rows == 0 {
		return nil, errors.New("no events to learn from: the input gave none; check what it reads, and from when on (SINCE in config/elastic/train.yaml)")
	}
	s, err := table.Sequence(sequencer.SequenceOptions{Options: opts, NoEvent: noEvent})
	if err != nil {
		return nil, err
	}
	d.data = model.NewData(s.Names, opts.Length, s.Contexts, s.Events, s.Labels)
	if len(attachedRows) > 0 {
		d.data.Append(attached.data(opts.Length))
	}
	order := slices.Concat(tableRows, attachedRows)
	d.source.Seen = func(row int) (string, time.Time) {
		if row < len(tableRows) {
			return s.Machines[s.Machine[row]], time.Unix(0, s.Times[row])
		}
		return attached.seen(row - len(tableRows))
	}
	d.subject = subjects(d.data, d.source.Seen)
	d.source.Document = func(row int) json.RawMessage { return snapshot.Document(order[row]) }
	return &d, nil
}

// subjects gives what answers to the rows of data are about.
func subjects(data model.Data, seen func(row int) (string, time.Time)) func(row int) decisions.Subject {
	return func(row int) decisions.Subject {
		machine, _ := seen(row)
		return decisions.Subject{Event: data.Names[data.Samples.Events[row]], Context: data.Context(row), Machine: machine}
	}
}

// seen remembers events with an id by 64-bit hashes. A collision costs one event.
type seen struct {
	seed    maphash.Seed
	first   map[uint64]remembered // by machine and id
	further map[uint64]uint32     // documents of those whose id was that of another event, by all that tells them apart
}

// remembered are hashes of an event and of its document.
type remembered struct{ event, document uint32 }

// again reports whether an event is a repetition. An event without an id never is. The id alone does not decide: if a mapping gave all events
// the same id ("null/null"), the model would be learnt from one event per machine. An event that came with a context need not have a time; its
// context then takes the place of the time. reused reports that another event had the id, and other that the earlier event had another
// document.
func (s *seen) again(r *spool.Record) (again, reused, other bool) {
	if r.ID == "" {
		return false, false, false
	}
	texts := []string{r.Event}
	if r.Seconds == 0 && r.Nanos == 0 {
		texts = append(texts, r.Context...)
	}
	at := [2]int64{r.Seconds, r.Nanos}
	id, event := s.hash([2]int64{}, r.Machine, r.ID), s.hash(at, texts...)
	now := remembered{uint32(event), uint32(maphash.Bytes(s.seed, r.Document))}
	before, there := s.first[id]
	switch {
	case !there:
		s.first[id] = now
		return false, false, false
	case before.event == now.event:
		return true, false, before.document != now.document
	}
	key := s.hash(at, append(texts, r.Machine, r.ID)...)
	document, again := s.further[key]
	if !again {
		s.further[key] = now.document
	}
	return again, !again, again && document != now.document
}

func (s *seen) hash(at [2]int64, texts ...string) uint64 {
	var h maphash.Hash
	h.SetSeed(s.seed)
	maphash.WriteComparable(&h, at)
	for _, text := range texts {
		_, _ = h.WriteString(text) // never fails
		_ = h.WriteByte(0xff)      // not in UTF-8, so texts do not run into each other
	}
	return h.Sum64()
}

// attached are samples that came with their contexts, by ids in the order of first use; −1 is NO_EVENT.
type attached struct {
	ids      map[string]int32
	names    []string
	contexts []int32
	events   []int32
	scores   []float64
	machines []string
	machine  []int32
	seconds  []int64 // 1970 where there is no time
	machined map[string]int32
}

func (a *attached) add(r *spool.Record, score float64) {
	for _, name := range r.Context {
		a.contexts = append(a.contexts, a.id(name))
	}
	a.events = append(a.events, a.id(r.Event))
	a.scores = append(a.scores, score)
	machine, known := a.machined[r.Machine]
	if !known {
		if a.machined == nil {
			a.machined = map[string]int32{}
		}
		machine = int32(len(a.machines))
		a.machined[r.Machine] = machine
		a.machines = append(a.machines, r.Machine)
	}
	a.machine = append(a.machine, machine)
	a.seconds = append(a.seconds, r.Seconds)
}

// seen gives the machine and the time of a sample.
func (a *attached) seen(i int) (machine string, at time.Time) {
	if a.seconds[i] != 0 {
		at = time.Unix(a.seconds[i], 0)
	}
	return a.machines[a.machine[i]], at
}

func (a *attached) id(name string) int32 {
	if name == "" {
		return -1
	}
	id, ok := a.ids[name]
	if !ok {
		if a.ids == nil {
			a.ids = map[string]int32{}
		}
		id = int32(len(a.names))
		a.ids[name] = id
		a.names = append(a.names, name)
	}
	return id
}

// data are the samples, which take a's ids.
func (a *attached) data(length int) model.Data {
	for i, id := range a.contexts {
		if id < 0 {
			a.contexts[i] = int32(len(a.names))
		}
	}
	return model.NewData(a.names, length, a.contexts, a.events, a.scores)
}
