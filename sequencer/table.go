package sequencer

// NoLabel is the label of a row that has none in a table where others have one (the original's NO_SCORE).
const NoLabel = -1

// Table holds events in columns, in input order, each machine and event name once. The zero value is an empty table.
type Table struct{}

// Append adds an event without a label; its ID does not matter.
func (t *Table) Append(e Event) { panic("stub") }

// AppendLabelled adds an event with a label.
func (t *Table) AppendLabelled(e Event, label float64) { panic("stub") }

// Len is the number of rows.
func (t *Table) Len() int { panic("stub") }

// SequenceOptions are the settings of the original's Preprocessor.
type SequenceOptions struct {
	Options
	NoEvent  string                // the name that stands for NO_EVENT; "" means DefaultNoEvent
	Label    *float64              // one label for all rows, instead of the table's
	Labels   []float64             // one label a row, instead of the table's
	Progress func(done, total int) // rows; may be nil
}

// DefaultNoEvent is the original's NO_EVENT.
const DefaultNoEvent = "-1337"

// Sequences are a table's events with their contexts, in the table's row order.
type Sequences struct {
	Names    []string  // distinct event names, sorted; id len(Names) is NO_EVENT
	Length   int       // events in a context
	Contexts []int32   // rows × Length, oldest first
	Events   []int32   // rows
	Labels   []float64 // rows; nil where no row has a label
}

// Sequence finds each event's context. Wrong options, a wrong number of labels and a NoEvent that is also an event are errors.
func (t *Table) Sequence(opts SequenceOptions) (*Sequences, error) { panic("stub") }
