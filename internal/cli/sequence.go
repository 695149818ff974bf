package cli

import (
	"context"
	"slices"

	ucli "github.com/urfave/cli/v2"
)

func sequenceCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "sequence",
		Usage: "Find the context of each event: the events before it on the same machine",
		Description: `Reads events and prints the first and the last sequences: events with their contexts. With --save-sequences it saves all of them.
The other modes start from the saved file, or read events themselves. Files may be compressed (gzip, zstd, bzip2):

  csv     a header with the columns timestamp, machine, event and, optionally, label; then one row per event
  txt     one line per machine: its events, separated by spaces and one second apart
  json    objects with these fields, in an array or one after another; in --columns, rule.id is the key rule.id, or else id in rule
  ndjson  one such object per line

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
