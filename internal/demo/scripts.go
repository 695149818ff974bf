package demo

import (
	"slices"
	"time"
)

// script is a series of alerts on a machine: a routine, or an attack.
type script struct {
	name   string
	roles  []role
	perDay float64       // how often on each machine
	hours  int           // the hour of a job, anyTime, or office
	pace   time.Duration // average time between alerts
	user   string        // "" for the user of the machine
	attack bool
	novel  bool // only after Split
	steps  []step
}

const (
	anyTime = -1
	office  = -2
)

// step is an alert that is repeated least to most times.
type step struct {
	event       string
	least, most int
	severity    int     // 0 is benign
	chance      float64 // of the step to happen at all; 0 is always
}

func once(event string) step                  { return times(1, event) }
func times(n int, event string) step          { return some(event, n, n) }
func some(event string, least, most int) step { return step{event: event, least: least, most: most} }
func maybe(event string, p float64) step      { return step{event: event, least: 1, most: 1, chance: p} }

func (s step) severe(severity int) step {
	s.severity = severity
	return s
}

func rounds(n int, steps ...step) []step { return slices.Repeat(steps, n) }

// novelAttack is the kind of attack that happens only after Options.Split.
const novelAttack = "ransomware"

var linux, windows = []role{web, db, mail, gateway}, []role{desktop, file, dc}

// scripts are all routines and attacks. Each attack shares alerts with a routine that looks similar at first sight.
var scripts = []*script{
	// Routines of Linux machines.
	{name: "health check", roles: linux, perDay: 7, hours: anyTime, pace: 20 * time.Second, user: "monitor", steps: []step{
		once("sshd: accepted publickey"), once("PAM: session opened"), times(2, "sudo: command as root"), once("PAM: session closed"),
	}},
	{name: "backup with an expired password", roles: linux, perDay: 1, hours: 1, pace: 5 * time.Second, user: "backup", steps: []step{
		once("cron: job started"), times(8, "sshd: failed password"), once("sshd: accepted publickey"), once("backup: job finished"),
		once("cron: job finished"),
	}},
	{name: "log rotation", roles: linux, perDay: 6, hours: anyTime, pace: 3 * time.Second, user: "root", steps: []step{
		once("cron: job started"), times(3, "FIM: file changed"), once("systemd: service restarted"), once("cron: job finished"),
	}},
	{name: "package upgrade", roles: linux, perDay: 0.5, hours: 4, pace: 15 * time.Second, user: "root", steps: []step{
		once("apt: upgrade started"), some("FIM: file changed", 4, 6), times(2, "systemd: service restarted"), once("apt: upgrade finished"),
	}},
	{name: "administrator", roles: linux, perDay: 1, hours: office, pace: 40 * time.Second, steps: []step{
		once("PAM: one-time password accepted"), once("sshd: accepted password"), once("PAM: session opened"),
		some("sudo: command as root", 3, 4), once("PAM: session closed"),
	}},
	{name: "vulnerability scan", roles: []role{web, mail, gateway}, perDay: 1, hours: 3, pace: 2 * time.Second, user: "scanner", steps: []step{
		once("Scanner: scheduled scan started"), times(6, "Suricata: ET SCAN Nmap probe"), times(3, "Suricata: ET SCAN SSH scan"),
		times(5, "Suricata: ET WEB_SERVER SQL injection attempt"), times(4, "Suricata: ET WEB_SERVER path traversal attempt"),
		once("Scanner: scheduled scan finished"),
	}},
	{name: "release", roles: []role{web}, perDay: 1.5, hours: office, pace: 10 * time.Second, user: "deploy", steps: []step{
		once("Deploy: release started"), times(3, "FIM: file added in web root"), times(3, "nginx: server error"),
		once("systemd: service restarted"), once("Deploy: release finished"),
	}},
	{name: "crawler", roles: []role{web}, perDay: 7, hours: anyTime, pace: 2 * time.Second, user: "-", steps: []step{
		times(4, "nginx: many not found"), once("nginx: rate limit reached"),
	}},
	{name: "database night", roles: []role{db}, perDay: 1, hours: 2, pace: 30 * time.Second, user: "postgres", steps: []step{
		once("cron: job started"), times(5, "PostgreSQL: slow query"), once("PostgreSQL: dump finished"), once("cron: job finished"),
	}},
	{name: "application reconnects", roles: []role{db}, perDay: 10, hours: anyTime, pace: 2 * time.Second, user: "app", steps: []step{
		times(3, "PostgreSQL: login failed"), once("PostgreSQL: connection accepted"), some("PostgreSQL: slow query", 1, 2),
	}},
	{name: "spam wave", roles: []role{mail}, perDay: 14, hours: anyTime, pace: 2 * time.Second, user: "-", steps: []step{
		some("Mail: spam rejected", 6, 7), once("Mail: sender put on list"), maybe("Mail: queue delayed", 0.2),
	}},
	{name: "VPN user", roles: []role{gateway}, perDay: 20, hours: office, pace: 3 * time.Minute, steps: []step{
		once("Firewall: VPN login"), once("Firewall: policy matched"), once("Firewall: VPN logout"),
	}},
	{name: "internet noise", roles: []role{gateway}, perDay: 16, hours: anyTime, pace: time.Second, user: "-", steps: []step{
		some("Firewall: connection denied", 7, 8), once("Firewall: source blocked"),
	}},

	// Routines of Windows machines.
	{name: "work", roles: []role{desktop}, perDay: 5, hours: office, pace: 30 * time.Second, steps: []step{
		once("Windows: 4624 logon"), once("Windows: 4769 Kerberos ticket"), times(2, "Sysmon: 3 network connection"), once("Windows: 4634 logoff"),
	}},
	{name: "forgotten password", roles: windows, perDay: 1, hours: office, pace: 10 * time.Second, steps: []step{
		times(5, "Windows: 4625 logon failure"), once("Windows: 4740 account locked out"), once("Helpdesk: password reset"),
		once("Windows: 4767 account unlocked"), once("Windows: 4624 logon"),
	}},
	{name: "software deployment", roles: windows, perDay: 1, hours: 22, pace: 8 * time.Second, user: "SYSTEM", steps: []step{
		once("SCCM: deployment started"), once("Windows: 4688 PowerShell started"), times(5, "Sysmon: 11 file created"),
		once("Windows: 4697 service installed"), once("SCCM: deployment finished"),
	}},
	{name: "virus scan", roles: windows, perDay: 2, hours: 12, pace: time.Minute, user: "SYSTEM", steps: []step{
		once("Defender: scan started"), times(3, "Sysmon: 10 process memory read"), once("Defender: scan finished"),
	}},
	{name: "group policy", roles: windows, perDay: 6, hours: anyTime, pace: 4 * time.Second, user: "SYSTEM", steps: []step{
		once("Windows: 4769 Kerberos ticket"), once("GPO: policy applied"), once("Windows: 4698 scheduled task created"),
	}},
	{name: "office macro", roles: []role{desktop}, perDay: 1.5, hours: office, pace: 5 * time.Second, steps: []step{
		once("Office: signed macro allowed"), once("Sysmon: 1 Office started a shell"), times(3, "Sysmon: 11 file created"),
	}},
	{name: "file share", roles: []role{file}, perDay: 12, hours: office, pace: 3 * time.Second, steps: []step{
		once("Windows: 4624 logon"), times(4, "Windows: 5145 share accessed"), once("Windows: 4634 logoff"),
	}},
	{name: "replication", roles: []role{dc}, perDay: 16, hours: anyTime, pace: 2 * time.Second, user: "SYSTEM", steps: []step{
		once("Windows: 4672 special privileges"), times(3, "Windows: 4662 directory read"), once("Windows: 4634 logoff"),
	}},
	{name: "new colleague", roles: []role{dc}, perDay: 1, hours: office, pace: 30 * time.Second, user: "helpdesk", steps: []step{
		once("Helpdesk: ticket approved"), once("Windows: 4720 user created"), times(2, "Windows: 4728 added to group"),
	}},

	// Attacks.
	{name: "ssh brute force", attack: true, roles: linux, perDay: 0.2, hours: anyTime, pace: 2 * time.Second, user: "root",
		steps: slices.Concat(
			[]step{times(3, "Suricata: ET SCAN SSH scan").severe(1)},
			rounds(6, once("sshd: invalid user").severe(1), once("sshd: failed password").severe(2)),
			[]step{once("sshd: accepted password").severe(3), times(2, "sudo: command as root").severe(3), once("auditd: user added").severe(3)},
		)},
	{name: "web shell", attack: true, roles: []role{web}, perDay: 0.4, hours: anyTime, pace: 3 * time.Second, user: "www-data",
		steps: slices.Concat(
			[]step{times(2, "Suricata: ET POLICY curl user agent").severe(1)},
			rounds(4, once("Suricata: ET WEB_SERVER path traversal attempt").severe(2), once("nginx: server error").severe(2)),
			[]step{once("FIM: file added in web root").severe(3), some("nginx: POST to a new script", 4, 6).severe(3),
				once("auditd: crontab changed").severe(3)},
		)},
	{name: "phishing", attack: true, roles: []role{desktop}, perDay: 0.3, hours: office, pace: 6 * time.Second, steps: slices.Concat(
		[]step{once("Mail: link clicked").severe(1), times(2, "Suricata: ET INFO DNS query to .biz TLD").severe(1),
			once("Sysmon: 1 Office started a shell").severe(3), once("Windows: 4688 PowerShell started").severe(3)},
		rounds(4, once("Sysmon: 11 file created").severe(2), once("Suricata: ET MALWARE beacon").severe(3)),
		[]step{once("Windows: 4698 scheduled task created").severe(3)},
	)},
	{name: "password spraying", attack: true, roles: windows, perDay: 0.18, hours: anyTime, pace: 4 * time.Second, user: "administrator",
		steps: slices.Concat(
			[]step{times(3, "Suricata: ET SCAN Nmap probe").severe(1)},
			rounds(6, once("Windows: 4625 logon failure").severe(2), once("Windows: 4769 Kerberos ticket").severe(2)),
			[]step{once("Windows: 4624 logon").severe(3), once("Windows: 4672 special privileges").severe(3),
				some("Sysmon: 10 process memory read", 3, 4).severe(3), once("Windows: 4720 user created").severe(3)},
		)},
	{name: novelAttack, attack: true, novel: true, roles: []role{desktop, file}, perDay: 0.2, hours: anyTime, pace: time.Second,
		steps: slices.Concat(
			[]step{once("Windows: 4688 PowerShell started").severe(3), times(2, "Windows: shadow copies deleted").severe(3)},
			rounds(8, once("Windows: 5145 share accessed").severe(2), once("Sysmon: 11 file created").severe(3)),
			[]step{some("FIM: files renamed in bulk", 4, 6).severe(3)},
		)},
}

// noises are alerts that happen at any time and mean nothing.
var noises = []string{"NTP: clock adjusted", "Agent: queue flooded", "Suricata: ET INFO DNS query to .biz TLD",
	"Suricata: ET POLICY curl user agent", "Disk: space low"}
