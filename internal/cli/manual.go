package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/model/store"
)

func manualCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "manual",
		Usage: "Give the clusters scores from an analyst's labels",
		Description: `The score of a cluster is the highest label of its events (--strategy). Labels of −1 do not count; a cluster without other labels keeps its
score. "none" in the column score withdraws a score. The labels come from the file of --load-clusters, which the mode cluster or "deepcase
clusters --csv" wrote. Without that file, the events are clustered again and their own labels count. With --load-interpreter and
--load-clusters no events are needed. If no cluster gets another score, no new version is saved.
If --load-interpreter and --save-interpreter name one directory, scores that others publish there in the meantime are kept, and the directory's
decision journal notes who gave which score ("deepcase decisions --all").

  deepcase manual --load-interpreter model --load-clusters clusters.csv --save-interpreter model
  deepcase manual --csv labelled.csv --load-interpreter model --save-interpreter model`,
		Flags: slices.Concat(modeFlags(), []ucli.Flag{
			&ucli.StringFlag{Category: categoryInterpreter, Name: "by", Usage: "`NAME` of who scored the clusters, for the decision journal", DefaultText: "the user of this computer"},
		}),
	}, func(ctx context.Context, s *session) error {
		if s.flags.String("save-interpreter") == "" {
			return usagef("nothing would be kept: give a model directory with --save-interpreter")
		}
		if err := s.refuse("manual makes no prediction and saves no clusters", "save-prediction", "save-clusters"); err != nil {
			return err
		}
		strategy, err := s.strategy()
		if err != nil {
			return err
		}
		m, give, err := s.score(ctx, strategy)
		if err != nil {
			return err
		}
		scored, err := s.saveScored(ctx, m, give)
		if err != nil {
			return err
		}
		s.note("%d of %d clusters have a score", scored.ScoredClusters(), len(scored.Clusters))
		return nil
	})
}

// scorer gives a model's clusters their scores.
type scorer func(m *model.Model) (*model.Model, error)

// saveScored saves m with its scores. If m was loaded from the same directory, the version that is current by now gets them, so that
// nothing is lost that others publish in the meantime.
func (s *session) saveScored(ctx context.Context, m *model.Model, give scorer) (*model.Model, error) {
	dir := s.flags.String("save-interpreter")
	if !sameFolder(s.flags.String("load-interpreter"), dir) {
		scored, err := give(m)
		if err != nil {
			return nil, err
		}
		return s.publish(ctx, dir, scored, nil)
	}
	if s.flags.IsSet("keep-scores") && !s.flags.Bool("keep-scores") {
		return nil, usagef("--keep-scores=false has no effect: clusters of the same directory keep their scores; the score none withdraws one")
	}
	st, err := openStore(dir)
	if err != nil {
		return nil, err
	}
	var scored *model.Model
	unchanged := false
	version, err := st.Update(ctx, func(name string, current *model.Model) (*model.Model, error) {
		if err := m.SameClusters(current); err != nil {
			return nil, fmt.Errorf("another model was published in the meantime: %w; score its clusters", err)
		}
		if scored, err = give(current); err != nil {
			return nil, err
		}
		if unchanged = sameScores(scored, current); unchanged {
			return current, nil
		}
		return scored, s.record(st, name, current, scored)
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if unchanged {
		s.note("no new version is saved in %s: no cluster gets another score", dir)
	} else {
		s.note("saved version %s in %s", version, dir)
	}
	return scored, nil
}

// record writes the scores of clusters that change into the decision journal, before the version that has them is published: the lock of the
// directory is held. version is the one that has the clusters.
func (s *session) record(st *store.Store, version string, before, after *model.Model) error {
	by := s.flags.String("by")
	if account, err := user.Current(); by == "" && err == nil {
		by = account.Username
	}
	_, err := st.Decisions(decisions.DefaultHold).AppendLocked(func(decisions.Look) (scores []decisions.Decision, err error) {
		for i, c := range after.Clusters {
			if old := before.Clusters[i]; c.Score != old.Score {
				scores = append(scores, decisions.Decision{Score: c.Score, By: by}.OfCluster(version, old))
			}
		}
		return scores, nil
	})
	return err
}

// sameScores reports whether two models with the same clusters have the same scores and labels.
func sameScores(a, b *model.Model) bool {
	return a.Params.Interpreter == b.Params.Interpreter && slices.EqualFunc(a.Clusters, b.Clusters, func(x, y model.Cluster) bool {
		return x.Score == y.Score && slices.Equal(x.Labels, y.Labels)
	})
}

// sameFolder reports whether two paths name one folder. Either may be missing or "".
func sameFolder(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

var errNoScores = errors.New("cannot score clusters because no labels were provided: give them with --load-clusters, or give events that " +
	"have labels (--columns label=…, --label)")

// score finds the model whose clusters are to be scored, and their scores.
func (s *session) score(ctx context.Context, strategy interpreter.Strategy) (*model.Model, scorer, error) {
	var labels clusterLabels
	byFile := func(m *model.Model) (*model.Model, error) { return labels.score(m, strategy) }
	path := s.flags.String("load-clusters")
	if path != "" {
		var err error
		if labels, err = loadClusters(path); err != nil {
			return nil, nil, err
		}
		if len(labels.ignored) > 0 {
			s.note("%s: unknown columns are not read: %s", path, strings.Join(labels.ignored, ", "))
		}
	}
	if path != "" && s.flags.String("load-interpreter") != "" {
		m, err := s.known(ctx)
		if err != nil {
			return nil, nil, err
		}
		if err := labels.checkVersion(s.flags.String("load-interpreter"), m); err != nil {
			return nil, nil, err
		}
		return m, byFile, nil
	}

	r, err := s.start(ctx)
	if err != nil {
		return nil, nil, err
	}
	if path == "" && r.sequences.Labels == nil {
		return nil, nil, errNoScores
	}
	m, err := s.build(ctx, r)
	if err != nil {
		return nil, nil, err
	}
	clustered, rows, err := s.cluster(ctx, r.engine, m, r.sequences.unlabelled(), r.sequences.source(), strategy)
	if err != nil {
		return nil, nil, err
	}
	base := clustered
	if r.from.clusters {
		base = r.from.model // which has scores and examples
		if err := r.from.model.SameClusters(clustered); err != nil {
			return nil, nil, fmt.Errorf("these events do not give the clusters of %s: %w; give the events that it was made from, and the same --device",
				s.flags.String("load-interpreter"), err)
		}
	}
	if path == "" {
		return base, func(m *model.Model) (*model.Model, error) {
			with := *m
			with.Params = clustered.Params
			return with.WithLabels(rows, r.sequences.Labels, strategy)
		}, nil
	}
	if err := labels.check(rows.Clusters); err != nil {
		return nil, nil, err
	}
	labels.rows = rows
	return clustered, byFile, nil
}

// known loads an interpreter. If events are given, they must be as many as it was made from.
func (s *session) known(ctx context.Context) (*model.Model, error) {
	from, err := s.load()
	if err != nil {
		return nil, err
	}
	if err := s.settled("interpreter", from.model.Params, slices.Concat(builderSettings, interpreterSettings)); err != nil {
		return nil, err
	}
	if err := s.refuse("the interpreter is loaded", append([]string{"save-builder"}, originalSettings...)...); err != nil {
		return nil, err
	}
	if err := s.refuse("the labels are those of --load-clusters", "label", "benign"); err != nil {
		return nil, err
	}
	q, err := s.sequences(ctx, from.params())
	if errors.Is(err, errNoInput) {
		return from.model, nil
	}
	if err != nil {
		return nil, err
	}
	if len(q.Events) != from.model.Samples {
		return nil, fmt.Errorf("%d events, but %s was made from %d", len(q.Events), s.flags.String("load-interpreter"), from.model.Samples)
	}
	return from.model, nil
}

// checkVersion refuses labels that were given to a version of the model directory with other clusters than m.
func (l clusterLabels) checkVersion(dir string, m *model.Model) error {
	if l.version == "" {
		return nil
	}
	st, err := openStore(dir)
	if err != nil {
		return err
	}
	meant, _, err := loadVersion(st, l.version)
	if errors.Is(err, fs.ErrNotExist) { // it need not be there any more
		if current, err := st.Current(); err == nil && st.SameClusters(current, l.version) {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("%s: model %q: %w", l.path, l.version, err)
	}
	if err := m.SameClusters(meant); err != nil {
		return fmt.Errorf("%s: the labels are for version %s of %s, which has other clusters: %w", l.path, l.version, dir, err)
	}
	return nil
}
