package cli

import (
	"context"
	"time"

	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

// cluster clusters data with m.
func (s *session) cluster(ctx context.Context, e contextbuilder.Engine, m *model.Model, d model.Data, strategy interpreter.Strategy) (*model.Model, []int32, error) {
	shown := s.progress.start("clustering")
	defer shown.end()
	d.Progress = shown.rows
	began := time.Now()
	clustered, clusters, err := m.Cluster(ctx, e, d, strategy)
	if err != nil {
		return nil, nil, err
	}
	inside := 0
	for _, c := range clusters {
		if c >= 0 {
			inside++
		}
	}
	s.note("found %d clusters, with %d of %d sequences, in %s",
		len(clustered.Clusters), inside, len(clusters), time.Since(began).Round(time.Millisecond))
	return clustered, clusters, nil
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
