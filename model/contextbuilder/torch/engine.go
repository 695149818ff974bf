//go:build gotch

// Package torch is the engine that computes with libtorch, through gotch, on a GPU or on the CPU. Whole programs run in one call (package
// programs), and weights and samples stay on the device between calls. A build with the tag gotch needs libtorch (docs/gpu.md).
package torch

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	lib "github.com/sugarme/gotch/libtch"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/contextbuilder/torch/programs"
)

// CUDA says why there is no GPU to compute on. It is nil if there is one.
func CUDA() error { return start() }

// New returns the engine of a device: cpu, cuda (the first GPU) or cuda:N.
func New(device string) (contextbuilder.Engine, error) {
	e := &engine{device: cpuDevice, maxRows: maxRows}
	if device != "cpu" {
		name, number, numbered := strings.Cut(device, ":")
		n, err := 0, error(nil)
		if numbered {
			n, err = strconv.Atoi(number)
		}
		if name != "cuda" || err != nil || n < 0 {
			return nil, fmt.Errorf("device %q: need cpu, cuda or cuda:N", device)
		}
		if err := start(); err != nil {
			return nil, fmt.Errorf("device %s: %w", device, err)
		}
		if count := int(lib.AtcCudaDeviceCount()); n >= count {
			return nil, fmt.Errorf("device %s: there are %d GPUs, cuda:0 to cuda:%d", device, count, count-1)
		}
		e.device, e.library = int32(n), true
	}
	_ = start() // without CUDA too it sets libtorch up
	var err error
	e.code, err = loaded(e.device)
	return e, err
}

type engine struct {
	device int32
	code   *code
	// library trains with libtorch's recurrent layers, which are cuDNN's on a GPU. On the CPU the formulas are faster, which are there for one
	// layer in one direction.
	library bool
	maxRows int // rows that libtorch's recurrent layers are asked at once
}

// code are the programs on a device.
type code struct{ forward, query, train program }

// all devices' programs: they are small and the same for all networks, so nobody unloads them
var (
	loading sync.Mutex
	devices = map[int32]*code{}
)

func loaded(device int32) (*code, error) {
	loading.Lock()
	defer loading.Unlock()
	if c := devices[device]; c != nil {
		return c, nil
	}
	c := &code{}
	var on thread
	if device != cpuDevice {
		on = newThread()
	}
	for _, p := range []struct {
		to   *program
		code []byte
	}{{&c.forward, programs.Forward}, {&c.query, programs.Query}, {&c.train, programs.Train}} {
		var err error
		if *p.to, err = load(p.code, device, on); err != nil {
			return nil, err
		}
	}
	devices[device] = c
	return c, nil
}

// Name says where libtorch computes.
func (e *engine) Name() string {
	if e.device == cpuDevice {
		return "libtorch (cpu)"
	}
	return fmt.Sprintf("libtorch (cuda:%d)", e.device)
}
