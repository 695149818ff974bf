package search

import (
	"context"
	"fmt"
)

// lookUpOrder looks up the type of the sort field, before each pass: an index with another type may have joined.
func (in *input) lookUpOrder(ctx context.Context) error {
	types, err := in.server.fieldTypes(ctx, in.reader.order.field)
	if err != nil {
		return err
	}
	o, err := newOrder(in.reader.order.field, types)
	switch {
	case err != nil:
		return err
	case in.follow && o.kind != instant:
		return fmt.Errorf("sort_field: %q is of type %s%s, need date or date_nanos to follow", o.field, o.typ, within(types[o.typ]))
	case in.prepared && o.kind != in.reader.order.kind:
		return fmt.Errorf("sort_field: %q was of type %s when reading began and is now of type %s%s: these cannot be sorted together",
			o.field, in.reader.order.typ, o.typ, within(types[o.typ]))
	}
	in.reader.order = o
	return nil
}

// prepare checks the settings against the server before the first pass, and loads the cursor.
func (in *input) prepare(ctx context.Context) (err error) {
	if in.reader.tiebreak != "" {
		switch types, err := in.server.fieldTypes(ctx, in.reader.tiebreak); {
		case err != nil:
			return fmt.Errorf("tiebreak: %w", err)
		case len(types) == 0:
			return fmt.Errorf("tiebreak: no index has a field %q", in.reader.tiebreak)
		case len(types) > 1:
			return fmt.Errorf("tiebreak: field %q has %d types in %q, need one", in.reader.tiebreak, len(types), in.server.index)
		}
	}
	if err := in.checkMissing(ctx); err != nil {
		return err
	}
	if in.keeper == nil {
		return nil
	}
	in.keeper.order = in.reader.order
	in.position, err = in.keeper.load(ctx)
	return err
}

// checkMissing refuses or tells of documents without the sort field.
func (in *input) checkMissing(ctx context.Context) error {
	n, err := in.server.count(ctx, map[string]any{"bool": map[string]any{
		"filter":   in.reader.query,
		"must_not": map[string]any{"exists": map[string]any{"field": in.reader.order.field}},
	}})
	if err != nil || n == 0 {
		return err
	}
	if in.missing == missingFail {
		return fmt.Errorf("sort_field: %d of the documents in %q have no field %q: have the query leave them out, or set missing: skip",
			n, in.server.index, in.reader.order.field)
	}
	in.log.With("documents", n).Warnf("Documents without the field %q are left out", in.reader.order.field)
	return nil
}
