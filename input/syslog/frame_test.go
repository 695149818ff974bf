package syslog

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// cut gives the messages of a stream that comes in chunks of these lengths; those that were refused begin with the reason.
func cut(framing string, most int, stream []byte, chunks []byte) (messages []string) {
	f := &framer{framing: framing, max: most, emit: func(text []byte, why problem, _ string) {
		if why != noProblem {
			text = append([]byte(why+"!"), text...)
		}
		messages = append(messages, string(text))
	}}
	for i := 0; len(stream) > 0; i++ {
		n := len(stream)
		if len(chunks) > 0 {
			n = min(n, 1+int(chunks[i%len(chunks)]))
		}
		f.write(stream[:n])
		stream = stream[n:]
	}
	f.close()
	return messages
}

func TestFraming(t *testing.T) {
	long := strings.Repeat("x", 600)
	for name, c := range map[string]struct {
		stream string
		want   []string
	}{
		"newlines":                  {"<38>a\n<38>b\r\n\n<38>c\n", []string{"<38>a", "<38>b", "<38>c"}},
		"NUL":                       {"<38>a\x00<38>b\x00", []string{"<38>a", "<38>b"}},
		"no end":                    {"<38>a", []string{"<38>a"}},
		"counts":                    {"5 <38>a6 <38>bb", []string{"<38>a", "<38>bb"}},
		"newlines in a count":       {"9 <38>a\nb\nc5 <38>d", []string{"<38>a\nb\nc", "<38>d"}},
		"counts that count newline": {"6 <38>a\n6 <38>b\n", []string{"<38>a", "<38>b"}},
		"newlines behind counts":    {"5 <38>a\n5 <38>b\n", []string{"<38>a", "<38>b"}},
		"each in its own way":       {"5 <38>a<38>b\n5 <38>c\x00<38>d\x00plain\n5 <38>e", []string{"<38>a", "<38>b", "<38>c", "<38>d", "plain", "<38>e"}},
		"numbers that are no count": {"12 more\n2026-01-01T00:00:00Z h p: t\n5 <1234>x\n0 <38>\n1", []string{"12 more", "2026-01-01T00:00:00Z h p: t", "5 <1234>x", "0 <38>", "1"}},
		"too long, with newline":    {"<38>a\n" + long + "\n<38>b\n", []string{"<38>a", "too_long!" + long[:480], "<38>b"}},
		"too long, with count":      {"600 <38>" + long[4:] + "5 <38>b", []string{"too_long!<38>" + long[4:], "<38>b"}},
		"too long, and no end":      {long, []string{"too_long!" + long[:480]}},
		"count too small":           {"4 <38>abc5 <38>d", []string{"<38>", "bad_count!abc", "<38>d"}},
		"count too large":           {"9 <38>a", []string{"cut_off!<38>a"}},
		"text behind a count":       {"5 <38>atext\n5 <38>b", []string{"<38>a", "text", "<38>b"}},
		"nothing":                   {"\n\r\n\x00  \n", nil},
	} {
		assert.Equal(t, c.want, cut(framingAuto, 480, []byte(c.stream), nil), name)
	}
	assert.Equal(t, []string{"<38>a\nb", "5 <38>c"}, cut(framingNUL, 480, []byte("<38>a\nb\x005 <38>c\x00"), nil))
}

func TestFramesOfThreeMessages(t *testing.T) {
	frames, err := os.ReadFile("testdata/frames.bin")
	require.NoError(t, err)
	got := cut(framingAuto, 480, frames, []byte{0, 6, 40})
	require.Len(t, got, 3)
	for i, kind := range []string{"Failed password for root", "Accepted password for root", "Connection closed"} {
		require.Contains(t, got[i], kind)
		require.True(t, strings.HasPrefix(got[i], "<38>1 2026"), got[i])
	}
}

func TestALongMessageDoesNotHoldItsMemory(t *testing.T) {
	f := &framer{framing: framingAuto, max: 1 << 20, emit: func([]byte, problem, string) {}}
	f.write(append(bytes.Repeat([]byte("x"), 1<<20), '\n'))
	f.write([]byte("<38>a"))
	require.Less(t, cap(f.buffer), 1<<16)
	f.write(bytes.Repeat([]byte("x"), 64<<20)) // without an end
	require.Less(t, cap(f.buffer), 1<<16)
}

// singleBytes are streams whose further bytes come one by one. What was looked at must not be looked at again, or a sender of single bytes
// would take more than its share of time.
var singleBytes = map[string]string{"text": "x", "digits": "1", "after a priority": "<1"}

func oneByOne(text string, each func(*framer)) {
	f := &framer{framing: framingAuto, max: 128 << 10, emit: func([]byte, problem, string) {}}
	f.write([]byte("5 <38>a" + text))
	for range 20_000 {
		f.write([]byte(text[len(text)-1:]))
		each(f)
	}
}

func TestBytesOneByOneAreLookedAtOnce(t *testing.T) {
	for name, text := range singleBytes {
		oneByOne(text, func(f *framer) {
			if len(f.buffer) > longestCount && f.scanned != len(f.buffer) {
				t.Fatalf("%s: of %d bytes only %d count as looked at", name, len(f.buffer), f.scanned)
			}
		})
	}
}

// The time per byte must not depend on how many came before.
func BenchmarkBytesOneByOne(b *testing.B) {
	for name, text := range singleBytes {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				oneByOne(text, func(*framer) {})
			}
		})
	}
}

// brute is the framing said again: over the whole stream at once, without a thought for speed.
func brute(framing string, most int, stream string) (messages []string) {
	add := func(why, text string) {
		if why != "" {
			text = text[:min(len(text), excerptBytes)]
		}
		text = strings.TrimRight(text, "\r\n\x00")
		if why != "" {
			messages = append(messages, why+"!"+text)
		} else if strings.TrimSpace(text) != "" {
			messages = append(messages, text)
		}
	}
	header := regexp.MustCompile(`^([1-9][0-9]{0,8}) <[0-9]{1,3}>`)
	priority := regexp.MustCompile(`^<[0-9]{1,3}>`)
	terminator := regexp.MustCompile(`[\n\x00]`)
	if framing == framingNUL {
		terminator = regexp.MustCompile(`\x00`)
	}
	afterCount := false
	for {
		if stream = strings.TrimLeft(stream, "\r\n\x00"); stream == "" {
			return messages
		}
		if h := header.FindStringSubmatch(stream); h != nil && framing == framingAuto {
			size, _ := strconv.Atoi(h[1])
			rest := stream[len(h[1])+1:]
			text := rest[:min(size, len(rest))]
			switch {
			case size > most:
				add("too_long", text)
			case len(rest) < size:
				add("cut_off", rest)
				return messages
			default:
				add("", text)
			}
			stream, afterCount = rest[len(text):], true
			continue
		}
		end, behind := len(stream), len(stream)
		if at := terminator.FindStringIndex(stream); at != nil {
			end, behind = at[0], at[1]
		}
		if afterCount && !priority.MatchString(stream) {
			found := 0
			for i := 1; i < min(end, most) && found == 0; i++ {
				if header.MatchString(stream[i:min(end, most)]) {
					found = i
				}
			}
			if found > 0 {
				add("bad_count", stream[:found])
				stream = stream[found:]
				continue
			}
		}
		if end > most {
			add("too_long", stream[:most])
		} else {
			add("", stream[:end])
		}
		stream, afterCount = stream[behind:], false
	}
}

func FuzzFraming(f *testing.F) {
	for _, stream := range []string{
		"5 <38>a6 <38>bb", "<38>a\n\x00\r\n12 more\n5 <38>b", "4 <38>abc5 <38>d", "4 <38>2 more\n5 <38>d", "1999 <38>", "12 <", "1234567890 <1>\n",
		"5 <38>a<12", "5 <38>a<12x5 <3>", strings.Repeat("y", 500) + "\n<38>z", "5 <38>a" + strings.Repeat("y", 478) + "5 <38>b", "481 <38>a", "",
	} {
		for _, chunks := range [][]byte{{0}, {0, 3}, {200}} {
			f.Add([]byte(stream), chunks, false)
		}
	}
	f.Fuzz(func(t *testing.T, stream, chunks []byte, nul bool) {
		if len(stream) > 1<<14 {
			t.Skip("the brute version is slow")
		}
		framing, most := framingAuto, 480
		if nul {
			framing = framingNUL
		}
		if len(chunks) > 0 && chunks[0]%2 == 1 {
			most = 20 // so that short streams reach the limit, too
		}
		whole := cut(framing, most, stream, nil)
		require.Equal(t, brute(framing, most, string(stream)), whole)
		require.Equal(t, whole, cut(framing, most, stream, chunks), "in chunks")
	})
}

func BenchmarkFraming(b *testing.B) {
	line := []byte("<38>1 2026-05-01T10:00:00Z web-1 sshd 1 - - Failed password for root from 192.0.2.7 port 22 ssh2")
	for name, stream := range map[string][]byte{
		"newline": bytes.Repeat(append(line, '\n'), 200), "counted": bytes.Repeat(fmt.Appendf(nil, "%d %s", len(line), line), 200),
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(stream)))
			for b.Loop() {
				f := &framer{framing: framingAuto, max: 1 << 16, emit: func([]byte, problem, string) {}}
				f.write(stream)
				f.close()
			}
		})
	}
}
