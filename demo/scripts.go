package demo

import "time"

// script is what happens on a machine, one alert after the other: a routine, or an attack.
type script struct {
	name   string
	roles  []role
	perDay float64       // how often on each machine
	hours  int           // the hour of a job, or anyTime, or office
	pace   time.Duration // from alert to alert, about
	user   string        // "" is the machine's own
	attack bool
	novel  bool // only after Split
	steps  []step
}

const (
	anyTime = -1
	office  = -2
)

// step is an alert that comes least to most times.
type step struct {
	event       string
	least, most int
	severity    int     // 0 is benign
	chance      float64 // that the step comes at all; 0 is always
}

func once(event string) step             { return step{event: event, least: 1, most: 1} }
func some(event string, n, m int) step   { return step{event: event, least: n, most: m} }
func maybe(event string, p float64) step { return step{event: event, least: 1, most: 1, chance: p} }
func (s step) severe(n int) step         { s.severity = n; return s }

// NovelAttack is the kind of attack that comes only after Options.Split.
const NovelAttack = "ransomware"

var linux, windows = []role{web, db, mail, gateway}, []role{desktop, file, dc}

// scripts are all routines and attacks. Each attack has alerts of a routine that looks alike at first sight.
var scripts = []*script{
	// Routines of Linux machines.
	{name: "health check", roles: linux, perDay: 8, hours: anyTime, pace: 20 * time.Second, user: "monitor", steps: []step{
		once("sshd: accepted publickey"), once("PAM: session opened"), some("sudo: command as root", 2, 2), once("PAM: session closed"),
	}},
	{name: "backup with an expired password", roles: linux, perDay: 1, hours: 1, pace: 5 * time.Second, user: "backup", steps: []step{
		once("cron: job started"), some("sshd: failed password", 6, 9), once("sshd: accepted publickey"), once("backup: job finished"), once("cron: job finished"),
	}},
	{name: "log rotation", roles: linux, perDay: 4, hours: anyTime, pace: 3 * time.Second, user: "root", steps: []step{
		once("cron: job started"), some("FIM: file changed", 3, 4), once("systemd: service restarted"), once("cron: job finished"),
	}},
	{name: "package upgrade", roles: linux, perDay: 0.5, hours: 4, pace: 15 * time.Second, user: "root", steps: []step{
		once("apt: upgrade started"), some("FIM: file changed", 4, 6), some("systemd: service restarted", 2, 3), once("apt: upgrade finished"),
	}},
	{name: "administrator", roles: linux, perDay: 1.5, hours: office, pace: 40 * time.Second, steps: []step{
		some("sshd: failed password", 1, 1), once("sshd: accepted password"), once("PAM: session opened"), some("sudo: command as root", 3, 4), once("PAM: session closed"),
	}},
	{name: "vulnerability scan", roles: []role{web, mail, gateway}, perDay: 1, hours: 3, pace: 2 * time.Second, user: "scanner", steps: []step{
		once("Scanner: scheduled scan started"), some("Suricata: ET SCAN Nmap probe", 5, 6), some("Suricata: ET SCAN SSH scan", 2, 3),
		some("Suricata: ET WEB_SERVER SQL injection attempt", 4, 5), some("Suricata: ET WEB_SERVER path traversal attempt", 3, 4), once("Scanner: scheduled scan finished"),
	}},
	{name: "release", roles: []role{web}, perDay: 1.5, hours: office, pace: 10 * time.Second, user: "deploy", steps: []step{
		once("Deploy: release started"), some("FIM: file added in web root", 3, 4), some("nginx: server error", 2, 3), once("systemd: service restarted"), once("Deploy: release finished"),
	}},
	{name: "crawler", roles: []role{web}, perDay: 6, hours: anyTime, pace: 2 * time.Second, user: "-", steps: []step{
		some("nginx: many not found", 3, 5), once("nginx: rate limit reached"),
	}},
	{name: "database night", roles: []role{db}, perDay: 1, hours: 2, pace: 30 * time.Second, user: "postgres", steps: []step{
		once("cron: job started"), some("PostgreSQL: slow query", 4, 6), once("PostgreSQL: dump finished"), once("cron: job finished"),
	}},
	{name: "application reconnects", roles: []role{db}, perDay: 8, hours: anyTime, pace: 2 * time.Second, user: "app", steps: []step{
		some("PostgreSQL: login failed", 2, 3), once("PostgreSQL: connection accepted"), some("PostgreSQL: slow query", 1, 2),
	}},
	{name: "spam wave", roles: []role{mail}, perDay: 14, hours: anyTime, pace: 2 * time.Second, user: "-", steps: []step{
		some("Mail: spam rejected", 5, 8), once("Mail: sender put on list"), maybe("Mail: queue delayed", 0.2),
	}},
	{name: "VPN user", roles: []role{gateway}, perDay: 20, hours: office, pace: 3 * time.Minute, steps: []step{
		once("Firewall: VPN login"), once("Firewall: policy matched"), once("Firewall: VPN logout"),
	}},
	{name: "internet noise", roles: []role{gateway}, perDay: 16, hours: anyTime, pace: time.Second, user: "-", steps: []step{
		some("Firewall: connection denied", 6, 9), once("Firewall: source blocked"),
	}},

	// Routines of Windows machines.
	{name: "work", roles: []role{desktop}, perDay: 5, hours: office, pace: 30 * time.Second, steps: []step{
		once("Windows: 4624 logon"), once("Windows: 4769 Kerberos ticket"), some("Sysmon: 3 network connection", 3, 4), once("Windows: 4634 logoff"),
	}},
	{name: "forgotten password", roles: windows, perDay: 0.7, hours: office, pace: 10 * time.Second, steps: []step{
		some("Windows: 4625 logon failure", 5, 5), once("Windows: 4740 account locked out"), once("Helpdesk: password reset"), once("Windows: 4767 account unlocked"), once("Windows: 4624 logon"),
	}},
	{name: "software deployment", roles: windows, perDay: 1, hours: 22, pace: 8 * time.Second, user: "SYSTEM", steps: []step{
		once("SCCM: deployment started"), once("Windows: 4688 PowerShell started"), some("Sysmon: 11 file created", 4, 6), once("Windows: 4697 service installed"), once("SCCM: deployment finished"),
	}},
	{name: "virus scan", roles: windows, perDay: 2, hours: 12, pace: time.Minute, user: "SYSTEM", steps: []step{
		once("Defender: scan started"), some("Sysmon: 10 process memory read", 3, 4), once("Defender: scan finished"),
	}},
	{name: "group policy", roles: windows, perDay: 6, hours: anyTime, pace: 4 * time.Second, user: "SYSTEM", steps: []step{
		once("Windows: 4769 Kerberos ticket"), once("GPO: policy applied"), once("Windows: 4698 scheduled task created"),
	}},
	{name: "office macro", roles: []role{desktop}, perDay: 1, hours: office, pace: 5 * time.Second, steps: []step{
		once("Office: signed macro allowed"), once("Sysmon: 1 Office started a shell"), some("Sysmon: 11 file created", 2, 3),
	}},
	{name: "file share", roles: []role{file}, perDay: 12, hours: office, pace: 3 * time.Second, steps: []step{
		once("Windows: 4624 logon"), some("Windows: 5145 share accessed", 4, 6), once("Windows: 4634 logoff"),
	}},
	{name: "replication", roles: []role{dc}, perDay: 12, hours: anyTime, pace: 2 * time.Second, user: "SYSTEM", steps: []step{
		once("Windows: 4672 special privileges"), some("Windows: 4662 directory read", 3, 5), once("Windows: 4634 logoff"),
	}},
	{name: "new colleague", roles: []role{dc}, perDay: 1, hours: office, pace: 30 * time.Second, user: "helpdesk", steps: []step{
		once("Helpdesk: ticket approved"), once("Windows: 4720 user created"), some("Windows: 4728 added to group", 2, 3),
	}},

	// Attacks.
	{name: "ssh brute force", attack: true, roles: linux, perDay: 0.13, hours: anyTime, pace: 2 * time.Second, user: "root", steps: []step{
		some("Suricata: ET SCAN SSH scan", 3, 4).severe(1), some("sshd: invalid user", 4, 6).severe(1), some("sshd: failed password", 8, 12).severe(2),
		once("sshd: accepted password").severe(3), some("sudo: command as root", 2, 2).severe(3), once("auditd: user added").severe(3),
	}},
	{name: "web shell", attack: true, roles: []role{web}, perDay: 0.25, hours: anyTime, pace: 3 * time.Second, user: "www-data", steps: []step{
		some("Suricata: ET POLICY curl user agent", 2, 2).severe(1), some("Suricata: ET WEB_SERVER path traversal attempt", 4, 6).severe(2),
		some("nginx: server error", 3, 4).severe(2), once("FIM: file added in web root").severe(3), some("nginx: POST to a new script", 4, 6).severe(3),
		once("auditd: crontab changed").severe(3),
	}},
	{name: "phishing", attack: true, roles: []role{desktop}, perDay: 0.15, hours: office, pace: 6 * time.Second, steps: []step{
		once("Mail: link clicked").severe(1), some("Suricata: ET INFO DNS query to .biz TLD", 2, 2).severe(1), once("Sysmon: 1 Office started a shell").severe(3),
		once("Windows: 4688 PowerShell started").severe(3), some("Sysmon: 11 file created", 2, 3).severe(2), some("Suricata: ET MALWARE beacon", 5, 8).severe(3),
		once("Windows: 4698 scheduled task created").severe(3),
	}},
	{name: "password spraying", attack: true, roles: windows, perDay: 0.12, hours: anyTime, pace: 4 * time.Second, user: "administrator", steps: []step{
		some("Suricata: ET SCAN Nmap probe", 3, 4).severe(1), some("Windows: 4625 logon failure", 9, 14).severe(2), once("Windows: 4624 logon").severe(3),
		once("Windows: 4672 special privileges").severe(3), some("Sysmon: 10 process memory read", 3, 4).severe(3), once("Windows: 4720 user created").severe(3),
	}},
	{name: NovelAttack, attack: true, novel: true, roles: []role{desktop, file}, perDay: 0.12, hours: anyTime, pace: time.Second, steps: []step{
		once("Windows: 4624 logon").severe(2), once("Windows: 4688 PowerShell started").severe(3), some("Windows: shadow copies deleted", 2, 2).severe(3),
		some("Windows: 5145 share accessed", 6, 9).severe(3), some("Sysmon: 11 file created", 8, 12).severe(3), some("FIM: files renamed in bulk", 4, 6).severe(3),
	}},
}

// noises are alerts that come at any time and mean nothing.
var noises = []string{"NTP: clock adjusted", "Agent: queue flooded", "Suricata: ET INFO DNS query to .biz TLD", "Suricata: ET POLICY curl user agent", "Disk: space low"}
