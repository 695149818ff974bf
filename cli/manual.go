package cli

import (
	"errors"
	"fmt"
	"slices"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
)

func manualCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "manual",
		Usage: "Give the clusters their scores, by an analyst's labels",
		Description: `A cluster's score is the highest of its events' labels (--strategy); labels of −1 do not count. Labels come from
--load-clusters, the file that the mode cluster saved or the one of "deepcase clusters --csv"; without it from the labels of the events,
which are clustered again then. With --load-interpreter and --load-clusters no events are needed.

  deepcase manual --load-interpreter model --load-clusters clusters.csv --save-interpreter model
  deepcase manual --csv labelled.csv --load-interpreter model --save-interpreter model`,
		Flags: modeFlags(),
	}, func(s *session) error {
		if s.c.String("save-interpreter") == "" {
			return usagef("nothing would be kept: give a model directory with --save-interpreter")
		}
		s.useless("manual makes no prediction", "save-prediction")
		strategy, err := s.strategy()
		if err != nil {
			return err
		}
		scored, err := s.score(strategy)
		if err != nil {
			return err
		}
		with := 0
		for _, c := range scored.Clusters {
			if c.Score != interpreter.NoScore {
				with++
			}
		}
		s.note("%d of %d clusters have a score", with, len(scored.Clusters))
		return s.publish(s, s.c.String("save-interpreter"), scored)
	})
}

var errNoScores = errors.New("cannot score clusters because no labels were provided: give them with --load-clusters, or with events that " +
	"have a label (--columns label=…, --label)")

// score gives a model with scored clusters.
func (s *session) score(strategy interpreter.Strategy) (*model.Model, error) {
	var labels clusterLabels
	path := s.c.String("load-clusters")
	if path != "" {
		var err error
		if labels, err = loadClusters(path); err != nil {
			return nil, err
		}
	}
	if path != "" && s.c.String("load-interpreter") != "" {
		m, err := s.known()
		if err != nil {
			return nil, err
		}
		if err := labels.checkVersion(s.c.String("load-interpreter"), m); err != nil {
			return nil, err
		}
		return labels.score(m, strategy)
	}

	r, err := s.start()
	if err != nil {
		return nil, err
	}
	if path == "" && r.sequences.Labels == nil {
		return nil, errNoScores
	}
	data := r.sequences.data()
	if path != "" {
		data.Scores = nil
	}
	m, err := s.build(r)
	if err != nil {
		return nil, err
	}
	clustered, clusters, err := s.cluster(r.engine, m, data, strategy)
	if err != nil {
		return nil, err
	}
	if r.from.clusters {
		if err := sameClusters(clustered, r.from.model); err != nil {
			return nil, fmt.Errorf("these events do not give the clusters of %s: %w; give those that it was made of", s.c.String("load-interpreter"), err)
		}
	}
	if path == "" {
		return clustered, nil
	}
	if err := labels.check(clusters); err != nil {
		return nil, err
	}
	return labels.score(clustered, strategy)
}

// known loads an interpreter; events, where there are any, must be as many as it was made of.
func (s *session) known() (*model.Model, error) {
	from, err := s.load()
	if err != nil {
		return nil, err
	}
	s.useless("the interpreter is loaded", slices.Concat(builderSettings, interpreterSettings, []string{"save-builder"})...)
	q, err := s.sequences(from.params())
	if errors.Is(err, errNoInput) {
		return from.model, nil
	}
	if err != nil {
		return nil, err
	}
	if len(q.Events) != from.model.Samples {
		return nil, fmt.Errorf("%d events, but %s was made of %d", len(q.Events), s.c.String("load-interpreter"), from.model.Samples)
	}
	return from.model, nil
}

// checkVersion refuses labels that were meant for the clusters of a version of the model directory that had others than m.
func (l clusterLabels) checkVersion(dir string, m *model.Model) error {
	if l.version == "" {
		return nil
	}
	st, err := openStore(dir)
	if err != nil {
		return err
	}
	meant, _, err := loadVersion(st, l.version)
	if err != nil {
		return fmt.Errorf("%s: model %q: %w", l.path, l.version, err)
	}
	if err := sameClusters(m, meant); err != nil {
		return fmt.Errorf("%s: the labels are for version %s of %s, which had other clusters: %w", l.path, l.version, dir, err)
	}
	return nil
}

// sameClusters tells where two models have other clusters.
func sameClusters(a, b *model.Model) error {
	if len(a.Clusters) != len(b.Clusters) {
		return fmt.Errorf("%d clusters in place of %d", len(a.Clusters), len(b.Clusters))
	}
	for i, c := range a.Clusters {
		if d := b.Clusters[i]; c.Event != d.Event || c.Size != d.Size {
			return fmt.Errorf("cluster %d has %d events %q in place of %d %q", i, c.Size, c.Event, d.Size, d.Event)
		}
	}
	return nil
}
