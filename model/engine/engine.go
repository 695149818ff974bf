// Package engine opens the engine that computes with networks on a device: the CPU engine, which is always there, or libtorch, on a GPU or on
// the CPU, in programs that are built with the tag gotch.
package engine

import (
	"errors"
	"fmt"
	"regexp"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/cpu"
)

// ErrNoCUDA says that this build cannot use a GPU.
var ErrNoCUDA = errors.New("this build has no engine for it: build with `-tags gotch`, or set device to auto or cpu")

// onTorch matches the devices of the gotch engine.
var onTorch = regexp.MustCompile(`^(cuda(:\d+)?|libtorch)$`)

// Open gives the engine of a device: auto (CUDA if the build and the machine have it, else the CPU engine), cpu (the CPU engine), cuda or
// cuda:N (a GPU), or libtorch (libtorch on the CPU). Without the tag gotch the last three are ErrNoCUDA.
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

// Why says, for a log, why Open gives the engine that it gives for a device.
func Why(name string) string {
	if name != "auto" {
		return "device is " + name
	}
	if err := noCUDA(); err != nil {
		return "device is auto, no CUDA: " + err.Error()
	}
	return "device is auto, there is a GPU"
}
