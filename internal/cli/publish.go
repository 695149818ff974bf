package cli

import (
	"context"
	"fmt"
	"strings"

	"connect-deepcase/model"
	"connect-deepcase/model/bundle"
	"connect-deepcase/model/store"
)

// publish saves m as a new version of a model directory and returns it as it was saved: its clusters inherit scores of the version before.
func (s *session) publish(ctx context.Context, dir string, m *model.Model) (*model.Model, error) {
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
		if done, err = st.PublishInheriting(ctx, m, s.inherit(m)); err == nil {
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

// inherit gives m the scores of a model before. It needs an engine only then.
func (s *session) inherit(m *model.Model) func(context.Context, *model.Model) (*model.Model, model.Inheritance, error) {
	return func(ctx context.Context, before *model.Model) (*model.Model, model.Inheritance, error) {
		e, err := s.engine()
		if err != nil {
			return nil, model.Inheritance{}, err
		}
		return m.Inherit(ctx, e, before)
	}
}

// inherited says what became of the scores of the model before; "" if there were none.
func inherited(done *store.Published) string {
	switch {
	case done.NotKept != nil && done.From == "":
		return "no scores kept: " + strings.ReplaceAll(done.NotKept.Error(), "\n", "; ")
	case done.NotKept != nil:
		return fmt.Sprintf("no scores of version %s kept: %v", done.From, done.NotKept)
	case done.From == "":
		return ""
	}
	return fmt.Sprintf("scores of version %s: %v", done.From, done.Inheritance)
}
