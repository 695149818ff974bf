//go:build gotch

package torch

/*
#cgo LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdlib.h>

// of libtch, which has no Go names for them
void at_set_num_threads(int);

static const char *open_cuda(void) { return dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) ? 0 : dlerror(); }
*/
import "C"

import (
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"unsafe"

	lib "github.com/sugarme/gotch/libtch"
)

// Only package libtch of gotch: its package ts leaks a program's inputs and outputs, and takes 100 kB a tensor.

// cpuDevice is libtch's number of the CPU; GPUs count from 0.
const cpuDevice = -1

// start prepares libtorch once. It loads the library of CUDA, or returns why there is none.
var start = sync.OnceValue(func() (noCUDA error) {
	for name, value := range map[string]string{
		"NVIDIA_TF32_OVERRIDE":    "0",       // products in float32, not in TF32's 10 bits
		"CUBLAS_WORKSPACE_CONFIG": ":4096:8", // the same bits at every run
	} {
		setenvDefault(name, value)
	}
	var why string
	if message := C.open_cuda(); message != nil {
		why = C.GoString(message)
	}
	// One thread a call: what a call computes must not depend on the number of processors. Calls run side by side instead.
	C.at_set_num_threads(1)
	// Fusing kernels for the shapes seen last makes the first calls slow, and their bits others than the later ones'.
	lib.AtmSetProfilingMode(false)
	switch {
	case lastError() != nil: // whoever asks for CUDA will see it again
	case why != "":
		return fmt.Errorf("libtorch has no CUDA library: %s", why)
	case !lib.AtcCudaIsAvailable() || lib.AtcCudaDeviceCount() < 1:
		return errors.New("libtorch sees no NVIDIA GPU or no driver for it")
	}
	return nil
})

func setenvDefault(name, value string) {
	n, v := C.CString(name), C.CString(value)
	defer C.free(unsafe.Pointer(n))
	defer C.free(unsafe.Pointer(v))
	C.setenv(n, v, 0)
}

// lastError takes the error that the last call on this thread left.
func lastError() error {
	p := unsafe.Pointer(lib.GetAndResetLastErr())
	if p == nil {
		return nil
	}
	defer C.free(p)
	return errors.New("libtorch: " + brief(C.GoString((*C.char)(p))))
}

// brief keeps the message of an error and leaves the interpreter's and the C++ stack out.
func brief(message string) string {
	if _, after, ok := strings.Cut(message, "RuntimeError: "); ok {
		message = after
	}
	message, _, _ = strings.Cut(message, "\nException raised from")
	return strings.Join(strings.Fields(message), " ")
}

// call runs f, which calls libtorch: errors are kept by thread, so f stays on one.
func call(f func()) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	_ = lastError() // whoever left one
	f()
	return lastError()
}

// thread runs functions one after the other on one thread of the system. A GPU's programs run on one: its libraries keep memory for each
// thread that calls them, and do one thing at a time anyway.
type thread chan func()

func newThread() thread {
	t := make(thread)
	go func() {
		runtime.LockOSThread()
		for f := range t {
			f()
		}
	}()
	return t
}

// do returns when f has run. Without a thread f runs on the caller's.
func (t thread) do(f func()) {
	if t == nil {
		f()
		return
	}
	done := make(chan struct{})
	t <- func() { defer close(done); f() }
	<-done
}

// number is what tensors are made of.
type number interface {
	int32 | int64 | float32 | float64
}

// kind is libtorch's number of a type.
func kind[T number]() (kind int, size uint) {
	switch any(*new(T)).(type) {
	case int32:
		return 3, 4
	case int64:
		return 4, 8
	case float32:
		return 6, 4
	}
	return 7, 8
}

// tensor is a tensor of libtorch. The zero value is none.
type tensor struct{ c lib.Ctensor }

// upload copies numbers into a tensor on a device.
func upload[T number](device int32, data []T, shape ...int64) (t tensor, err error) {
	size := int64(1)
	for _, n := range shape {
		size *= n
	}
	if size != int64(len(data)) || size == 0 {
		return t, fmt.Errorf("%d numbers for a tensor of shape %v", len(data), shape)
	}
	kind, bytes := kind[T]()
	var on, at lib.Ctensor
	err = call(func() { on = lib.AtTensorOfData(unsafe.Pointer(&data[0]), shape, uint(len(shape)), bytes, kind) })
	if err != nil || device == cpuDevice {
		return tensor{on}, err
	}
	defer lib.AtFree(on)
	err = call(func() { lib.AtgTo(&at, on, device) })
	return tensor{at}, err
}

// download copies a tensor of as many numbers.
func download[T number](t tensor, data []T) error {
	want, bytes := kind[T]()
	if got := lib.AtScalarType(t.c); int(got) != want {
		return fmt.Errorf("libtorch: a tensor of type %d, need %d", got, want)
	}
	if len(data) == 0 {
		return nil
	}
	return call(func() { lib.AtCopyData(t.c, unsafe.Pointer(&data[0]), uint(len(data)), bytes) })
}

// set copies the numbers of another tensor of the same shape.
func (t tensor) set(from tensor) error { return call(func() { lib.AtCopy_(t.c, from.c) }) }

func (t tensor) free() {
	if t.c != nil {
		lib.AtFree(t.c)
	}
}

// program is a TorchScript module on a device.
type program struct {
	module lib.Cmodule
	on     thread // nil for any
}

func load(code []byte, device int32, on thread) (p program, err error) {
	p.on = on
	err = call(func() { p.module = lib.AtmLoadStrOnDevice(string(code), len(code), device) })
	return p, err
}

// run calls the program's forward. The caller frees what it gives.
func (p program) run(inputs ...tensor) (out tensor, err error) {
	in := make([]lib.Ctensor, len(inputs))
	for i, t := range inputs {
		in[i] = t.c
	}
	p.on.do(func() {
		err = call(func() { out.c = lib.AtmForward(p.module, &in[0], len(in)) })
	})
	return out, err
}

// tooLittle is what libtorch, the C library, and cuBLAS and cuDNN say of memory.
var tooLittle = regexp.MustCompile("out of memory|can't allocate memory|STATUS_ALLOC_FAILED")

// outOfMemory tells whether libtorch found too little memory, on a GPU or off it.
func outOfMemory(err error) bool {
	return err != nil && tooLittle.MatchString(err.Error())
}
