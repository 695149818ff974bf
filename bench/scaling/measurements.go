package main

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"connect-deepcase/bench/learn"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder/cpu"
	"connect-deepcase/sequencer"
)

const (
	machines = 400
	names    = 200 // of events to sequence
	learnt   = 299 // of events to train on: N is 300
)

// sequence reads and sequences a csv file of so many events.
func sequence(events int) (r result, err error) {
	dir, err := os.MkdirTemp("", "deepcase-scaling")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "events.csv")
	if err := writeEvents(path, events, names); err != nil {
		return r, err
	}
	times := 1 + 100_000/max(events, 1000) // what is short is repeated
	started := time.Now()
	for range times {
		s, err := learn.Sequence(sequencer.ReadOptions{}, path)
		if err != nil {
			return r, err
		}
		if len(s.Events) != events {
			return r, fmt.Errorf("%d of %d events came out", len(s.Events), events)
		}
	}
	r.Seconds = time.Since(started).Seconds() / float64(times)
	return r, nil
}

func writeEvents(path string, events, names int) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	defer file.Close()
	out, random := bufio.NewWriter(file), rand.New(rand.NewPCG(1, 1))
	fmt.Fprintln(out, "timestamp,machine,event")
	for i := range events {
		fmt.Fprintf(out, "%d,host-%d.example.org,rule %d\n", 1_642_118_409+i/10, random.IntN(machines), random.IntN(names))
	}
	return out.Flush()
}

// train reads and sequences a csv file of so many events, which do not repeat, and trains one epoch on them. Seconds are those of the epoch.
func train(ctx context.Context, events int) (r result, err error) {
	dir, err := os.MkdirTemp("", "deepcase-scaling")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	if events == 0 { // only the process
		return r, nil
	}
	path := filepath.Join(dir, "events.csv")
	if err := writeEvents(path, events, learnt); err != nil {
		return r, err
	}
	s, err := learn.Sequence(sequencer.ReadOptions{}, path)
	if err != nil {
		return r, err
	}
	params := model.DefaultParams()
	params.Training.Epochs, params.Training.Seed = 1, 1
	started := time.Now()
	m, err := model.Train(ctx, cpu.New(), learn.Data(s), params)
	if err != nil {
		return r, err
	}
	r.Seconds = time.Since(started).Seconds()
	runtime.KeepAlive(m)
	return r, nil
}

// windows fills the windows of so many machines with all events that they can hold.
func windows(machines int) (r result, err error) {
	o := sequencer.DefaultWindowOptions()
	o.MaxMachines = machines
	before, started := held(), time.Now()
	w, err := sequencer.NewWindows(o)
	if err != nil {
		return r, err
	}
	each := o.Length + 1 + o.Late
	for i := range each {
		for m := range machines {
			w.Add(sequencer.Event{Machine: fmt.Sprintf("host-%06d.example.org", m), Name: fmt.Sprintf("rule %d", (m+i)%1000),
				Time: time.Unix(int64(i), 0), ID: fmt.Sprintf("%d/%d", m, i)})
		}
	}
	r.Seconds, r.Held = time.Since(started).Seconds(), held()-before
	r.Note = fmt.Sprintf("%d events each, %.0f bytes per machine, %.0f events/s on one core", each, r.Held/float64(machines),
		float64(each*machines)/r.Seconds)
	if w.Len() != machines {
		return r, fmt.Errorf("%d of %d machines are held", w.Len(), machines)
	}
	runtime.KeepAlive(w)
	return r, nil
}

// fox reads the alerts of fox, trains two epochs, clusters and publishes.
func fox(ctx context.Context, data string) (r result, err error) {
	dir, err := os.MkdirTemp("", "deepcase-scaling")
	if err != nil {
		return r, err
	}
	defer os.RemoveAll(dir)
	started := time.Now()
	s, err := learn.Sequence(sequencer.ReadOptions{Columns: sequencer.Columns{Timestamp: "time", Machine: "host", Event: "name"}},
		filepath.Join(data, "fox.csv.gz"))
	if err != nil {
		return r, err
	}
	sequenced := time.Since(started)
	m, times, err := learn.Publish(ctx, dir, learn.Data(s), 2)
	if err != nil {
		return r, err
	}
	r.Seconds, r.Held = time.Since(started).Seconds(), held()
	r.Note = fmt.Sprintf("%d alerts, N %d: sequencing %.1f s, 2 epochs %.1f s, %d clusters %.1f s, publishing %.1f s", len(s.Events), len(s.Names)+1,
		sequenced.Seconds(), times.Train.Seconds(), len(m.Clusters), times.Cluster.Seconds(), times.Publish.Seconds())
	runtime.KeepAlive(m)
	return r, nil
}
