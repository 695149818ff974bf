package processor

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder"
)

// interrupted is an engine that does something else before it opens a network.
type interrupted struct {
	contextbuilder.Engine
	first func()
}

func (e interrupted) Open(w *contextbuilder.Weights) (contextbuilder.Network, error) {
	e.first()
	return e.Engine.Open(w)
}

func TestLabelThatChangesNothingNamesTheVersionItLookedAt(t *testing.T) {
	dir := t.TempDir()
	m := little(t, 1)
	other := publish(t, dir, scored(t, m, "login", 5))
	seen := publish(t, dir, scored(t, m, "login", 2))
	l := newLabel(t, "model: "+dir)
	l.engine = interrupted{l.engine, func() { // as a writer that comes next would do it
		require.NoError(t, os.WriteFile(filepath.Join(dir, "CURRENT"), []byte(other+"\n"), 0o644))
	}}
	a := answer(t, process(t, l, messages(`{"score":2,`+annotated(loginSample)[1:]))[0])
	assert.Equal(t, 2.0, *a.New)
	assert.Equal(t, seen, a.Model, "the current version has another score by now")
}
