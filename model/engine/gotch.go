//go:build gotch

package engine

import (
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/torch"
)

func noCUDA() error { return torch.CUDA() }

func openTorch(name string) (contextbuilder.Engine, error) {
	if name == "libtorch" {
		name = "cpu"
	}
	return torch.New(name)
}
