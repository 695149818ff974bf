package cli

import (
	"context"
	"time"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

// cluster clusters data with m, and gives the clusters examples out of source.
func (s *session) cluster(ctx context.Context, e contextbuilder.Engine, m *model.Model, d model.Data, source model.Source, strategy interpreter.Strategy) (
	*model.Model, *model.Assignment, error) {
	shown := s.progress.start("clustering")
	defer shown.end()
	d.Progress = shown.rows
	began := time.Now()
	clustered, rows, err := m.Cluster(ctx, e, d, strategy)
	if err != nil {
		return nil, nil, err
	}
	s.note("found %d clusters, with %d of %d sequences, in %s",
		len(clustered.Clusters), rows.Clustered(), len(rows.Clusters), time.Since(began).Round(time.Millisecond))
	return clustered.WithExamples(rows, source), rows, nil
}

// predict gives m's verdict on each row of data.
func (s *session) predict(ctx context.Context, e contextbuilder.Engine, m *model.Model, d model.Data) ([]model.Verdict, error) {
	p, err := model.NewPredictor(m, e)
	if err != nil {
		return nil, err
	}
	defer p.Close()
	shown := s.progress.start("predicting")
	defer shown.end()
	d.Progress = shown.rows
	began := time.Now()
	verdicts, err := p.PredictData(ctx, d)
	if err == nil {
		s.note("predicted %d sequences in %s", len(verdicts), time.Since(began).Round(time.Millisecond))
	}
	return verdicts, err
}
