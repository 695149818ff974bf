// Package device chooses the engine that computes with networks.
package device

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu"
)

// Field names the config field of a device.
const Field = "device"

// ErrNoCUDA says that this build cannot use a GPU.
var ErrNoCUDA = errors.New("this build has no engine for it: build with `-tags gotch`, or set device to auto or cpu")

// onTorch matches the devices of the gotch engine.
var onTorch = regexp.MustCompile(`^(cuda(:\d+)?|libtorch)$`)

// ConfigField is the config field that Open's argument comes from. A component that asks for few samples at a time is faster with cpu.
func ConfigField(defaultDevice string) *service.ConfigField {
	return service.NewStringField(Field).
		Description("What computes: `auto` is CUDA where the build and the machine have it, else the CPU; `cpu`; `cuda`, a GPU through " +
			"libtorch, which is an error at start in a build or on a machine without it, `cuda:1` the second one; `libtorch` on the CPU.").
		Default(defaultDevice).Example("cuda").Example("cuda:1").Advanced().
		LintRule(`root = if !this.re_match("^(auto|cpu|cuda(:[0-9]+)?|libtorch)$") { "value " + this + " is not a valid option for this field" }`)
}

// Open gives the engine of a device.
func Open(name string) (contextbuilder.Engine, error) {
	switch {
	case name == "auto" && noCUDA() == nil:
		return openTorch("cuda")
	case name == "auto" || name == "cpu":
		return cpu.New(), nil
	case onTorch.MatchString(name):
		return openTorch(name)
	}
	return nil, fmt.Errorf("device %q: need one of auto, cpu, cuda, cuda:N, libtorch", name)
}

// Why says for logs why Open gives the engine that it gives.
func Why(name string) string {
	if name != "auto" {
		return "device is " + name
	}
	if err := noCUDA(); err != nil {
		return "device is auto, no CUDA: " + err.Error()
	}
	return "device is auto, there is a GPU"
}
