package logline

import (
	"regexp"
	"slices"
	"strings"
)

// Event is what a line says has happened, without users, addresses, ports and numbers.
type Event struct {
	// Name is the program and what happened, such as "sshd: failed password for root", or the code of a Cisco device. It is empty if the rules
	// of this package do not cover the line.
	Name string
	// Other is the name that lines have which the rules do not cover, such as "sshd: other". It is empty if the line names no program.
	Other string
	// Scope is the program by its short name: "sshd" for /usr/sbin/sshd and for the sshd-session of OpenSSH 9.8.
	Scope string
}

var (
	// rsyslog folds equal lines into one, which is of the same kind.
	repeated = regexp.MustCompile(`^message repeated [0-9]+ times: \[ (.*)\]$`)
	// polkitd(authority=local)
	inParentheses = regexp.MustCompile(`(.)\(.*\)$`)
	ofSSHD        = regexp.MustCompile(`^sshd-.*`)

	ofPAM     = regexp.MustCompile(`^pam_[a-z0-9_]+\(`)
	ofAccount = regexp.MustCompile(`^(user|group)(add|mod|del)$|^(g|ch)?passwd$|^chage$`)
)

// Event names what a line says. The names are those of models that exist: they must not change.
func (l Line) Event() Event {
	text := repeated.ReplaceAllString(l.Message, "$1")
	e := Event{Scope: shortName(l.Program)}
	if e.Scope != "" {
		what := kind(e.Scope, text)
		if e.Other = e.Scope + ": other"; what == inPAM(other) {
			e.Other = e.Scope + ": " + what
		} else if what != other {
			e.Name = e.Scope + ": " + what
		}
	} else if strings.HasPrefix(text, "last message repeated ") {
		e.Name = "last message repeated"
	}
	if l.Code != "" {
		e.Name = l.Code
	}
	return e
}

func shortName(program string) string {
	program = strings.ToLower(program[strings.LastIndexByte(program, '/')+1:])
	return ofSSHD.ReplaceAllString(inParentheses.ReplaceAllString(program, "$1"), "sshd")
}

// other is what lines say that no rule covers.
const other = "other"

func inPAM(what string) string { return "PAM " + what }

// rule gives what to a text that it covers.
type rule struct {
	covers func(text string) bool
	what   string
	// ofRoot is added to what if the text is about root. Only root is worth telling apart: there are too many other users.
	ofRoot string
}

func kind(program, text string) string {
	switch {
	case ofPAM.MatchString(text):
		return inPAM(first(pamRules, text))
	case strings.HasPrefix(program, "sshd"):
		return sshd(text)
	case program == "sudo":
		return first(sudoRules, text)
	case program == "su":
		return first(suRules, strings.ToLower(text))
	case slices.Contains([]string{"cron", "crond", "crontab"}, program):
		return first(cronRules, text)
	case program == "systemd-logind":
		return first(logindRules, text)
	case ofAccount.MatchString(program):
		return first(accountRules, text)
	}
	return other
}

// first is what the first rule that covers a text says.
func first(rules []rule, text string) string {
	for _, r := range rules {
		if r.covers(text) {
			if r.ofRoot != "" && aboutRoot.MatchString(text) {
				return r.what + r.ofRoot
			}
			return r.what
		}
	}
	return other
}

var aboutRoot = regexp.MustCompile(`\b(for|to|user)[ =]root\b`)

const forRoot = " for root"

func starts(prefixes ...string) func(string) bool {
	return func(text string) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(text, prefix) })
	}
}

// has covers texts that have one of the parts.
func has(parts ...string) func(string) bool {
	return func(text string) bool {
		return slices.ContainsFunc(parts, func(part string) bool { return strings.Contains(text, part) })
	}
}

func is(pattern string) func(string) bool { return regexp.MustCompile(pattern).MatchString }

func both(a, b func(string) bool) func(string) bool {
	return func(text string) bool { return a(text) && b(text) }
}

func either(a, b func(string) bool) func(string) bool {
	return func(text string) bool { return a(text) || b(text) }
}
