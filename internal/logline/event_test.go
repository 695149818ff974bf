package logline

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Models know events by these names: a line of this table must not change.
func TestEventNames(t *testing.T) {
	for _, c := range []struct{ program, message, name string }{
		{"sshd", "Failed password for root from 192.0.2.7 port 4242 ssh2", "sshd: failed password for root"},
		{"sshd", "Failed password for bob from 192.0.2.7 port 4242 ssh2", "sshd: failed password"},
		{"sshd", "Failed none for invalid user root from 192.0.2.7 port 4242 ssh2", "sshd: failed none for invalid user"},
		{"sshd", "message repeated 5 times: [ Failed password for root from 192.0.2.7 port 4242 ssh2]", "sshd: failed password for root"},
		{"sshd", "Failed keyboard-interactive/pam for bob from 192.0.2.7 port 4242 ssh2", "sshd: failed keyboard-interactive"},
		{"sshd-session", "Accepted publickey for bob from 192.0.2.7 port 4242 ssh2: RSA SHA256:Kl", "sshd: accepted publickey"},
		{"/usr/sbin/sshd", "Postponed publickey for bob from 192.0.2.7 port 1 ssh2 [preauth]", "sshd: postponed publickey"},
		{"sshd", "error: maximum authentication attempts exceeded for root from 192.0.2.7 port 4242 ssh2 [preauth]", "sshd: too many attempts for root"},
		{"sshd", "Disconnecting: Too many authentication failures [preauth]", "sshd: disconnecting, too many failures"},
		{"sshd", "Disconnecting: x", "sshd: disconnecting"},
		{"sshd", "PAM service(sshd) ignoring max retries; 6 > 3", "sshd: PAM ignoring max retries"},
		{"sshd", "PAM 5 more authentication failures; logname= uid=0 user=root", "sshd: PAM more authentication failures for root"},
		{"sshd", "Invalid user oracle from 192.0.2.7", "sshd: invalid user"},
		{"sshd", "Connection closed by 192.0.2.7 [preauth]", "sshd: connection closed"},
		{"sshd", "Connection reset by 192.0.2.7", "sshd: connection reset"},
		{"sshd", "Connection from 192.0.2.7", "sshd: connection"},
		{"sshd", "Received disconnect from 192.0.2.7: 11: x", "sshd: received disconnect"},
		{"sshd", "Disconnected from user bob 192.0.2.7", "sshd: disconnected"},
		{"sshd", "Did not receive identification string from 192.0.2.7", "sshd: no identification string"},
		{"sshd", "Bad protocol version identification 'x' from 192.0.2.7", "sshd: bad protocol"},
		{"sshd", "error: kex_exchange_identification: Connection closed by remote host", "sshd: bad key exchange"},
		{"sshd", "fatal: Unable to negotiate with 192.0.2.7 port 4242: no matching cipher found. [preauth]", "sshd: unable to negotiate"},
		{"sshd", "reverse mapping checking getaddrinfo for x failed - POSSIBLE BREAK-IN ATTEMPT!", "sshd: reverse mapping failed"},
		{"sshd", "User bob from 192.0.2.7 not allowed because not listed in AllowUsers", "sshd: user not allowed"},
		{"sshd", "Authentication refused: bad ownership", "sshd: authentication refused"},
		{"sshd", "Starting session: shell on pts/0 for bob", "sshd: starting shell"},
		{"sshd", "Starting session: command for bob", "sshd: starting command"},
		{"sshd", "Close session: user bob", "sshd: close session"},
		{"sshd", "User child is on pid 12", "sshd: user child"},
		{"sshd", "Server listening on 0.0.0.0 port 22.", "sshd: server listening"},
		{"sshd", "Received signal 15; terminating.", "sshd: received signal"},
		{"sshd", "Exiting on signal 15", "sshd: exiting"},
		{"sshd", "fatal: Timeout before authentication for 192.0.2.7", "sshd: timeout"},
		{"sshd", "fatal: Write failed: Connection reset by peer", "sshd: connection broken"},
		{"sshd", "subsystem request for sftp by user bob", "sshd: subsystem request"},
		{"sshd", "pam_unix(sshd:auth): authentication failure; logname= uid=0 euid=0 tty=ssh ruser= rhost=192.0.2.7  user=root", "sshd: PAM authentication failure for root"},
		{"sshd", "pam_unix(sshd:auth): check pass; user unknown", "sshd: PAM unknown user"},
		{"sshd", "pam_unix(sshd:account): account bob has expired (account expired)", "sshd: PAM account expired"},
		{"sshd", "pam_tally2(sshd:auth): user bob (1000) account locked", "sshd: PAM account locked"},
		{"sudo", "pam_unix(sudo:auth): conversation failed", "sudo: PAM no password given"},
		{"CRON", "pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)", "cron: PAM session opened for root"},
		{"CRON", "pam_unix(cron:session): session closed for user bob", "cron: PAM session closed"},
		{"sshd", "pam_systemd(sshd:session): Cannot create session: Already running in a session", "sshd: PAM session not created"},
		{"gdm", `pam_succeed_if(gdm:auth): requirement "user ingroup x" not met by user "bob"`, "gdm: PAM requirement not met"},
		{"CRON", "(bob) CMD (/usr/bin/x >/dev/null)", "cron: command"},
		{"CRON", "(root) CMD (/usr/bin/x >/dev/null)", "cron: command as root"},
		{"crontab", "(bob) BEGIN EDIT (bob)", "crontab: crontab changed"},
		{"crontab", "(bob) LIST (bob)", "crontab: crontab listed"},
		{"cron", "(CRON) INFO (Running @reboot jobs)", "cron: daemon"},
		{"crond", "(bob) ERROR (getpwnam() failed)", "crond: error"},
		{"sudo", "  bob : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/su", "sudo: command as root"},
		{"sudo", "  bob : TTY=pts/0 ; PWD=/ ; USER=backup ; COMMAND=/bin/ls", "sudo: command as another user"},
		{"sudo", "  bob : user NOT in sudoers ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/su", "sudo: user not in sudoers"},
		{"sudo", "  bob : command not allowed ; TTY=pts/0 ; USER=root ; COMMAND=/bin/su", "sudo: command not allowed"},
		{"sudo", "  bob : 3 incorrect password attempts ; TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/bin/su", "sudo: incorrect password"},
		{"sudo", "  bob : a password is required ; TTY=pts/0 ; USER=root ; COMMAND=/bin/su", "sudo: password required"},
		{"su", "FAILED SU (to root) bob on pts/0", "su: failed for root"},
		{"su", "Successful su for root by bob", "su: successful for root"},
		{"su", "+ pts/0 bob:root", "su: switched"},
		{"systemd-logind", "New session 17 of user bob.", "systemd-logind: new session"},
		{"systemd-logind", "New session 17 of user root.", "systemd-logind: new session for root"},
		{"systemd-logind", "Removed session 17.", "systemd-logind: removed session"},
		{"systemd-logind", "Session 17 logged out. Waiting for processes to exit.", "systemd-logind: session logged out"},
		{"systemd-logind", "New seat seat0.", "systemd-logind: new seat"},
		{"systemd-logind", "Watching system buttons on /dev/input/event0", "systemd-logind: watching buttons"},
		{"systemd-logind", "System is rebooting.", "systemd-logind: shutdown"},
		{"useradd", "new user: name=toor, UID=0, GID=0, home=/, shell=/bin/bash", "useradd: new user with UID 0"},
		{"useradd", "new user: name=bob, UID=1000, GID=0", "useradd: new user"},
		{"groupadd", "new group: name=x, GID=1", "groupadd: new group"},
		{"useradd", "failed adding user 'x', data deleted", "useradd: failed adding user"},
		{"userdel", "delete user 'bob'", "userdel: user deleted"},
		{"userdel", "removed group 'bob' owned by 'bob'", "userdel: removed"},
		{"usermod", "add 'bob' to group 'sudo'", "usermod: user added to a privileged group"},
		{"usermod", "add 'bob' to shadow group 'x'", "usermod: user added to group"},
		{"gpasswd", "user bob added by root to group x", "gpasswd: user added to group"},
		{"usermod", "lock user 'bob' password", "usermod: lock user"},
		{"usermod", "change user 'bob' shell", "usermod: user changed"},
		{"chage", "changed password expiry for bob", "chage: password changed"},
		{"chpasswd", "pam_unix(chpasswd:chauthtok): password changed for bob", "chpasswd: PAM password changed"},
		{"", "last message repeated 3 times", "last message repeated"},
	} {
		assert.Equal(t, c.name, Line{Program: c.program, Message: c.message}.Event().Name, "%s: %s", c.program, c.message)
	}
}

// What no rule covers has no name, but one for all such lines of its program.
func TestEventsWithoutARule(t *testing.T) {
	for line, want := range map[Line]Event{
		{Program: "sshd", Message: "something that nobody has seen before 192.0.2.7"}:      {Other: "sshd: other", Scope: "sshd"},
		{Program: "sshd", Message: "pam_x(sshd:auth): something"}:                          {Other: "sshd: PAM other", Scope: "sshd"},
		{Program: "polkitd(authority=local)", Message: "Registered Authentication Agent"}:  {Other: "polkitd: other", Scope: "polkitd"},
		{Program: "/usr/lib/X/Daemon", Message: "Failed password for root from 192.0.2.7"}: {Other: "daemon: other", Scope: "daemon"},
		{Program: "sshd-session", Message: "x"}:                                            {Other: "sshd: other", Scope: "sshd"},
		{Program: "(systemd)", Message: "x"}:                                               {Other: "(systemd): other", Scope: "(systemd)"},
		{Program: "bin/", Message: "x"}:                                                    {},
		{Message: "no program"}:                                                            {},
		{Message: "Configured", Code: "%SYS-5-CONFIG_I"}:                                   {Name: "%SYS-5-CONFIG_I"},
		{Program: "sshd", Message: "Connection from 192.0.2.7", Code: "%SYS-5-CONFIG_I"}:   {Name: "%SYS-5-CONFIG_I", Other: "sshd: other", Scope: "sshd"},
		{Program: "sshd", Message: "Connection from 192.0.2.7"}:                            {Name: "sshd: connection", Other: "sshd: other", Scope: "sshd"},
	} {
		assert.Equal(t, want, line.Event(), "%+v", line)
	}
}

func FuzzEvent(f *testing.F) {
	f.Add("sshd", "error: Failed password for root from 192.0.2.7")
	f.Add("a(b)/C", "pam_x( session opened for user root")
	f.Fuzz(func(t *testing.T, program, message string) {
		e := Line{Program: program, Message: message}.Event()
		require.Equal(t, e.Scope == "", e.Other == "")
		require.True(t, strings.HasPrefix(e.Other, e.Scope))
		if e.Scope != "" && e.Name != "" {
			require.True(t, strings.HasPrefix(e.Name, e.Scope+": "), e.Name)
			require.NotEqual(t, e.Other, e.Name)
		}
	})
}
