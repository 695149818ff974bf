package processor

import (
	"cmp"
	"context"
	"errors"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/configfield"
)

// machinesTogether is the most machines that are held at the same time, to be read and written together. deepcase_file asks the disk once for them.
const machinesTogether = 1000

// updateTogether is updateEach for some machines and a cache that reads and writes many entries at once.
func updateTogether[S sharedState, T any](ctx context.Context, s *sharedStates, wait *patience, hold func(string, func(S) error) error, names []string,
	machines map[string][]T, add func(S, T), fail func(T, error)) {
	errs := make([]error, len(names))
	err := holdAll(hold, names, make([]S, 0, len(names)), func(states []S) error {
		keys, before := make([]string, 0, 2*len(names)), make([][]byte, len(names))
		for i, name := range names {
			two := s.keys(name)
			keys, before[i] = append(keys, two[0], two[1]), states[i].Snapshot()
		}
		found, wrong := s.readAll(ctx, wait, keys)
		var to []string
		var data [][]byte
		var of []int // the machines that to and data are of
		for i, name := range names {
			if errs[i] = errors.Join(wrong[2*i], wrong[2*i+1]); errs[i] != nil {
				continue
			}
			places, snapshot := s.merge([2]string(keys[2*i:]), [2][]byte(found[2*i:]), states[i], addAll(add, states[i], machines[name]))
			for _, key := range places {
				to, data, of = append(to, key), append(data, snapshot), append(of, i)
			}
		}
		for j, err := range s.writeAll(ctx, wait, to, data) {
			errs[of[j]] = errors.Join(errs[of[j]], err)
		}
		for i, err := range errs {
			if err != nil {
				errs[i] = errors.Join(err, states[i].Restore(before[i]))
			}
		}
		return nil
	})
	for i, name := range names {
		if failed := errors.Join(err, errs[i]); failed != nil {
			for _, item := range machines[name] {
				fail(item, failed)
			}
		}
	}
}

// holdAll runs f on the states of machines, which are held together.
func holdAll[S any](hold func(string, func(S) error) error, names []string, held []S, f func([]S) error) error {
	if len(names) == 0 {
		return f(held)
	}
	return hold(names[0], func(state S) error { return holdAll(hold, names[1:], append(held, state), f) })
}

// readAll gives what the cache has at keys, nil if nothing, and an error for each of them, which may be nil.
func (s *sharedStates) readAll(ctx context.Context, wait *patience, keys []string) (values [][]byte, errs []error) {
	values = make([][]byte, len(keys))
	errs = s.together(ctx, wait, "read", len(keys), func(b configfield.Batched, left []int) []error {
		found, errs := b.GetAll(pick(keys, left))
		for j, i := range left {
			values[i] = found[j]
		}
		return errs
	})
	return values, errs
}

// writeAll writes values to the cache, and gives an error for each of them, which may be nil.
func (s *sharedStates) writeAll(ctx context.Context, wait *patience, keys []string, values [][]byte) []error {
	return s.together(ctx, wait, "written", len(keys), func(b configfield.Batched, left []int) []error {
		return b.SetAll(pick(keys, left), pick(values, left))
	})
}

// together runs an access to n entries of the cache, again for those that are left because it failed for them, and gives an error for each, which may
// be nil.
func (s *sharedStates) together(ctx context.Context, wait *patience, what string, n int, access func(b configfield.Batched, left []int) []error) []error {
	left := make([]int, n)
	for i := range left {
		left[i] = i
	}
	err := s.try(ctx, wait, what, func(ctx context.Context, c service.Cache) error {
		b := s.batched()
		if b == nil { // another kind of cache was put in its place
			b = oneByOne{ctx, c}
		}
		errs := access(b, left)
		if errs == nil {
			return nil
		}
		var failed []int
		var first error
		for j, i := range left {
			if errs[j] != nil {
				failed, first = append(failed, i), cmp.Or(first, errs[j])
			}
		}
		left = failed
		return first
	})
	errs := make([]error, n)
	if err != nil {
		for _, i := range left {
			errs[i] = err
		}
	}
	return errs
}

func pick[T any](from []T, places []int) []T {
	if len(places) == len(from) {
		return from
	}
	to := make([]T, len(places))
	for j, i := range places {
		to[j] = from[i]
	}
	return to
}

// oneByOne is any cache as one that reads and writes many entries at once.
type oneByOne struct {
	ctx context.Context
	service.Cache
}

func (o oneByOne) GetAll(keys []string) (values [][]byte, errs []error) {
	values, errs = make([][]byte, len(keys)), make([]error, len(keys))
	for i, key := range keys {
		if values[i], errs[i] = o.Get(o.ctx, key); errors.Is(errs[i], service.ErrKeyNotFound) {
			values[i], errs[i] = nil, nil
		}
	}
	return values, errs
}

func (o oneByOne) SetAll(keys []string, values [][]byte) []error {
	errs := make([]error, len(keys))
	for i, key := range keys {
		errs[i] = o.Set(o.ctx, key, values[i], nil)
	}
	return errs
}
