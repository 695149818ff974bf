package syslog

import (
	"testing"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseMethod(t *testing.T) {
	for _, c := range []struct {
		mapping, line string
		want          any
		err           string
	}{
		{
			`root = this.parse_deepcase_syslog(zone: "Europe/Berlin", year: "2026")`, "<38>Jul 7 10:00:00 web-1 sshd[12]: closed",
			map[string]any{"time": "2026-07-07T10:00:00+02:00", "host": "web-1", "program": "sshd", "pid": "12", "code": nil, "message": "closed",
				"event": nil, "other": "sshd: other", "scope": "sshd"}, "",
		},
		{`root = this.parse_deepcase_syslog(year: "2026").event`, "<38>Jul 7 10:00:00 web-1 sshd[12]: Connection closed by 192.0.2.7", "sshd: connection closed", ""},
		{`root = this.parse_deepcase_syslog(year: "2026").host`, "<38>Jul 7 10:00:00 sshd[12]: closed", nil, ""},
		{`root = this.deepcase_time(zone: "Europe/Berlin")`, "2024-07-01 10:00:00.5", "2024-07-01T10:00:00.5+02:00", ""},
		{`root = this.deepcase_time(zone: "Europe/Berlin")`, "2024-07-01 10:00:00 +0100", "2024-07-01 10:00:00 +0100", ""},
		{`root = this.parse_deepcase_syslog()`, "garbage", nil, `no syslog header: need a time`},
	} {
		mapping, err := bloblang.Parse(c.mapping)
		require.NoError(t, err)
		got, err := mapping.Query(c.line)
		if c.err != "" {
			assert.ErrorContains(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		assert.Equal(t, c.want, got)
	}
	for mapping, want := range map[string]string{
		`root = this.parse_deepcase_syslog(zone: "Berlin")`: `zone (LOG_UTC_OFFSET in the examples): "Berlin", need an offset such as +01:00, or the name of a zone such as Europe/Berlin`,
		`root = this.deepcase_time(zone: "CEST")`:           `zone (LOG_UTC_OFFSET in the examples): "CEST", need an offset`,
		`root = this.parse_deepcase_syslog(year: "26")`:     `year (LOG_YEAR in the examples): "26", need a year from 1970 to 2262`,
	} {
		_, err := bloblang.Parse(mapping)
		assert.ErrorContains(t, err, want)
	}
}
