package logline

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestTimeAs(t *testing.T) {
	for _, c := range [][3]string{
		{"05/01-10:00:00.123456", "MM/dd-HH:mm:ss.SSSSSS", "2026-05-01T10:00:00.123456+02:00"},
		{"11/30-10:00:00.123456", "MM/dd-HH:mm:ss.SSSSSS", "2025-11-30T10:00:00.123456+01:00"}, // not in the future
		{"05/01/24-10:00:00.1", "MM/dd/yy-HH:mm:ss.S", "2024-05-01T10:00:00.1+02:00"},
		{"24/05/01-10:00:00", "yy/MM/dd-HH:mm:ss", "2024-05-01T10:00:00+02:00"},
		{"Jul 07 2024 10:00:00.123 UTC", "MMM dd yyyy HH:mm:ss.SSS z", "2024-07-07T10:00:00.123Z"},
		{"Jul  7 2024 10:00:00 CEST", "MMM dd yyyy HH:mm:ss z", "2024-07-07T10:00:00+02:00"},
		{"Jul 7 2024 10:00:00 GMT-05:00", "MMM dd yyyy HH:mm:ss zzz", "2024-07-07T10:00:00-05:00"},
		{"july 7 2024 10:00:00 PM", "MMMM d yyyy hh:mm:ss a", "2024-07-07T22:00:00+02:00"},
		{"7/7/2024 12:30:00 am", "M/d/yyyy h:mm:ss a", "2024-07-07T00:30:00+02:00"},
		{"2024-07-07T10:00:00.5+0200", "yyyy-MM-dd'T'HH:mm:ss.SZ", "2024-07-07T10:00:00.5+02:00"},
		{"2024-07-07T10:00:00-07", "yyyy-MM-dd'T'HH:mm:ssX", "2024-07-07T10:00:00-07:00"},
		{"2024-07-07T10:00:00Z", "yyyy-MM-dd'T'HH:mm:ssXXX", "2024-07-07T10:00:00Z"},
		{"20240707100000", "yyyyMMddHHmmss", "2024-07-07T10:00:00+02:00"},
		{"Sun Jul 07 10:00:00:250 2024", "EEE MMM dd HH:mm:ss:SSS yyyy", "2024-07-07T10:00:00.25+02:00"},
		{"7 o'clock 07.07.2024", "H 'o''clock' dd.MM.yyyy", ""},
		{"10h 07.07.2024", "HH'h' dd.MM.yyyy", "2024-07-07T10:00:00+02:00"},
	} {
		if c[2] == "" { // two quotes inside of quotes are not supported
			_, err := TimeAs(c[0], c[1], berlin)
			require.Error(t, err)
			continue
		}
		got, err := TimeAs(c[0], c[1], berlin)
		if assert.NoError(t, err, c) {
			assert.Equal(t, c[2], got, c)
		}
	}
	for _, c := range [][3]string{
		{"05/01", "MM/dd", "want at least a month, a day and an hour"},
		{"13/01-10:00:00", "MM/dd-HH:mm:ss", `the time "13/01-10:00:00" is not of the pattern "MM/dd-HH:mm:ss": "13" is not from 1 to 12`},
		{"02/30/24-10:00:00", "MM/dd/yy-HH:mm:ss", "no such time"},
		{"05/01-10:00", "MM/dd-HH:mm:ss", `want ":" at ""`},
		{"05/01-10:00:00 x", "MM/dd-HH:mm:ss", `" x" comes after it`},
		{"05/01-10:00:00.12", "MM/dd-HH:mm:ss.SSS", "the fraction has 2 digits"},
		{"Foo 1 10", "MMM d HH", `"Foo" is no month`},
		{"Jul 7 10:00 EST", "MMM d HH:mm z", "has the zone EST, which does not belong to the zone Europe/Berlin"},
		{"Jul 7 10:00 ?", "MMM d HH:mm z", "want a zone"},
		{"Jul 7 10:00", "MMM d HH:mm q", "the letters q are not known"},
		{"1 Jul 7 10:00", "yyy MMM d HH:mm", `the year is "1", want 4 digits`},
		{"24 Jul 7 10:00", "yyyy MMM d HH:mm", `the year is "24", want 4 digits`},
		{"2024 Jul 7 10:00", "yy MMM d HH:mm", `is not of the pattern`},
		{"Jul 7 10:00 XM", "MMM d hh:mm a", "want AM or PM"},
		{"Jul 7 10:00 +9x", "MMM d HH:mm Z", `"+9" is no zone`},
	} {
		_, err := TimeAs(c[0], c[1], berlin)
		assert.ErrorContains(t, err, c[2], c)
	}
}

func TestTime(t *testing.T) {
	for text, want := range map[string]string{
		"Jul 07 2024 10:00:00": "2024-07-07T10:00:00+02:00", "Jul  7 10:00:00.123": "2026-07-07T10:00:00.123+02:00",
		"Jul 07 2024 10:00:00.123 CEST": "2024-07-07T10:00:00.123+02:00", "Jul 7 10:00:00 UTC": "2026-07-07T10:00:00Z",
		"2026-07-07 12:00:00": "2026-07-07T12:00:00+02:00", "2026-07-07T12:00:00Z": "2026-07-07T12:00:00Z", "1783425600000": "1783425600000",
		"yesterday": "yesterday", "": "", "Jul 7 10:00:00 and text": "Jul 7 10:00:00 and text",
	} {
		got, err := Time(text, berlin)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
	for text, want := range map[string]string{
		"Feb 30 2024 10:00:00":     "no such time",
		"Jul 07 2024 10:00:00 PST": "has the zone PST, which does not belong to the zone Europe/Berlin",
	} {
		_, err := Time(text, berlin)
		assert.ErrorContains(t, err, want, text)
	}
}

// FuzzTimeAs: what is read can be read again, as RFC 3339.
func FuzzTimeAs(f *testing.F) {
	f.Add("05/01-10:00:00.123456", "MM/dd-HH:mm:ss.SSSSSS")
	f.Add("Jul 7 2024 10:00:00 GMT+01:00", "MMM d yyyy HH:mm:ss zzz")
	f.Add("''", "'")
	f.Fuzz(func(t *testing.T, text, pattern string) {
		at, err := TimeAs(text, pattern, berlin)
		if err != nil {
			return
		}
		_, err = time.Parse(time.RFC3339Nano, at)
		require.NoError(t, err)
	})
}
