package demo

import "strings"

// messages are the texts of alerts. Other alerts get a general text.
var messages = map[string]string{
	"sshd: accepted publickey":                       "Accepted publickey for {user} from {ip} port 50214 ssh2",
	"sshd: accepted password":                        "Accepted password for {user} from {ip} port 50311 ssh2",
	"sshd: failed password":                          "Failed password for {user} from {ip} port 50377 ssh2",
	"sshd: invalid user":                             "Invalid user oracle from {ip} port 50390",
	"sudo: command as root":                          "{user} : TTY=pts/0 ; PWD=/ ; USER=root ; COMMAND=/usr/bin/systemctl status",
	"PAM: session opened":                            "pam_unix(sshd:session): session opened for user {user}",
	"PAM: session closed":                            "pam_unix(sshd:session): session closed for user {user}",
	"nginx: many not found":                          "20 requests of {ip} in a minute were answered 404",
	"nginx: POST to a new script":                    "{ip} POST /uploads/img.php 200",
	"auditd: user added":                             "useradd: new user: name=sysupd, UID=0, by {user}",
	"Windows: 4624 logon":                            "An account was successfully logged on: {user} from {ip}",
	"Windows: 4625 logon failure":                    "An account failed to log on: {user} from {ip}",
	"Windows: 4740 account locked out":               "A user account was locked out: {user}",
	"Firewall: connection denied":                    "denied tcp {ip} -> {host}:445",
	"Suricata: ET WEB_SERVER SQL injection attempt":  "{ip} -> {host}:443 GET /?id=1%27+OR+1%3D1",
	"Suricata: ET WEB_SERVER path traversal attempt": "{ip} -> {host}:443 GET /../../etc/passwd",
	"Suricata: ET MALWARE beacon":                    "{host} -> {ip}:443 TLS with a known JA3 fingerprint",
}

// message is the text of an alert on a machine.
func message(event string, m machine, a Alert) string {
	text, ok := messages[event]
	if !ok {
		_, what, _ := strings.Cut(event, ": ")
		text = what + " on {host}, user {user}, source {ip}"
	}
	return strings.NewReplacer("{user}", a.User, "{ip}", a.SourceIP, "{host}", m.name).Replace(text)
}
