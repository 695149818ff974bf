package files

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestOrderOfTime(t *testing.T) {
	for _, want := range []string{
		"auth.log.10.gz auth.log.4.gz auth.log.2 auth.log.1 auth.log",
		"auth.log-20240421.gz auth.log-20240428 auth.log-20240505 auth.log",
		"auth.log-1714521600 auth.log-1715126400.gz auth.log",
		"auth.log-2024050100 auth.log-2024050113 auth.log-2024050200",
		"eve.json.2.gz eve.json.1.gz eve.json",
		"eve.1.json eve.0.json eve.json",
		"messages.2.bz2 messages.1.bz2 messages.0.bz2 messages",
		"part.0 part.01 part.02",
		"eve.2.json eve.1.json eve.json",
		"part.1.json part.2.json part.10.json",
		"events.00 events.01 events.02",
		"alerts-2025-12-31.json alerts-2026-01-02.json alerts-2026-01-10.json alerts.json",
		"app-2026-01-02T09-30.log app-2026-01-02T13-30.log app-2026-01-03.log",
		"app-2026-01-02-1.log.gz app-2026-01-02-9.log.gz app-2026-01-02-30.log.gz app-2026-01-03-1.log app.log",
		"app-2026-01-02.log.2 app-2026-01-02.log.1 app-2026-01-02.log app-2026-01-03.log.1",
		"alerts/2025/Dec/ossec-alerts-31.json.gz alerts/2026/Jan/ossec-alerts-02.json.gz alerts/2026/Jan/ossec-alerts-02-001.json.gz " +
			"alerts/2026/Feb/ossec-alerts-01.json.gz alerts/2026/Apr/ossec-alerts-01.json alerts/alerts.json",
		"2026/01/31/b.json 2026/02/01/a.json",
		"222_CloudTrail_eu_20260101T2355Z_x.json.gz 222_CloudTrail_eu_20260102T0000Z_a.json.gz",
		"events-1.ndjson events-2.ndjson events-10.ndjson",
		"a b c",
		"a.log.1 b.log.1 a.log b.log",
	} {
		paths := strings.Fields(want)
		for range 5 {
			rand.Shuffle(len(paths), func(i, j int) { paths[i], paths[j] = paths[j], paths[i] })
			have, warnings := sorted(paths, orderTime)
			assert.Equal(t, want, strings.Join(have, " "))
			assert.Empty(t, warnings)
		}
	}
}

func TestOtherOrders(t *testing.T) {
	given := []string{"b.log.1", "b.log.2", "a10", "a9"}
	have, warnings := sorted(given, orderGiven)
	assert.Equal(t, given, have)
	assert.Equal(t, []string{"b.log.2 is read after b.log.1, and is older by its name: contexts are wrong where events come in the wrong order; want order: time"}, warnings)
	have, warnings = sorted(given, orderName)
	assert.Equal(t, []string{"a9", "a10", "b.log.1", "b.log.2"}, have)
	assert.Len(t, warnings, 1)
	_, warnings = sorted([]string{"b.log.2", "b.log.1", "a.log.3", "x-2026-01-02", "x-2026-01-03", "y-2026-01-01"}, orderGiven)
	assert.Empty(t, warnings)
}

func TestAFileAndItsCompressedCopy(t *testing.T) {
	have, warnings := sorted([]string{"a.log.1.gz", "a.log.1"}, orderTime)
	assert.Len(t, have, 2)
	assert.Equal(t, []string{"a.log.1.gz and a.log.1 are both read: if they hold the same events, these count twice"}, warnings)
}

func FuzzOrder(f *testing.F) {
	f.Add("auth.log.4.gz", "auth.log-20240501", "a/2026/Jan/x-02.json")
	f.Fuzz(func(t *testing.T, a, b, c string) {
		one, _ := sorted([]string{a, b, c}, orderTime)
		for _, paths := range [][]string{{a, c, b}, {b, a, c}, {b, c, a}, {c, a, b}, {c, b, a}} {
			other, _ := sorted(paths, orderTime)
			assert.Equal(t, one, other, "the order does not depend on the order before")
		}
	})
}
