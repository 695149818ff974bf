package cli

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/internal/report"
	"connect-deepcase/sequencer"
)

func sequenceCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "sequence",
		Usage: "Find the context of each event: the events before it on the same machine",
		Description: `Reads events and prints the sequences that DeepCASE works with, the first and the last ones; saves all of them where asked to.
The other modes start from the saved file, or read events themselves. All files may be compressed (gzip, zstd, bzip2):

  csv     a header with the columns timestamp, machine, event and perhaps label, then a row an event
  txt     a machine a line, its events separated by spaces, a second apart
  json    objects with these fields, in an array or one after the other; "rule.id" in --columns leads into an object
  ndjson  such an object a line

  deepcase sequence --csv alerts.csv --save-sequences alerts.sequences
  deepcase sequence --csv a.csv.gz --csv b.csv.gz --columns timestamp=time,machine=host,event=name,label=event_label --benign - \
    --save-sequences both.sequences`,
		Flags: modeFlags(),
	}, func(ctx context.Context, s *session) error {
		err := s.refuse("sequence makes no model", "load-builder", "save-builder", "load-interpreter", "save-interpreter", "load-clusters", "save-clusters",
			"save-prediction", "events-mapping")
		if err != nil {
			return err
		}
		s.useless("sequence makes no model", slices.Concat(builderSettings, interpreterSettings, []string{"strategy", "keep-scores", "events-order", "device"})...)
		q, err := s.sequences(ctx, nil)
		if err != nil {
			return err
		}
		return q.show(s.out)
	})
}

const shownSequences = 20 // at each end

// show prints the sequences' two ends and how many there are.
func (q *sequences) show(w io.Writer) error {
	name := func(id int32) string {
		if int(id) == len(q.Names) {
			return noEvent
		}
		return report.Visible(q.Names[id])
	}
	b := bufio.NewWriter(w)
	for row, event := range q.Events {
		if hidden := len(q.Events) - 2*shownSequences; row >= shownSequences && row < shownSequences+hidden {
			if row == shownSequences {
				fmt.Fprintf(b, "⋮ %d more\n", hidden)
			}
			continue
		}
		var context []string
		for _, id := range q.Contexts[row*q.Length : (row+1)*q.Length] {
			context = append(context, name(id))
		}
		fmt.Fprintf(b, "[%s] --> %s", strings.Join(context, ", "), name(event))
		if q.Labels != nil && q.Labels[row] != sequencer.NoLabel {
			fmt.Fprintf(b, "  [%s]", report.Number(q.Labels[row]))
		}
		fmt.Fprintln(b)
	}
	fmt.Fprintf(b, "\nFound %d sequences of context length %d, %d distinct events\n", len(q.Events), q.Length, len(q.Names))
	return b.Flush()
}
