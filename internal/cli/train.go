package cli

import (
	"context"

	ucli "github.com/urfave/cli/v2"
)

func trainCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "train",
		Usage: "Train the ContextBuilder: which events of a context matter for the event that follows",
		Description: `Saves the builder and its vocabulary as a new version of a model directory. If the current version has clusters, it stays current until
the mode cluster gives the new builder clusters of its own. With --load-builder training continues from that builder. Ctrl-C or SIGTERM
ends training early; what was learnt until then is saved, unless training has diverged.

  deepcase train --load-sequences alerts.sequences --save-builder model`,
		Flags: modeFlags(),
	}, func(ctx context.Context, s *session) error {
		if s.flags.String("save-builder") == "" {
			return usagef("nothing would be kept: give a model directory with --save-builder")
		}
		err := s.refuse("train makes a builder only", "load-interpreter", "save-interpreter", "load-clusters", "save-clusters", "save-prediction")
		if err != nil {
			return err
		}
		s.useless("train makes a builder only", "strategy", "keep-scores")
		p, err := s.params()
		if err != nil {
			return err
		}
		e, err := s.engine()
		if err != nil {
			return err
		}
		from, err := s.loadBuilder(s.flags.String("load-builder"))
		if err != nil {
			return err
		}
		q, err := s.sequences(ctx, from.params())
		if err != nil {
			return err
		}
		p.Length, p.Timeout = q.Length, q.Timeout
		start := from.model
		if from.original != nil {
			if start, err = s.adopt(from.original, q, p); err != nil {
				return err
			}
		} else {
			if err := s.refuse("no builder of the original is loaded", originalSettings...); err != nil {
				return err
			}
		}
		if start != nil {
			s.useless("the builder has a vocabulary", "max-names")
			if err := s.settled("builder", start.Params, shapeSettings); err != nil {
				return err
			}
		}
		_, err = s.train(ctx, e, q, p, start)
		return err
	})
}
