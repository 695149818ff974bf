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
		"耗时300ms":                                              "耗时<*>",
		"第3次重试失败，用户alice，在 /var/日志/x":                          "第<*>次重试失败，用户alice，在 <*>",
		"第3次重试失败，用户alice：成功":                                   "第<*>次重试失败，用户alice：成功",
		"用户 张三@example.org 登录":                                 "用户 <*> 登录",
		"open /数据/日志: denied":                                  "open <*>: denied",
		"연결300개 완료":                                            "연결<*>개 완료",
		"로그 10.0.0.1에서 접속":                                     "로그 <*>에서 접속",
		`got {"a":1,"b":"x y","c":{"d":[1,{"e":2}]},"10.0.0.1":3,"f g":4} now`:               `got {"a":<*>,"b":<*>,"c":{"d":<*>},<*>} now`,
		`got {'a': None, 'b': 'it\'s'} now`:                                                  `got {"a":<*>,"b":<*>} now`,
		`cut {"a": "x", "b": {"c": "y`:                                                       `cut {"a":<*>,"b":{"c":<*>}}`,
		`all [{"a": 1}, {"b": 2}] and {} or {x}`:                                             `all [{"a":<*>}] and {} or {x}`,
		`deep {"a":{"b":{"c":{"d":1}}}}`:                                                     `deep {"a":{"b":{"c":<*>}}}`,
		`no {"a": 1, b} json`:                                                                `no {"a":<*>}b} json`,
		"alice : TTY=pts/0 ; PWD=/home/alice ; USER=root ; COMMAND=/usr/bin/apt install x y": "alice : TTY=<*> ; PWD=<*> ; USER=\x02root ; COMMAND=<*>",
		"COMMAND=/usr/bin/env A=1; b -c 2 ; USER=root":                                       "COMMAND=<*> ; USER=\x02root",
		"open file=/var/x failed: denied, code=3":                                            "open file=<*> failed: denied, code=<*>",
		strings.Repeat("x", 200) + " is long":                                                "<*> is long",
		strings.Repeat("!", 200) + " is long":                                                "<*> is long",
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
		"not \xff text":                 "not ? text",
		strings.Repeat("ü", maxWord):    strings.Repeat("ü", maxWord/2),
		"x" + strings.Repeat("ü", 1000): "x" + strings.Repeat("ü", (maxWord-1)/2),
	} {
		assert.Equal(t, want+"\x04root logged in", string(m.mask(nil, scope, "root logged in")))
		assert.Equal(t, want, cleanScope(want), "a scope of a file is accepted again")
	}
}
