//go:build !gotch

package engine

import (
	"errors"
	"fmt"

	"connect-deepcase/model/contextbuilder"
)

func noCUDA() error { return errors.New("built without tag gotch") }

func openTorch(name string) (contextbuilder.Engine, error) {
	return nil, fmt.Errorf("device %s: %w", name, ErrNoCUDA)
}
