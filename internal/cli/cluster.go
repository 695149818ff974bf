package cli

import (
	"context"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/model/interpreter"
)

func clusterCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "cluster",
		Usage: "Cluster events with similar contexts, for an analyst to score",
		Description: `Saves the interpreter as a new version of a model directory, and a csv file that says which cluster each event is in: columns clusters and
labels, one row per event in the order of the input. Cluster −1 means no cluster, label −1 no label. Fill in labels there and continue with
the mode manual. Clusters inherit the scores of the previous version of the directory (--keep-scores); new ones have no score yet.
Without --load-builder it trains a builder first.

  deepcase cluster --load-sequences alerts.sequences --load-builder model --save-interpreter model --save-clusters clusters.csv`,
		Flags: modeFlags(),
	}, func(ctx context.Context, s *session) error {
		if s.flags.String("save-interpreter") == "" && s.flags.String("save-clusters") == "" {
			return usagef("nothing would be kept: give a model directory with --save-interpreter, a file with --save-clusters, or both")
		}
		if err := s.refuse("cluster gives no scores", "load-clusters", "save-prediction"); err != nil {
			return err
		}
		s.useless("cluster gives no scores", "strategy")
		if s.flags.String("save-interpreter") == "" {
			s.useless("no interpreter is saved", "keep-scores")
		}
		r, err := s.start(ctx)
		if err != nil {
			return err
		}
		m, err := s.build(ctx, r)
		if err != nil {
			return err
		}
		clustered, rows, err := s.cluster(ctx, r.engine, m, r.sequences.unlabelled(), r.sequences.source(), interpreter.Max)
		if err != nil {
			return err
		}
		if dir := s.flags.String("save-interpreter"); dir != "" {
			if _, err := s.publish(ctx, dir, clustered, r.sequences.labeller(rows, interpreter.Max)); err != nil {
				return err
			}
		}
		if path := s.flags.String("save-clusters"); path != "" {
			return saveClusters(ctx, path, rows.Clusters, r.sequences.Labels)
		}
		return nil
	})
}
