package logline

import (
	"regexp"
	"strings"
)

var pamRules = []rule{
	{has("session opened for user"), "session opened", forRoot},
	{has("session closed for user"), "session closed", forRoot},
	{has("authentication failure"), "authentication failure", forRoot},
	{has("check pass; user unknown", "does not exist"), "unknown user", ""},
	{has("password changed for"), "password changed", ""},
	{both(has("account"), has("expired")), "account expired", ""},
	{has("account locked", "temporarily locked"), "account locked", ""},
	{has("conversation failed", "auth could not identify"), "no password given", ""},
	{has("Cannot create session"), "session not created", ""},
	{both(has("requirement"), has("not met by user")), "requirement not met", ""},
}

// attempt is a way to sign in, and how it went.
var attempt = regexp.MustCompile(`^(Failed|Accepted|Postponed|Partial) ([a-z-]+)[a-z/]* for `)

func sshd(text string) string {
	text = strings.TrimPrefix(strings.TrimPrefix(text, "error: "), "fatal: ")
	m := attempt.FindStringSubmatch(text)
	if m == nil {
		return first(sshdRules, text)
	}
	tried := strings.ToLower(m[1] + " " + m[2])
	switch {
	case strings.Contains(text, " for invalid user "):
		return tried + " for invalid user"
	case aboutRoot.MatchString(text):
		return tried + forRoot
	}
	return tried
}

var sshdRules = []rule{
	{starts("Invalid user ", "input_userauth_request: invalid user "), "invalid user", ""},
	{starts("maximum authentication attempts exceeded"), "too many attempts", forRoot},
	{both(starts("Disconnecting"), has("Too many authentication failures")), "disconnecting, too many failures", ""},
	{starts("Disconnecting"), "disconnecting", ""},
	{starts("PAM service(sshd) ignoring max retries"), "PAM ignoring max retries", ""},
	{is(`^PAM [0-9]+ more authentication failure`), "PAM more authentication failures", forRoot},
	{starts("Connection closed by"), "connection closed", ""},
	{starts("Connection reset by"), "connection reset", ""},
	{starts("Connection from"), "connection", ""},
	{starts("Received disconnect from"), "received disconnect", ""},
	{starts("Disconnected from"), "disconnected", ""},
	{starts("Did not receive identification string"), "no identification string", ""},
	{starts("Bad protocol version identification", "banner exchange"), "bad protocol", ""},
	{starts("kex_exchange_identification"), "bad key exchange", ""},
	{starts("Unable to negotiate", "no matching "), "unable to negotiate", ""},
	{starts("reverse mapping checking getaddrinfo", "Address "), "reverse mapping failed", ""},
	{both(starts("User "), has(" not allowed because")), "user not allowed", ""},
	{starts("Authentication refused"), "authentication refused", ""},
	{starts("Starting session: shell"), "starting shell", ""},
	{starts("Starting session"), "starting command", ""},
	{starts("Close session"), "close session", ""},
	{starts("User child is on pid"), "user child", ""},
	{starts("Server listening on"), "server listening", ""},
	{starts("Received signal"), "received signal", ""},
	{starts("Exiting on signal"), "exiting", ""},
	{starts("Timeout before authentication", "Timeout, client not responding"), "timeout", ""},
	{starts("Write failed", "ssh_dispatch_run_fatal"), "connection broken", ""},
	{starts("subsystem request for"), "subsystem request", ""},
}

var sudoRules = []rule{
	{has("user NOT in sudoers", "user NOT authorized"), "user not in sudoers", ""},
	{has("command not allowed"), "command not allowed", ""},
	{has("incorrect password attempt"), "incorrect password", ""},
	{has("a password is required"), "password required", ""},
	{has("USER=root ; "), "command as root", ""},
	{has("COMMAND="), "command as another user", ""},
}

// suRules are for texts in lower case.
var suRules = []rule{
	{starts("failed su ", "- "), "failed", forRoot},
	{starts("successful su "), "successful", forRoot},
	{starts("+ ", "(to "), "switched", ""},
}

var cronRules = []rule{
	{both(is(`^\(.*\) CMD `), starts("(root) ")), "command as root", ""},
	{is(`^\(.*\) CMD `), "command", ""},
	{is(`^\(.*\) (RELOAD|REPLACE|BEGIN EDIT|END EDIT|DELETE)`), "crontab changed", ""},
	{is(`^\(.*\) LIST`), "crontab listed", ""},
	{is(`^\(CRON\) `), "daemon", ""},
	{both(is(`^\(.*\) `), func(text string) bool { return strings.Contains(strings.ToLower(text), "error") }), "error", ""},
}

var logindRules = []rule{
	{both(starts("New session"), func(text string) bool { return strings.HasSuffix(text, " of user root.") }), "new session for root", ""},
	{starts("New session"), "new session", ""},
	{starts("Removed session"), "removed session", ""},
	{both(starts("Session "), has("logged out")), "session logged out", ""},
	{starts("New seat"), "new seat", ""},
	{starts("Watching system buttons"), "watching buttons", ""},
	{starts("Power key pressed", "System is ", "The system will "), "shutdown", ""},
}

// accountRules are for useradd, usermod, userdel, groupadd, gpasswd, passwd, chpasswd and chage.
var accountRules = []rule{
	{both(starts("new user"), has(", UID=0,")), "new user with UID 0", ""},
	{starts("new user"), "new user", ""},
	{starts("new group", "group added"), "new group", ""},
	{starts("failed adding user"), "failed adding user", ""},
	{starts("delete user"), "user deleted", ""},
	{is(`^add '.*' to (shadow )?group '(sudo|wheel|adm|admin|root|docker)'`), "user added to a privileged group", ""},
	{is(`^add '.*' to (shadow )?group|^user .* added by .* to group`), "user added to group", ""},
	{either(is(`^delete '.*' from|^group '?.* removed`), starts("removed ")), "removed", ""},
	{both(has("password"), has("changed")), "password changed", ""},
	{starts("lock user"), "lock user", ""},
	{starts("unlock user"), "unlock user", ""},
	{starts("change user"), "user changed", ""},
}
