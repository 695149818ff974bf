package examples_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/sequencer/template"
)

// Learnt names are not coarser than those that people wrote: all lines of a template have one of these.
func TestLearntNamesKeepApartWhatHandWrittenNamesDo(t *testing.T) {
	for _, data := range []string{"auth-log/auth.log", "auth-log/OpenSSH_2k.log"} {
		variables := outputs(t)
		variables["INPUT"] = realData(t, data)
		run(t, "source_authlog.yaml", variables)
		documents := lines[struct {
			Message  string
			Process  struct{ Name string }
			Deepcase struct{ Event string }
		}](t, variables["OUTPUT"])
		require.NotEmpty(t, documents)
		learner := template.NewLearner(template.Options{Keep: []string{"root"}})
		for _, d := range documents {
			learner.Add(d.Process.Name, d.Message)
		}
		set := learner.Learn()
		byHand := map[string]string{}
		for _, d := range documents {
			learnt, ok := set.Match(d.Process.Name, d.Message)
			require.True(t, ok, d.Message)
			require.NotRegexp(t, `[0-9]`, learnt)
			if other := byHand[learnt]; other != "" && other != d.Deepcase.Event {
				t.Errorf("%q is both %q and %q", learnt, other, d.Deepcase.Event)
			}
			byHand[learnt] = d.Deepcase.Event
		}
		t.Logf("%s: %d templates", filepath.Base(data), set.Len())
	}
}
