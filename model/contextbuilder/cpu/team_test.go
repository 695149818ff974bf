package cpu

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestTeamDoesEachPartOnce(t *testing.T) {
	for _, workers := range []int{1, 2, 5} {
		for _, pause := range []int{0, patience} { // the others are awake, or sleep
			t.Run(fmt.Sprintf("workers=%d,pause=%d", workers, pause), func(t *testing.T) {
				team := newTeam(workers)
				defer team.stop()
				for _, parts := range []int{1, 2, 3, 16} {
					done := make([]atomic.Int32, parts)
					for range pause {
						runtime.Gosched()
					}
					team.run(parts, func(part int) {
						for range pause {
							runtime.Gosched()
						}
						done[part].Add(1)
					})
					for part := range done {
						assert.EqualValues(t, 1, done[part].Load(), "part %d of %d", part, parts)
					}
				}
			})
		}
	}
}

// The parts of this phase wait for each other.
func TestTeamWorksAtOnce(*testing.T) {
	team := newTeam(2)
	defer team.stop()
	for range 100 {
		first, second := make(chan struct{}), make(chan struct{})
		team.run(2, func(part int) {
			if part == 0 {
				close(first)
				<-second
			} else {
				close(second)
				<-first
			}
		})
	}
}

func TestWorkersBeginWithTheirOwnParts(t *testing.T) {
	for _, test := range []struct {
		worker, workers, parts int
		want                   []int
	}{
		{0, 2, 2, []int{0, 1}},
		{1, 2, 2, []int{1, 0}},
		{1, 2, 5, []int{2, 3, 4, 0, 1}},
		{2, 3, 4, []int{2, 3, 0, 1}},
		{1, 3, 2, []int{1, 0}},
		{2, 3, 2, nil},
	} {
		t.Run(fmt.Sprintf("worker %d of %d, %d parts", test.worker, test.workers, test.parts), func(t *testing.T) {
			var got []int
			p := &phase{do: func(part int) { got = append(got, part) }, taken: make([]atomic.Bool, test.parts), done: make(chan struct{})}
			p.left.Store(int64(test.parts))
			p.work(test.worker, test.workers)
			assert.Equal(t, test.want, got)
		})
	}
}
