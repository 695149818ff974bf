package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/model/decisions"
)

func decisionsUndoCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "undo",
		Usage: "Take answers and mutes back",
		Description: `All is then as if they had never been given: the answer before them counts again, or the question is asked again. The history keeps them. If one
of them cannot be undone, none is. An undo cannot be undone: give the answer again. The score of a cluster is changed by scoring it again.

  deepcase decisions undo --model model --number 17,18 --by bob --reason "wrong host"`,
		Flags: slices.Concat([]ucli.Flag{
			modelFlag(),
			&ucli.Uint64SliceFlag{Name: "number", Usage: "`NUMBER` of an answer or mute, as \"deepcase decisions\" prints it; may be given several times"},
			&ucli.StringFlag{Name: "by", Usage: "`NAME` of who takes them back"},
			&ucli.StringFlag{Name: "reason", Usage: "`TEXT` that says why"},
		}),
	}, func(ctx context.Context, s *session) error {
		numbers, by, reason := s.flags.Uint64Slice("number"), s.flags.String("by"), s.flags.String("reason")
		slices.Sort(numbers)
		numbers = slices.Compact(numbers)
		switch {
		case len(numbers) == 0:
			return usagef("no number: give those of the decisions with --number")
		case by == "" || reason == "":
			return usagef("give your name with --by and a reason with --reason: the history keeps them")
		}
		j, err := s.journal()
		if err != nil {
			return err
		}
		written, err := j.Append(ctx, func(decisions.Look) (undos []decisions.Decision, err error) {
			for _, n := range numbers {
				undos = append(undos, decisions.Decision{Kind: decisions.Undo, Undoes: n, By: by, Reason: reason})
			}
			return undos, nil
		})
		if errors.Is(err, decisions.ErrNoDecision) {
			err = explain(j, numbers, err)
		}
		if err != nil {
			return err
		}
		for _, d := range written {
			if _, err := fmt.Fprintf(s.out, "%d undoes %d\n", d.Number, d.Undoes); err != nil {
				return err
			}
		}
		return nil
	})
}

// explain says why decisions cannot be undone, by the history.
func explain(j *decisions.Journal, numbers []uint64, failed error) error {
	reasons := []error{failed}
	_, err := j.Each(func(d decisions.Decision) error {
		if !slices.Contains(numbers, d.Number) {
			return nil
		}
		var state decisions.State
		j.Read(func(l decisions.Look) { state = l.State(d.Number) })
		switch {
		case d.Kind == decisions.Cluster:
			reasons = append(reasons, fmt.Errorf("decision %d is the score of cluster %d of version %s: score the cluster again", d.Number, d.Cluster, d.Version))
		case d.Kind == decisions.Undo:
			reasons = append(reasons, fmt.Errorf("decision %d is an undo of %d: give the answer again", d.Number, d.Undoes))
		case state == "":
			reasons = append(reasons, fmt.Errorf("decision %d is in the archive: it has no effect any more", d.Number))
		}
		return nil
	})
	return errors.Join(append(reasons, err)...)
}

func decisionsCompactCommand() *ucli.Command {
	const year = 365 * 24 * time.Hour
	return command(&ucli.Command{
		Name:  "compact",
		Usage: "Move old decisions without effect to the archive",
		Description: `Moves out of the journal what has had no effect for the time of --keep: answers and mutes that ended or became due that long ago, with the earlier
ones on the same key, what was undone that long ago, and older scores of clusters. Pipelines start faster then. They may run meanwhile.
"deepcase decisions --all" still prints everything, but what is in the archive cannot be undone any more.

A pattern whose benign answer moves to the archive is asked like a new one when it comes again.`,
		Flags: slices.Concat([]ucli.Flag{
			modelFlag(),
			&ucli.DurationFlag{Name: "keep", Value: year, Usage: "`TIME` for which decisions without effect stay in the journal"},
		}, holdFlags()),
	}, func(ctx context.Context, s *session) error {
		keep := s.flags.Duration("keep")
		if keep < 0 {
			return usagef("--keep: %v is not at least 0", keep)
		}
		j, err := s.journal()
		if err != nil {
			return err
		}
		moved, kept, err := j.Compact(ctx, keep)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(s.out, "moved %d decisions to the archive, kept %d\n", moved, kept)
		return err
	})
}
