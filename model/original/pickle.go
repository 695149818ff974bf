package original

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
)

// tensor describes a tensor of the state_dict.
type tensor struct {
	name    string
	shape   []int
	storage storage
	offset  int // of the first number in the storage
	numbers int
}

// storage is where the numbers of one or more tensors are.
type storage struct{ key string }

// class is a Python global, module.name.
type class string

const (
	orderedDict   class = "collections.OrderedDict"
	rebuildTensor class = "torch._utils._rebuild_tensor_v2"
	floatStorage  class = "torch.FloatStorage"
)

// dict is a dict or an OrderedDict with texts as keys, in order of insertion.
type dict struct {
	ordered bool
	keys    []string
	values  map[string]any
}

type tuple []any

// unpickle reads a pickled state_dict.
func unpickle(content []byte) ([]tensor, error) {
	u := unpickler{rest: content, memo: map[uint32]any{}}
	value, err := u.load()
	if err != nil {
		return nil, err
	}
	d, ok := value.(*dict)
	if !ok || !d.ordered {
		return nil, errors.New("does not hold a state_dict: need a file that ContextBuilder.save wrote")
	}
	var tensors []tensor
	for _, name := range d.keys {
		t, ok := d.values[name].(tensor)
		if !ok {
			return nil, fmt.Errorf("%q in the state_dict is not a tensor", name)
		}
		t.name = name
		tensors = append(tensors, t)
	}
	return tensors, nil
}

// unpickler runs the opcodes that torch.save writes for a state_dict (protocol 2), and no others. Each opcode pushes at most one value and
// looks only at values that it pops, so the length of the pickle bounds time and memory. Values are nil, bool, int, string, tuple, *dict,
// class, storage and tensor.
type unpickler struct {
	rest  []byte
	stack []any
	marks []int // lengths of the stack
	memo  map[uint32]any
}

func malformed(what string) error { return errors.New("malformed pickle: " + what) }

func (u *unpickler) load() (any, error) {
	for len(u.rest) > 0 {
		op := u.rest[0]
		u.rest = u.rest[1:]
		if op == '.' { // STOP
			last, err := u.pop(1)
			if err != nil {
				return nil, err
			}
			return last[0], nil
		}
		if err := u.step(op); err != nil {
			return nil, err
		}
	}
	return nil, malformed("has no end")
}

func (u *unpickler) step(op byte) error {
	switch op {
	case '\x80', 'K', 'M', 'J', 'q', 'r', 'h', 'j': // followed by a number
		return u.number(op)
	case 'N': // NONE
		u.push(nil)
	case '\x88', '\x89': // NEWTRUE, NEWFALSE
		u.push(op == '\x88')
	case '(': // MARK
		u.marks = append(u.marks, len(u.stack))
	case ')': // EMPTY_TUPLE
		u.push(tuple(nil))
	case '}': // EMPTY_DICT
		u.push(&dict{values: map[string]any{}})
	case 'X': // BINUNICODE
		size, err := u.take(4)
		if err != nil {
			return err
		}
		text, err := u.take(uint64(binary.LittleEndian.Uint32(size)))
		if err != nil {
			return err
		}
		u.push(string(text))
	case 'c': // GLOBAL
		return u.global()
	case '\x85', '\x86', '\x87': // TUPLE1 to TUPLE3
		return u.replace(int(op-'\x84'), func(items []any) (any, error) { return tuple(items), nil })
	case 't': // TUPLE
		items, err := u.popMark()
		if err != nil {
			return err
		}
		u.push(tuple(items))
	case 's', 'u': // SETITEM, SETITEMS
		return u.setItems(op == 'u')
	case 'Q': // BINPERSID
		return u.replace(1, persistent)
	case 'R': // REDUCE
		return u.replace(2, call)
	case 'b': // BUILD
		return u.replace(2, build)
	default:
		return fmt.Errorf("pickle opcode %#02x is not in a state_dict that torch.save wrote with its default protocol", op)
	}
	return nil
}

// number runs an opcode that has a number as its argument.
func (u *unpickler) number(op byte) error {
	size := map[byte]uint64{'M': 2, 'J': 4, 'r': 4, 'j': 4}[op]
	argument, err := u.take(max(size, 1))
	if err != nil {
		return err
	}
	n := binary.LittleEndian.Uint32(append(slices.Clip(argument), 0, 0, 0))
	switch op {
	case 'K', 'M': // BININT1, BININT2
		u.push(int(n))
	case 'J': // BININT
		u.push(int(int32(n)))
	case 'q', 'r': // BINPUT, LONG_BINPUT
		top, err := u.pop(1)
		if err != nil {
			return err
		}
		u.push(top[0])
		u.memo[n] = top[0]
	case 'h', 'j': // BINGET, LONG_BINGET
		value, known := u.memo[n]
		if !known {
			return malformed(fmt.Sprintf("memo %d is empty", n))
		}
		u.push(value)
	}
	return nil // PROTO needs no action
}

func (u *unpickler) take(n uint64) ([]byte, error) {
	if n > uint64(len(u.rest)) {
		return nil, malformed("ends early")
	}
	taken := u.rest[:n]
	u.rest = u.rest[n:]
	return taken, nil
}

func (u *unpickler) push(value any) { u.stack = append(u.stack, value) }

// pop removes the last n values, which must have been pushed since the last mark.
func (u *unpickler) pop(n int) ([]any, error) {
	floor := 0
	if len(u.marks) > 0 {
		floor = u.marks[len(u.marks)-1]
	}
	if len(u.stack)-floor < n {
		return nil, malformed("the stack is empty")
	}
	at := len(u.stack) - n
	popped := append([]any(nil), u.stack[at:]...)
	u.stack = u.stack[:at]
	return popped, nil
}

// popMark removes the last mark and all values that were pushed since.
func (u *unpickler) popMark() ([]any, error) {
	if len(u.marks) == 0 {
		return nil, malformed("a mark is missing")
	}
	popped, err := u.pop(len(u.stack) - u.marks[len(u.marks)-1])
	u.marks = u.marks[:len(u.marks)-1]
	return popped, err
}

// replace pops n values and pushes the result of f.
func (u *unpickler) replace(n int, f func([]any) (any, error)) error {
	from, err := u.pop(n)
	if err != nil {
		return err
	}
	to, err := f(from)
	if err != nil {
		return err
	}
	u.push(to)
	return nil
}

// longestName bounds the names after a GLOBAL.
const longestName = 1000

// global pushes a class that a state_dict needs. Any other class is an error, which says what the file holds.
func (u *unpickler) global() error {
	lines := strings.SplitN(string(u.rest[:min(len(u.rest), longestName)]), "\n", 3)
	if len(lines) < 3 {
		return malformed("ends within a name")
	}
	u.rest = u.rest[len(lines[0])+len(lines[1])+2:]
	switch c := class(lines[0] + "." + lines[1]); {
	case c == orderedDict, c == rebuildTensor, c == floatStorage:
		u.push(c)
		return nil
	case lines[0] == "torch" && strings.HasSuffix(lines[1], "Storage"):
		return fmt.Errorf("the numbers are of type %s, need %s (float32)", c, floatStorage)
	default:
		return fmt.Errorf("holds a %s: need a state_dict alone, as ContextBuilder.save writes it, and not a whole object", c)
	}
}

// setItems adds one pair of key and value, or all since the mark, to the dict below them.
func (u *unpickler) setItems(marked bool) error {
	var items []any
	var err error
	if marked {
		items, err = u.popMark()
	} else {
		items, err = u.pop(2)
	}
	if err != nil {
		return err
	}
	return u.replace(1, func(below []any) (any, error) {
		d, ok := below[0].(*dict)
		if !ok || len(items)%2 != 0 {
			return nil, malformed("items are not pairs for a dict")
		}
		for i := 0; i < len(items); i += 2 {
			key, ok := items[i].(string)
			if !ok {
				return nil, errors.New("a key of the state_dict is not a text")
			}
			if _, twice := d.values[key]; twice {
				return nil, fmt.Errorf("key %q of the state_dict comes twice", key)
			}
			d.keys, d.values[key] = append(d.keys, key), items[i+1]
		}
		return d, nil
	})
}

// persistent makes a storage from a persistent id: ("storage", class, key, location, number of elements).
func persistent(from []any) (any, error) {
	id, ok := from[0].(tuple)
	if !ok || len(id) != 5 || id[0] != any("storage") || id[1] != any(floatStorage) {
		return nil, errors.New("the persistent id is not that of a storage")
	}
	key, ok := id[2].(string)
	if !ok {
		return nil, errors.New("the key of a storage is not a text")
	}
	return storage{key}, nil
}

// call makes an empty OrderedDict or a tensor.
func call(from []any) (any, error) {
	arguments, ok := from[1].(tuple)
	switch {
	case ok && from[0] == any(orderedDict) && len(arguments) == 0:
		return &dict{ordered: true, values: map[string]any{}}, nil
	case ok && from[0] == any(rebuildTensor):
		return newTensor(arguments)
	}
	return nil, malformed("calls something else than OrderedDict() or a tensor")
}

// build drops the attributes of an OrderedDict. In a state_dict they are the versions of its modules.
func build(from []any) (any, error) {
	d, ok := from[0].(*dict)
	if _, attributes := from[1].(*dict); !ok || !d.ordered || !attributes {
		return nil, malformed("sets attributes of something else than an OrderedDict")
	}
	return d, nil
}

// maxDimensions is more than any tensor of a Context Builder has.
const maxDimensions = 8

// newTensor is torch._utils._rebuild_tensor_v2(storage, offset, size, stride, …).
func newTensor(arguments tuple) (any, error) {
	if len(arguments) < 4 {
		return nil, fmt.Errorf("a tensor has %d arguments, need at least 4", len(arguments))
	}
	s, isStorage := arguments[0].(storage)
	offset, isOffset := arguments[1].(int)
	size, isSize := integers(arguments[2])
	stride, isStride := integers(arguments[3])
	if !isStorage || !isOffset || !isSize || !isStride || offset < 0 || len(size) != len(stride) {
		return nil, errors.New("a tensor is not described by storage, offset, size and stride")
	}
	t := tensor{shape: size, storage: s, offset: offset, numbers: 1}
	for i, n := range slices.Backward(size) {
		if n < 0 || n > 0 && t.numbers > math.MaxInt32/n {
			return nil, fmt.Errorf("a tensor of size %v is too large", size)
		}
		if n > 1 && stride[i] != t.numbers {
			return nil, fmt.Errorf("a tensor of size %v has stride %v, need numbers without gaps, row by row", size, stride)
		}
		t.numbers *= n
	}
	return t, nil
}

// integers returns the numbers of a tuple that describes the dimensions of a tensor.
func integers(value any) ([]int, bool) {
	t, ok := value.(tuple)
	if !ok || len(t) > maxDimensions {
		return nil, false
	}
	values := make([]int, len(t))
	for i := range values {
		if values[i], ok = t[i].(int); !ok {
			return nil, false
		}
	}
	return values, true
}
