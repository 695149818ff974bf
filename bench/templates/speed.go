package main

import (
	"strings"
	"syscall"
	"time"

	"connect-deepcase/sequencer/template"
)

// repeats is how many times a log is read to measure the speed of learning: as many lines as a pipeline learns from, 100,000.
const repeats = 50

// measured is what one way to learn templates gives, set by set.
type measured struct {
	name         string
	scores       []score
	learn, match []float64 // lines a second
	first        []float64 // and of lines whose shapes no line had before; ours only
}

// speed measures ours.
func (m *measured) speed(sets []set, long time.Duration) error {
	for _, s := range sets {
		learnt := learn(s.messages)
		var file strings.Builder
		if err := learnt.Save(&file); err != nil {
			return err
		}
		m.learn = append(m.learn, rate(long, repeats*len(s.messages), func() {
			l := template.NewLearner(template.Options{})
			for range repeats {
				for _, message := range s.messages {
					l.Add("", message)
				}
			}
			l.Learn()
		}))
		m.match = append(m.match, rate(long, len(s.messages), func() { names(learnt, s.messages) }))
		// A set that was just loaded remembers no line.
		var took time.Duration
		n := 0
		for took < long {
			fresh, err := template.Load(strings.NewReader(file.String()))
			if err != nil {
				return err
			}
			begin := cpuTime()
			names(fresh, s.messages)
			took += cpuTime() - begin
			n += len(s.messages)
		}
		m.first = append(m.first, float64(n)/took.Seconds())
	}
	return nil
}

// rate is lines a second of CPU time.
func rate(long time.Duration, lines int, work func()) float64 {
	n, begin := 0, cpuTime()
	for cpuTime()-begin < long {
		work()
		n += lines
	}
	return float64(n) / (cpuTime() - begin).Seconds()
}

// cpuTime is that of this process, so that other processes do not count.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // it fails for bad arguments only
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
