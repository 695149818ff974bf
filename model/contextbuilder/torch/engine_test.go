//go:build gotch

package torch

import (
	"testing"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/contextbuilder/enginetest"
)

func TestEngine(t *testing.T) {
	e, err := New("cpu")
	require.NoError(t, err)
	enginetest.Run(t, e)
}
