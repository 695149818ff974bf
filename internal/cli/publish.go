package cli

import (
	"context"
	"fmt"
	"strings"

	"connect-deepcase/model"
	"connect-deepcase/model/bundle"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

// labeller gives clusters the scores that answers to patterns of their samples give them, and says how many got one.
type labeller func(look decisions.Look, m *model.Model) (*model.Model, int, error)

// publish saves m as a new version of a model directory and returns it as it was saved: its clusters inherit scores of the version before, and
// those that have none get what label makes of answers. label is nil if the samples of clusters are not known.
func (s *session) publish(ctx context.Context, dir string, m *model.Model, label labeller) (*model.Model, error) {
	if err := bundle.Check(m); err != nil { // before a directory is created for it
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	st, err := store.Open(dir, true)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	version, current, told := "", true, ""
	switch {
	case len(m.Clusters) == 0:
		version, current, err = st.Stage(ctx, m)
	case s.flags.Bool("keep-scores"):
		var done *store.Published
		if done, err = s.publishInheriting(ctx, st, m, label); err == nil {
			version, m, told = done.Version, done.Model, inherited(done)
		}
	default:
		version, err = st.Publish(ctx, m)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	s.note("saved version %s in %s", version, dir)
	if !current {
		s.note("it is not current, because it has no clusters. The mode cluster with --load-builder %[1]s --save-interpreter %[1]s gives it some; if "+
			"it finds none, give it more events or a smaller --min_samples. To drop this version, delete %[1]s/versions/%[2]s", dir, version)
	}
	if told != "" {
		s.note("%s", told)
	}
	return m, nil
}

// publishInheriting publishes m with the scores of the model before, and then those of answers.
func (s *session) publishInheriting(ctx context.Context, st *store.Store, m *model.Model, label labeller) (*store.Published, error) {
	journal := st.Decisions(decisions.DefaultHold)
	answer := func(m *model.Model) (with *model.Model, clusters int, err error) {
		if label == nil {
			return m, 0, nil
		}
		if err := journal.Refresh(); err != nil {
			return nil, 0, err
		}
		journal.Read(func(look decisions.Look) { with, clusters, err = label(look, m) })
		return with, clusters, err
	}
	return st.PublishAnswered(ctx, m, func(ctx context.Context, before *model.Model) (*model.Model, model.Inheritance, error) {
		e, err := s.engine() // only now is one needed
		if err != nil {
			return nil, model.Inheritance{}, err
		}
		return m.Inherit(ctx, e, before)
	}, answer)
}

// inherited says what became of the scores of the model before; "" if there were none.
func inherited(done *store.Published) string {
	switch {
	case done.NotKept != nil && done.From == "":
		return "no scores kept: " + strings.ReplaceAll(done.NotKept.Error(), "\n", "; ")
	case done.NotKept != nil:
		return fmt.Sprintf("no scores of version %s kept: %v", done.From, done.NotKept)
	case done.From == "" && done.Answered == 0:
		return ""
	case done.From == "":
		return fmt.Sprintf("scores of answers: %v", done.Inheritance)
	}
	return fmt.Sprintf("scores of version %s: %v", done.From, done.Inheritance)
}
