package template

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestMask(t *testing.T) {
	m := newMasker([]string{"root"})
	for message, want := range map[string]string{
		"Failed password for alice from 10.0.0.1 port 22 ssh2": "Failed password for alice from <*> port <*> <*>",
		"connect 10.0.0.1:443 to [2001:db8::1]:80":             "connect <*> to [<*>]:<*>",
		"link is up on 00:1A:2b:3c:4d:5e, retry":               "link is up on <*>, retry",
		"GET https://example.org/a?b=c&d=e done":               "GET https:<*> done",
		"open /var/log/x: denied":                              "open <*> denied",
		`load C:\Windows\System32\x.dll failed`:                "load C:<*> failed",
		"mail to bob@example.org sent":                         "mail to <*> sent",
		"at Sat Jun 18 02:08:10 2005 UTC the end":              "at <*> <*> the end",
		"took 1.5 ms, 20 KB":                                   "took <*>, <*>",
		"list 1, 2, 3, 4, 5":                                   "list <*>, <*>",
		"syscall a0=bfe exit=-1 YWJjZA==":                      "syscall a0=bfe exit=<*> YWJjZA==",
		"session for root, not rooted":                         "session for \x02root, not rooted",
		"main.go:12 panic at example.org:80":                   "<*> panic at <*>",
		"  spaces\t and\r\nmore lines":                         "spaces and",
		"\r\n\nthe first line\nwith text":                      "the first line",
		"":                                                     "",
		"ends here. And here!":                                 "ends here. And here!",
		"a <*> b":                                              "a <*> b",
		"Größe überschritten":                                  "Größe überschritten",
		"٣ files and ３ more":                                   "<*> files and <*> more",
		"not \xff text":                                        "not <*> text",
		"bell\a and \x01 mark":                                 "bell and mark",
		strings.Repeat("x", 200) + " is long":                  "<*> is long",
		strings.Repeat("!", 200) + " is long":                  "<*> is long",
	} {
		assert.Equal(t, want, strings.ReplaceAll(string(m.mask(nil, "", message)), "\x01", Wildcard), "%q", message)
	}
}

func TestMaskIsBounded(t *testing.T) {
	m := newMasker(nil)
	for _, piece := range []string{"x", "x ", "1 ", "a:", "!", "(", "{\"a\":", "a=/b ", "a=b ", "ü", "耗1", "<*>x"} {
		assert.LessOrEqual(t, len(m.mask(nil, "", strings.Repeat(piece, 1<<20))), maxShape+maxWord+8, "%q", piece)
	}
	assert.Equal(t, strings.Repeat("x", maxWord)+"\x04a", string(m.mask(nil, strings.Repeat("x", 1<<20), "a")))
}

func TestScopes(t *testing.T) {
	m := newMasker(nil)
	for scope, want := range map[string]string{
		"sshd":                          "sshd",
		"Event Log 7":                   "Event Log 7",
		"a\tb\x01c\x04":                 "a b c ",
		"not \xff text":                 "not \uFFFD text",
		strings.Repeat("ü", maxWord):    strings.Repeat("ü", maxWord/2),
		"x" + strings.Repeat("ü", 1000): "x" + strings.Repeat("ü", (maxWord-1)/2),
	} {
		assert.Equal(t, want+"\x04root logged in", string(m.mask(nil, scope, "root logged in")))
		assert.Equal(t, want, cleanScope(want), "a scope of a file is accepted again")
	}
}
