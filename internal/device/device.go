// Package device chooses the engine that computes with networks.
package device

import (
	"errors"
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu"
)

// Field names the config field of a device.
const Field = "device"

// ErrNoCUDA says that this build cannot use a GPU.
var ErrNoCUDA = errors.New("device cuda: this build has no engine for it: build with `-tags gotch`, or set device to auto or cpu")

// ConfigField is the config field that Open's argument comes from.
func ConfigField() *service.ConfigField {
	return service.NewStringAnnotatedEnumField(Field, map[string]string{
		"auto": "CUDA where the build and the machine have it, else the CPU.",
		"cpu":  "The CPU.",
		"cuda": "A GPU through libtorch. An error at start in a build or on a machine without it.",
	}).Description("What computes.").Default("auto").Advanced()
}

// Open gives the engine of a device.
func Open(name string) (contextbuilder.Engine, error) {
	switch name {
	case "auto", "cpu":
		return cpu.New(), nil
	case "cuda":
		return nil, ErrNoCUDA
	}
	return nil, fmt.Errorf("device %q: need one of auto, cpu, cuda", name)
}
