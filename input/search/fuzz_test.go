package search

import (
	"bytes"
	"encoding/json"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// Whatever a server says with status 200: an error that can be shown, or documents in order; never the end unless it is an object.
func FuzzAnswer(f *testing.F) {
	for _, s := range append(notAnswers, `{"pit_id":"x","_shards":{"total":1,"failed":0},"hits":{"hits":[]}}`,
		`{"hits":{"hits":[{"_index":"a","_id":"1","_routing":"r","_seq_no":1,"_primary_term":1,"_source":{},"sort":[1,2]},{"_index":"a","_id":"2","_source":[1],"sort":[1,3]}]}}`,
		`{"hits":{"hits":[{"_index":"a","_id":"1","_source":null,"sort":["2026-01-01T00:00:00Z",1]}]}}`) {
		if len(s) < 1000 {
			f.Add([]byte(s), byte(0))
			f.Add([]byte(s), byte(1))
		}
	}
	orders := []order{byDate, byDateNanos, byLong, byKeyword}
	f.Fuzz(func(t *testing.T, content []byte, which byte) {
		var answer page
		err := decode(200, content, &answer)
		if err == nil {
			require.True(t, json.Valid(content) && bytes.TrimLeft(content, " \t\r\n")[0] == '{')
			p := &pass{reader: &reader{order: orders[int(which)%len(orders)]}}
			err = p.accept(answer.Hits.Hits, map[string]any{"size": 5, "sort": []any{1, 2}}, &progress{})
		} else {
			var failed *serverError
			require.True(t, errors.Is(err, errAnswer) || errors.Is(err, errPartial) || errors.As(err, &failed), "%v", err)
		}
		if err != nil {
			shown := newSecrets("secret").hide(err).Error()
			require.True(t, utf8.ValidString(shown) && len(shown) <= longestError+len("…"), shown)
			return
		}
		for i := range answer.Hits.Hits {
			h := &answer.Hits.Hits[i]
			require.True(t, i == 0 || answer.Hits.Hits[i-1].at.compare(h.at) <= 0)
			m := h.message()
			if m.GetError() == nil {
				_, err := m.AsStructured()
				require.NoError(t, err)
			}
		}
	})
}
