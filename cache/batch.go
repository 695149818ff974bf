package cache

import "errors"

// GetAll looks once for what others have written, so that each value costs two calls of the system less than with Get.
func (f *files) GetAll(keys []string) (values [][]byte, errs []error) {
	values = make([][]byte, len(keys))
	caughtUp := f.logs && f.log.catchUp() == nil
	for i, key := range keys {
		var err error
		if values[i], err = f.get(key, caughtUp); err != nil {
			errs = setErr(errs, len(keys), i, err)
		}
	}
	return values, errs
}

// SetAll asks the disk once for all values, together with those that came by Set and SetAll meanwhile.
func (f *files) SetAll(keys []string, values [][]byte) (errs []error) {
	sets := make([]*set, len(keys))
	fit := make([]*set, 0, len(keys))
	for i, key := range keys {
		sets[i] = &set{name: f.name(key), value: values[i], err: checkSize(key, values[i])}
		if sets[i].err == nil {
			fit = append(fit, sets[i])
		}
	}
	all := errors.Join(f.sets.do(fit, f.setAll), f.keepBounds())
	for i, s := range sets {
		if err := errors.Join(all, s.err); err != nil {
			errs = setErr(errs, len(keys), i, err)
		}
	}
	return errs
}

func setErr(errs []error, n, i int, err error) []error {
	if errs == nil {
		errs = make([]error, n)
	}
	errs[i] = err
	return errs
}
