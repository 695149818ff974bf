//go:build !gotch

package engine_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model/engine"
)

func TestWithoutGotch(t *testing.T) {
	for _, name := range []string{"cuda", "cuda:1", "libtorch"} {
		_, err := engine.Open(name)
		require.ErrorIs(t, err, engine.ErrNoCUDA)
		assert.EqualError(t, err, "device "+name+": this build has no engine for it: build with `-tags gotch`, or set device to auto or cpu")
	}
	assert.Equal(t, "device is auto, no CUDA: built without tag gotch", engine.Why("auto"))
}
