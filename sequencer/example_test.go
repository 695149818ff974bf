package sequencer_test

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"connect-deepcase/sequencer"
)

// A Table reads events at rest and gives their contexts.
func ExampleTable() {
	const alerts = `time,host,rule,label
2026-03-02T09:14:05Z,web-1,invalid user,benign
2026-03-02T09:14:06Z,db-1,login,benign
2026-03-02T09:14:07Z,web-1,failed password,scan
2026-03-02T09:14:09Z,web-1,login,scan
`
	var table sequencer.Table
	err := table.ReadStream(strings.NewReader(alerts), "alerts.csv", sequencer.ReadOptions{
		Columns: sequencer.Columns{Timestamp: "time", Machine: "host", Event: "rule"},
		Benign:  "benign",
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	s, err := table.Sequence(sequencer.SequenceOptions{Options: sequencer.Options{Length: 2, Timeout: 24 * time.Hour}})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(table.Len(), "events with", len(s.Names), "names")
	name := func(id int32) string {
		if int(id) == len(s.Names) {
			return "NO_EVENT"
		}
		return s.Names[id]
	}
	for row, event := range s.Events {
		context := s.Contexts[row*s.Length:][:s.Length]
		fmt.Printf("%s, %s -> %s, label %v\n", name(context[0]), name(context[1]), name(event), s.Labels[row])
	}
	// Output:
	// 4 events with 3 names
	// NO_EVENT, NO_EVENT -> invalid user, label 0
	// NO_EVENT, NO_EVENT -> login, label 0
	// NO_EVENT, invalid user -> failed password, label 1
	// invalid user, failed password -> login, label 1
}

// An error in a file is a *RowError, which says where it is.
func ExampleRowError() {
	var table sequencer.Table
	err := table.ReadStream(strings.NewReader("timestamp,machine,event\nyesterday,web-1,login\n"), "alerts.csv", sequencer.ReadOptions{Time: "seconds"})
	if wrong := (*sequencer.RowError)(nil); errors.As(err, &wrong) {
		fmt.Printf("%s, line %d, %s: %v\n", wrong.File, wrong.Line, wrong.Field, wrong.Err)
	}
	// Output: alerts.csv, line 2, timestamp: "yesterday": want a number, as the time format seconds has it
}

// Windows give each event of a live stream its context.
func ExampleWindows() {
	options := sequencer.DefaultWindowOptions()
	options.Length = 2
	windows, err := sequencer.NewWindows(options)
	if err != nil {
		fmt.Println(err)
		return
	}
	at := time.Date(2026, 3, 2, 9, 14, 5, 0, time.UTC)
	for i, name := range []string{"invalid user", "failed password", "login"} {
		context, _ := windows.Add(sequencer.Event{Machine: "web-1", Name: name, Time: at.Add(time.Duration(i) * time.Second)})
		fmt.Printf("%q -> %s\n", context, name)
	}
	// Output:
	// ["" ""] -> invalid user
	// ["" "invalid user"] -> failed password
	// ["invalid user" "failed password"] -> login
}
