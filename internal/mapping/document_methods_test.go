package mapping

import (
	"encoding/json"
	"testing"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// query maps a document by an expression. Numbers are as messages hold them.
func query(t *testing.T, expression string, document any) (any, error) {
	t.Helper()
	m, err := bloblang.Parse("root = " + expression)
	require.NoError(t, err, expression)
	return m.Query(document)
}

func TestTimeMethod(t *testing.T) {
	document := map[string]any{"at": json.Number("1700000000.25"), "ns": json.Number("1700000000123456789"), "written": "2026-03-02T09:14:07.5+01:00", "list": []any{"2026-03-02 09:14"},
		"day": "20260302", "id.time": int64(1_700_000_000), "wrong": "soon", "no": true}
	for expression, want := range map[string]string{
		`this.deepcase_field_time("at")`:                            "2023-11-14T22:13:20.25Z",
		`this.deepcase_field_time("ns")`:                            "2023-11-14T22:13:20.123456789Z",
		`this.deepcase_field_time("written")`:                       "2026-03-02T08:14:07.5Z",
		`this.deepcase_field_time("list")`:                          "2026-03-02T09:14:00Z",
		`this.deepcase_field_time("id.time")`:                       "2023-11-14T22:13:20Z",
		`this.deepcase_field_time("day", "%Y%m%d")`:                 "2026-03-02T00:00:00Z",
		`this.deepcase_field_time("at", "seconds").ts_unix_milli()`: "1700000000250",
	} {
		got, err := query(t, expression+".string()", document)
		require.NoError(t, err, expression)
		assert.Equal(t, want, got, expression)
	}
	for expression, want := range map[string]string{
		`this.deepcase_field_time("day")`:     `day: "20260302": want a date`,
		`this.deepcase_field_time("wrong")`:   `wrong: "soon": want a date`,
		`this.deepcase_field_time("missing")`: "missing is missing or null",
		`this.deepcase_field_time("no")`:      "no is the boolean true",
	} {
		_, err := query(t, expression, document)
		assert.ErrorContains(t, err, want, expression)
	}
	_, err := bloblang.Parse(`root = this.deepcase_field_time("at", "fortnights")`)
	assert.ErrorContains(t, err, "format: \"fortnights\": want auto")
}

func TestTechniquesMethod(t *testing.T) {
	got, err := query(t, "this.deepcase_techniques()", map[string]any{"tags": []any{"attack.t1110"}})
	require.NoError(t, err)
	assert.Equal(t, []any{"T1110"}, got)
	got, err = query(t, "this.deepcase_techniques()", map[string]any{})
	require.NoError(t, err)
	assert.Equal(t, []any{}, got)
	_, err = query(t, "this.deepcase_techniques()", "text")
	assert.Error(t, err)
}
