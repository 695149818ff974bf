package cli

import (
	"context"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/model/interpreter"
)

func clusterCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "cluster",
		Usage: "Cluster events with alike contexts, for an analyst to score",
		Description: `Saves the interpreter as a new version of a model directory, and which event is in which cluster as a csv file: columns clusters and
labels, a row an event in the order of the input, cluster −1 for none, label −1 where there is none. Give labels there and go on with the
mode manual. Clusters inherit the scores of the directory's version before (--keep-scores); the others have none yet. Without
--load-builder it trains one first.

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
		clustered, clusters, err := s.cluster(ctx, r.engine, m, r.sequences.unlabelled(), r.sequences.source(), interpreter.Max)
		if err != nil {
			return err
		}
		if dir := s.flags.String("save-interpreter"); dir != "" {
			if _, err := s.publish(ctx, dir, clustered); err != nil {
				return err
			}
		}
		if path := s.flags.String("save-clusters"); path != "" {
			return saveClusters(ctx, path, clusters, r.sequences.Labels)
		}
		return nil
	})
}
