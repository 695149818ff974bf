package auditrecord

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type fields = map[string][]string

func TestParse(t *testing.T) {
	for line, want := range map[string]Record{
		`type=SYSCALL msg=audit(1364481363.243:24287): arch=c000003e syscall=2 success=no exit=-13 comm="cat" exe="/bin/cat" key="sshd_config"`: {
			Type: "SYSCALL", Time: "1364481363.243", Serial: "24287",
			Fields: fields{"arch": {"c000003e"}, "syscall": {"2"}, "success": {"no"}, "exit": {"-13"}, "comm": {"cat"}, "exe": {"/bin/cat"}, "key": {"sshd_config"}},
		},
		"node=web-1 type=USER_LOGIN msg=audit(1364481363.243:1): pid=7 uid=0 msg='op=login acct=28756E6B6E6F776E207573657229 exe=\"/usr/sbin/sshd\" hostname=? addr=192.0.2.7 res=failed'\x1dUID=\"root\" AUID=\"unset\"": {
			Node: "web-1", Type: "USER_LOGIN", Time: "1364481363.243", Serial: "1",
			Fields: fields{"pid": {"7"}, "uid": {"0"}, "op": {"login"}, "acct": {"(unknown user)"}, "exe": {"/usr/sbin/sshd"}, "hostname": {"?"}, "addr": {"192.0.2.7"}, "res": {"failed"}, "UID": {"root"}, "AUID": {"unset"}},
		},
		"Jul  7 10:00:00 web-1 audispd: type=EOE msg=audit(1364481363.243:24287): ": {
			Before: "Jul  7 10:00:00 web-1 audispd: ", Type: "EOE", Time: "1364481363.243", Serial: "24287", Fields: fields{},
		},
		`type=AVC msg=audit(1364481363.243:24287): avc:  denied  { read write } for  pid=7 comm="httpd" name="shadow" scontext=system_u:system_r:httpd_t:s0 tclass=file`: {
			Type: "AVC", Time: "1364481363.243", Serial: "24287", Text: "avc:  denied  { read write } for",
			Fields: fields{"pid": {"7"}, "comm": {"httpd"}, "name": {"shadow"}, "scontext": {"system_u:system_r:httpd_t:s0"}, "tclass": {"file"}},
		},
		`type=PROCTITLE msg=audit(1364481363.243:24287): proctitle=2F62696E2F7368002D63006964`: {
			Type: "PROCTITLE", Time: "1364481363.243", Serial: "24287", Fields: fields{"proctitle": {"/bin/sh -c id"}},
		},
		`type=SYSCALL msg=audit(1364481363.243:24287): a0=6162 key=6F6E650174776F`: {
			Type: "SYSCALL", Time: "1364481363.243", Serial: "24287", Fields: fields{"a0": {"6162"}, "key": {"one, two"}},
		},
		`type=EXECVE msg=audit(1364481363.243:24287): argc=20 a0="ls" a1=612062`: {
			Type: "EXECVE", Time: "1364481363.243", Serial: "24287", Fields: fields{"argc": {"20"}, "a0": {"ls"}, "a1": {"a b"}},
		},
		`type=LOGIN msg=audit(1364481363.243:24287): login pid=7 uid=0 old auid=4294967295 new auid=0#035UID="root"`: {
			Type: "LOGIN", Time: "1364481363.243", Serial: "24287", Text: "login",
			Fields: fields{"pid": {"7"}, "uid": {"0"}, "auid": {"4294967295", "0"}, "UID": {"root"}},
		},
		`type=UNKNOWN[1334] msg=audit(1364481363.243:24287): prog-id=7 op=LOAD`: {
			Type: "UNKNOWN[1334]", Time: "1364481363.243", Serial: "24287", Fields: fields{"prog-id": {"7"}, "op": {"LOAD"}},
		},
		`type=USER_CMD msg=audit(1364481363.243:7): msg='cwd="/" cmd=6C73202D6C terminal=pts/0 res=success'`: {
			Type: "USER_CMD", Time: "1364481363.243", Serial: "7", Fields: fields{"cwd": {"/"}, "cmd": {"ls -l"}, "terminal": {"pts/0"}, "res": {"success"}},
		},
		`type=USER_START msg=audit(1364481363.243:7): user pid=7 msg='PAM: session open acct="root" : exe="/usr/sbin/crond" (hostname=?, addr=?, terminal=cron res=success)' key=(null)`: {
			Type: "USER_START", Time: "1364481363.243", Serial: "7", Text: "user",
			Fields: fields{"pid": {"7"}, "acct": {"root"}, "exe": {"/usr/sbin/crond"}, "hostname": {"?"}, "addr": {"?"}, "terminal": {"cron"}, "res": {"success"}, "key": {"(null)"}},
		},
		`type=X msg=audit(1364481363.243:7): a="b msg='c=d comm=FF`: {
			Type: "X", Time: "1364481363.243", Serial: "7", Fields: fields{"a": {`"b`}, "c": {"d"}, "comm": {"FF"}},
		},
	} {
		got, err := Parse(line)
		if assert.NoError(t, err, line) {
			assert.Equal(t, want, got, line)
		}
	}
	for _, line := range []string{"", "garbage", "type=SYSCALL", "msg=audit(1.2:3):", "type=A msg=audit(1:2): a=b", "type=A msg=audit(1.2:3) a=b", "xtype=A msg=audit(1.2:3): a=b"} {
		_, err := Parse(line)
		assert.ErrorContains(t, err, "no record of auditd: want type=TYPE msg=audit(SECONDS.MILLISECONDS:SERIAL)", line)
	}
}

// FuzzParse: what the kernel encodes is decoded.
func FuzzParse(f *testing.F) {
	f.Add("node=a type=B msg=audit(1.2:3): c=\"d\" msg='e=f'\x1dG=\"h\"", "a b")
	f.Add("type=A msg=audit(1.2:3): a=' msg='", "\x00")
	f.Fuzz(func(t *testing.T, line, value string) {
		if r, err := Parse(line); err == nil {
			require.NotEmpty(t, r.Type)
			require.NotEmpty(t, r.Serial)
		}
		r, err := Parse("type=A msg=audit(1.2:3): comm=" + strings.ToUpper(hex.EncodeToString([]byte(value))) + " pid=7")
		require.NoError(t, err)
		require.Equal(t, []string{"7"}, r.Fields["pid"])
		if value != "" && strings.ToValidUTF8(value, "") == value && !strings.ContainsAny(value, "\x00\x01") {
			require.Equal(t, []string{value}, r.Fields["comm"])
		}
	})
}
