package syslog

import (
	"testing"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestMethodsForTextOfDevices(t *testing.T) {
	for _, c := range []struct {
		mapping, line string
		want          any
	}{
		{
			`root = this.parse_deepcase_cef()`, `Sep 19 08:26:10 h CEF:0|v|p|1|100|n|10|dst=1.1.1.1 dst=2.2.2.2 src=3.3.3.3`,
			map[string]any{
				"syslog": "Sep 19 08:26:10 h ", "version": "0", "vendor": "v", "product": "p", "product_version": "1", "id": "100", "name": "n", "severity": "10",
				"extension": map[string]any{"dst": []any{"1.1.1.1", "2.2.2.2"}, "src": "3.3.3.3"},
			},
		},
		{`root = this.parse_deepcase_cef().syslog.parse_deepcase_syslog(year: "2026").host`, `<14>Sep 19 08:26:10 h CEF:0|v|p|1|100|n|10|`, "h"},
		{`root = this.parse_deepcase_cef().syslog.parse_deepcase_syslog(year: "2026").time`, `<14>Sep 19 08:26:10 CEF:0|v|p|1|100|n|10|`, "2026-09-19T08:26:10Z"},
		{`root = this.parse_deepcase_cef().syslog.parse_deepcase_syslog(year: "2026").host`, `<14>1 2026-09-19T08:26:10Z h app - - - CEF:0|v|p|1|100|n|10|`, "h"},
		{
			`root = this.parse_deepcase_leef()`, "LEEF:1.0|v|p|1|100|src=3.3.3.3\tcat=x",
			map[string]any{
				"syslog": "", "version": "1.0", "vendor": "v", "product": "p", "product_version": "1", "id": "100",
				"attributes": map[string]any{"cat": "x", "src": "3.3.3.3"},
			},
		},
		{
			`root = this.parse_deepcase_audit()`, `h: node=n type=A msg=audit(1.2:3): t a=b`,
			map[string]any{"before": "h: ", "node": "n", "type": "A", "time": "1.2", "serial": "3", "text": "t", "fields": map[string]any{"a": "b"}},
		},
		{`root = this.parse_deepcase_key_value()`, `a=1 b="2 3" b=4`, map[string]any{"a": "1", "b": []any{"2 3", "4"}}},
		{`root = this.parse_deepcase_key_value(separator: ",")`, `a=1 2,b=3`, map[string]any{"a": "1 2", "b": "3"}},
		{`root = this.deepcase_time(zone: "Europe/Berlin", year: "2024")`, "Jul  1 10:00:00", "2024-07-01T10:00:00+02:00"},
		{`root = this.deepcase_time(zone: "Europe/Berlin")`, "1714550400", "2024-05-01T08:00:00Z"},
		{`root = this.deepcase_time()`, "1714550400.25", "2024-05-01T08:00:00.25Z"},
		{`root = this.deepcase_time()`, "1714550400123", "2024-05-01T08:00:00.123Z"},
		{`root = this.deepcase_time()`, "1714550400123456789", "2024-05-01T08:00:00.123456789Z"},
		{`root = this.deepcase_time()`, "17145504001", "17145504001"},
		{`root = this.deepcase_time()`, "20240501", "20240501"},
		{`root = this.deepcase_time(year: "2024", pattern: "MM/dd-HH:mm:ss.SSSSSS")`, "07/01-10:00:00.000123", "2024-07-01T10:00:00.000123Z"},
	} {
		mapping, err := bloblang.Parse(c.mapping)
		require.NoError(t, err)
		got, err := mapping.Query(c.line)
		if assert.NoError(t, err, c.mapping) {
			assert.Equal(t, c.want, got, c.line)
		}
	}
	for mapping, want := range map[string]string{
		`root = this.parse_deepcase_cef()`:               "no CEF: want CEF:0|vendor|product",
		`root = this.parse_deepcase_leef()`:              "no LEEF: want LEEF:1.0|vendor|product",
		`root = this.parse_deepcase_audit()`:             "no record of auditd: want type=TYPE",
		`root = this.parse_deepcase_key_value()`:         `"garbage": want key=value`,
		`root = this.deepcase_time(pattern: "HH:mm:ss")`: `the time "garbage" is not of the pattern "HH:mm:ss"`,
		`root = 7.parse_deepcase_cef()`:                  "expected string",
	} {
		parsed, err := bloblang.Parse(mapping)
		require.NoError(t, err)
		_, err = parsed.Query("garbage")
		assert.ErrorContains(t, err, want, mapping)
	}
	for mapping, want := range map[string]string{
		`root = this.parse_deepcase_key_value(separator: "")`: `separator: "", want one character`,
		`root = this.deepcase_time(year: "26")`:               `year (LOG_YEAR in the examples): "26"`,
	} {
		_, err := bloblang.Parse(mapping)
		assert.ErrorContains(t, err, want, mapping)
	}
}
