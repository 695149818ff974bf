package sequencer

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// goldenCase is an input and the original's result. Names are integers there.
type goldenCase struct {
	Name    string
	Length  int
	Timeout float64
	Input   []goldenRow
	Context [][]*int
	Mapping []*int
}

type goldenRow struct {
	Seconds float64
	Machine string
	Event   int
}

func (r *goldenRow) UnmarshalJSON(data []byte) error {
	return json.Unmarshal(data, &[]any{&r.Seconds, &r.Machine, &r.Event})
}

func (r goldenRow) event() Event {
	return Event{Machine: r.Machine, Name: fmt.Sprint(r.Event), Time: time.Unix(0, int64(r.Seconds*1e9))}
}

func (c goldenCase) options() Options {
	return Options{c.Length, time.Duration(c.Timeout * float64(time.Second))}
}

// context is the original's context of a row, as names.
func (c goldenCase) context(row int) []string {
	names := make([]string, c.Length)
	for i, event := range c.Context[row] {
		if event != nil {
			names[i] = fmt.Sprint(*event)
		}
	}
	return names
}

func goldenCases(t *testing.T) (cases []goldenCase) {
	t.Helper()
	data, err := os.ReadFile("testdata/cases.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(data, &cases))
	require.NotEmpty(t, cases)
	return cases
}

// contextNames returns the context of a row as Windows does.
func (s *Sequences) contextNames(row int) []string {
	names := make([]string, s.Length)
	for i, id := range s.Contexts[row*s.Length:][:s.Length] {
		if int(id) < len(s.Names) {
			names[i] = s.Names[id]
		}
	}
	return names
}

func TestSequenceAnswersAsTheOriginal(t *testing.T) {
	for _, c := range goldenCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			var table Table
			for _, row := range c.Input {
				table.Append(row.event())
			}
			s, err := table.Sequence(SequenceOptions{Options: c.options()})
			require.NoError(t, err)
			for row, in := range c.Input {
				require.Equal(t, c.context(row), s.contextNames(row), "row %d", row)
				require.Equal(t, fmt.Sprint(in.Event), s.Names[s.Events[row]])
			}
			assert.Len(t, s.Names, len(c.Mapping)-1)
			assert.True(t, slices.IsSorted(s.Names))
			assert.Nil(t, s.Labels)
		})
	}
}

func TestWindowsAnswerAsTheOriginalInTimeOrder(t *testing.T) {
	for _, c := range goldenCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			w := newWindows(t, c.Length, c.options().Timeout, 10, 0)
			rows := make([]int, len(c.Input))
			for i := range rows {
				rows[i] = i
			}
			slices.SortStableFunc(rows, func(a, b int) int { return c.Input[a].event().Time.Compare(c.Input[b].event().Time) })
			for _, row := range rows {
				require.Equal(t, c.context(row), contextOf(w, c.Input[row].event()), "row %d", row)
			}
		})
	}
}

// Random tables, in any order and with ties, against the definition: the last ones of the events of the machine that are before this one
// by (time, row).
func TestSequenceAgainstItsDefinition(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 7))
		o := Options{1 + r.IntN(6), time.Duration(r.IntN(20)) * time.Second}
		var table Table
		var events []Event
		var labels []float64
		for i := range r.IntN(200) {
			e := Event{Machine: fmt.Sprint(r.IntN(4)), Name: fmt.Sprint(r.IntN(12)), Time: second(r.Int64N(int64(100)))}
			events = append(events, e)
			if seed%2 == 0 && i%3 == 1 {
				table.AppendLabelled(e, float64(i))
				labels = append(labels, float64(i))
			} else {
				table.Append(e)
				labels = append(labels, NoLabel)
			}
		}
		s, err := table.Sequence(SequenceOptions{Options: o})
		require.NoError(t, err)
		require.Len(t, s.Events, len(events))
		require.Len(t, s.Contexts, len(events)*o.Length)
		if slices.Max(append(labels, NoLabel)) > NoLabel {
			require.Equal(t, labels, s.Labels)
		} else {
			require.Nil(t, s.Labels)
		}
		for row, e := range events {
			var before []Event
			for other, b := range events {
				if b.Machine == e.Machine && (b.Time.Before(e.Time) || b.Time.Equal(e.Time) && other < row) {
					before = append(before, b)
				}
			}
			slices.SortStableFunc(before, func(a, b Event) int { return a.Time.Compare(b.Time) })
			want := make([]string, o.Length)
			for k := 1; k <= min(o.Length, len(before)); k++ {
				if b := before[len(before)-k]; e.Time.Sub(b.Time) <= o.Timeout {
					want[o.Length-k] = b.Name
				}
			}
			require.Equal(t, want, s.contextNames(row), "seed %d, row %d", seed, row)
			require.Equal(t, e.Name, s.Names[s.Events[row]])
		}
	}
}

func TestSequenceOptions(t *testing.T) {
	table := func() *Table {
		var t Table
		t.AppendLabelled(Event{Machine: "m", Name: "b", Time: second(1)}, 4)
		t.Append(Event{Machine: "m", Name: "a", Time: second(2)})
		return &t
	}
	options := SequenceOptions{Options: DefaultOptions()}

	s, err := table().Sequence(options)
	require.NoError(t, err)
	assert.Equal(t, []float64{4, NoLabel}, s.Labels)

	one := 3.0
	options.Label = &one
	s, err = table().Sequence(options)
	require.NoError(t, err)
	assert.Equal(t, []float64{3, 3}, s.Labels)

	options.NoEvent = "a"
	_, err = table().Sequence(options)
	assert.EqualError(t, err, `NO_EVENT "a" is also an event: want a name that no event has`)

	minus := &Table{}
	minus.Append(Event{Machine: "m", Name: "-1337"})
	_, err = minus.Sequence(SequenceOptions{Options: DefaultOptions()})
	assert.EqualError(t, err, `NO_EVENT "-1337" is also an event: want a name that no event has`)
	_, err = minus.Sequence(SequenceOptions{Options: DefaultOptions(), NoEvent: "none"})
	assert.NoError(t, err)

	_, err = table().Sequence(SequenceOptions{})
	assert.EqualError(t, err, "length 0: want 1 to 10000 events")

	empty, err := new(Table).Sequence(SequenceOptions{Options: DefaultOptions()})
	require.NoError(t, err)
	assert.Empty(t, empty.Events)
	assert.Empty(t, empty.Names)
}

func TestSequenceProgressEndsAtAllRows(t *testing.T) {
	var table Table
	for i := range int64(200_000) {
		table.Append(Event{Machine: fmt.Sprint(i % 1000), Name: "e", Time: second(i)})
	}
	last, calls := 0, 0
	_, err := table.Sequence(SequenceOptions{Options: DefaultOptions(), Progress: func(done, total int) {
		assert.Greater(t, done, last)
		assert.Equal(t, 200_000, total)
		last = done
		calls++
	}})
	require.NoError(t, err)
	assert.Equal(t, 200_000, last)
	assert.Equal(t, 4, calls)
}

func BenchmarkSequence(b *testing.B) {
	for _, order := range []string{"in order", "shuffled"} {
		b.Run(order, func(b *testing.B) {
			r := rand.New(rand.NewPCG(1, 1))
			var table Table
			const rows = 2_000_000
			for i := range int64(rows) {
				at := second(i)
				if order == "shuffled" {
					at = second(r.Int64N(rows))
				}
				table.Append(Event{Machine: fmt.Sprint(r.IntN(40_000)), Name: eventNames[r.IntN(1000)], Time: at})
			}
			b.ReportAllocs()
			for b.Loop() {
				_, err := table.Sequence(SequenceOptions{Options: DefaultOptions()})
				require.NoError(b, err)
			}
			b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		})
	}
}
