package original

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/nlpodyssey/gopickle/pickle"
	"github.com/nlpodyssey/gopickle/types"
)

// tensor is what a state_dict says of one.
type tensor struct {
	name    string
	shape   []int
	storage storage
	offset  int // of its first number in the storage
	numbers int
}

// storage names the numbers of one or more tensors.
type storage struct{ key string }

// unpickle reads a pickled state_dict.
func unpickle(content []byte) (tensors []tensor, err error) {
	if err := checkOpcodes(content); err != nil {
		return nil, err
	}
	// gopickle takes a pickle to be well-formed in places: an odd number of items for a dict, or a key that is none, makes it panic.
	defer func() {
		if r := recover(); r != nil {
			tensors, err = nil, fmt.Errorf("malformed pickle: %v", r)
		}
	}()
	u := pickle.NewUnpickler(bytes.NewReader(content))
	u.FindClass = findClass
	u.PersistentLoad = findStorage
	value, err := u.Load()
	if err != nil {
		return nil, fmt.Errorf("malformed pickle: %w", err)
	}
	dict, ok := value.(*types.OrderedDict)
	if !ok {
		return nil, errors.New("does not hold a state_dict: need a file that ContextBuilder.save wrote")
	}
	for at := dict.List.Front(); at != nil; at = at.Next() {
		entry := at.Value.(*types.OrderedDictEntry)
		name, ok := entry.Key.(string)
		if !ok {
			return nil, errors.New("a key of the state_dict is not a text")
		}
		t, ok := entry.Value.(tensor)
		if !ok {
			return nil, fmt.Errorf("%q in the state_dict is not a tensor", name)
		}
		t.name = name
		tensors = append(tensors, t)
	}
	return tensors, nil
}

// arguments are the opcodes of a state_dict that torch.save pickles (protocol 2) and the sizes of their arguments.
var arguments = map[byte]int{
	'\x80': 1, 'q': 1, 'r': 4, 'h': 1, 'j': 4, // PROTO, BINPUT, LONG_BINPUT, BINGET, LONG_BINGET
	'(': 0, ')': 0, 't': 0, '\x85': 0, '\x86': 0, '\x87': 0, '}': 0, 's': 0, 'u': 0, // MARK, tuples, dicts
	'N': 0, '\x88': 0, '\x89': 0, 'K': 1, 'M': 2, 'J': 4, // None, True, False, BININT1, BININT2, BININT
	'R': 0, 'b': 0, 'Q': 0, // REDUCE, BUILD, BINPERSID
}

// checkOpcodes goes through a pickle before gopickle does, which allocates what a length says before it looks whether there is as much,
// and no recover helps when memory ends. It also finds what else than a state_dict was saved.
func checkOpcodes(p []byte) error {
	for len(p) > 0 {
		op, n := p[0], 0
		p = p[1:]
		switch size, plain := arguments[op]; {
		case op == '.': // STOP
			return nil
		case plain:
			n = size
		case op == 'X': // BINUNICODE
			if len(p) < 4 {
				return errors.New("malformed pickle: ends within a text")
			}
			n = int(min(4+uint64(binary.LittleEndian.Uint32(p)), math.MaxInt32))
		case op == 'c': // GLOBAL
			lines := strings.SplitN(string(p[:min(len(p), 1000)]), "\n", 3)
			if len(lines) < 3 {
				return errors.New("malformed pickle: ends within a name")
			}
			if _, err := findClass(lines[0], lines[1]); err != nil {
				return err
			}
			n = len(lines[0]) + len(lines[1]) + 2
		default:
			return fmt.Errorf("pickle opcode %#02x is none of a state_dict that torch.save wrote with its default protocol", op)
		}
		if n > len(p) {
			return errors.New("malformed pickle: ends early")
		}
		p = p[n:]
	}
	return errors.New("malformed pickle: has no end")
}

type floatStorage struct{}

// findClass knows the classes that a state_dict needs, and no other.
func findClass(module, name string) (any, error) {
	switch full := module + "." + name; {
	case full == "collections.OrderedDict":
		return &types.OrderedDictClass{}, nil
	case full == "torch._utils._rebuild_tensor_v2":
		return rebuild{}, nil
	case full == "torch.FloatStorage":
		return floatStorage{}, nil
	case module == "torch" && strings.HasSuffix(name, "Storage"):
		return nil, fmt.Errorf("the numbers are of type %s, need torch.FloatStorage (float32)", full)
	default:
		return nil, fmt.Errorf("holds a %s: need a state_dict alone, as ContextBuilder.save writes it, and not a whole object", full)
	}
}

// findStorage takes a persistent id: ("storage", class, key, location, number of elements).
func findStorage(id any) (any, error) {
	tuple, ok := id.(*types.Tuple)
	if !ok || tuple.Len() != 5 || tuple.Get(0) != "storage" || tuple.Get(1) != (floatStorage{}) {
		return nil, errors.New("persistent id is not that of a storage")
	}
	key, ok := tuple.Get(2).(string)
	if !ok {
		return nil, errors.New("key of a storage is not a text")
	}
	return storage{key}, nil
}

// rebuild is torch._utils._rebuild_tensor_v2(storage, offset, size, stride, …).
type rebuild struct{}

var _ types.Callable = rebuild{}

func (rebuild) Call(args ...any) (any, error) {
	if len(args) < 4 {
		return nil, fmt.Errorf("a tensor has %d arguments, need at least 4", len(args))
	}
	s, isStorage := args[0].(storage)
	offset, isOffset := args[1].(int)
	size, isSize := integers(args[2])
	stride, isStride := integers(args[3])
	if !isStorage || !isOffset || !isSize || !isStride || offset < 0 || len(size) != len(stride) {
		return nil, errors.New("a tensor is not described by storage, offset, size and stride")
	}
	t := tensor{shape: size, storage: s, offset: offset, numbers: 1}
	for i := len(size) - 1; i >= 0; i-- {
		if size[i] < 0 || size[i] > 0 && t.numbers > math.MaxInt32/size[i] {
			return nil, fmt.Errorf("a tensor of size %v is too large", size)
		}
		if size[i] > 1 && stride[i] != t.numbers {
			return nil, fmt.Errorf("a tensor of size %v has stride %v, need numbers without gaps, row by row", size, stride)
		}
		t.numbers *= size[i]
	}
	return t, nil
}

func integers(tuple any) ([]int, bool) {
	t, ok := tuple.(*types.Tuple)
	if !ok {
		return nil, false
	}
	values := make([]int, t.Len())
	for i := range values {
		if values[i], ok = t.Get(i).(int); !ok {
			return nil, false
		}
	}
	return values, true
}
