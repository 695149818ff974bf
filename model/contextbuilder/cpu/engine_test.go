package cpu

import (
	"testing"

	"connect-deepcase/model/contextbuilder/enginetest"
)

func TestEngine(t *testing.T) { enginetest.Run(t, New()) }
