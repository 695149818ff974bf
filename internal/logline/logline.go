// Package logline reads the header of a syslog message or of a line in a log file: RFC 5424, RFC 3164, and the variants of many devices.
package logline

import (
	"errors"
	"net/netip"
	"regexp"
	"strings"
	"time"
)

// Line has the parts of a line. Parts that the line does not have are empty.
type Line struct {
	Time    string // RFC 3339
	Host    string // never a placeholder or a program
	Program string // without its process id
	PID     string
	Code    string // what happened, as Cisco's devices say it: "%SEC-6-IPACCESSLOGRP"
	Message string
}

// Options supply what times in the format of RFC 3164 lack.
type Options struct {
	Year int            // 0: the latest in which a time is not after Now, with a day's grace for clocks and zones
	Zone *time.Location // not nil
	Now  time.Time
}

var (
	prefix = regexp.MustCompile(`^(?:[1-9][0-9]* )?<[0-9]{1,3}>`)
	rfc    = regexp.MustCompile(`^1 (\S+) (\S+) (\S+) (\S+) \S+ (?:-|(?:\[(?:[^\]"]|"(?:[^"\\]|\\.)*")*\])+)(?: (?:\x{FEFF})?((?s:.*)))?$`)

	// code is the mnemonic of Cisco's IOS, NX-OS, ASA and FTD.
	code = regexp.MustCompile(`^(%[A-Z][A-Z0-9_]*(?:-[A-Za-z0-9_]+)*?-[0-7]-[A-Z0-9_]+)(?: ?:| |$) *((?s:.*))$`)
	// counter is the number that some devices put before a message.
	counter = regexp.MustCompile(`^[0-9]+:?$`)
	// uptime is the time since the start of a device, which is no time of day: 00:00:46, 1w0d.
	uptime = regexp.MustCompile(`^(?:[0-9]+:[0-9]{2}:[0-9]{2}|(?:[0-9]+[ywdhms])+):?$`)
	// virtual is the virtual device or the routing instance that NX-OS names: %$VDC-1%$.
	virtual = regexp.MustCompile(`%\$[^%$]*%\$`)
	// location is the card of IOS XR on which the process after the time runs.
	location = regexp.MustCompile(`(?:^|\s)[A-Z0-9]+/[0-9]+/[A-Z0-9]+(?:/[A-Z0-9]+)?:`)
	process  = regexp.MustCompile(`^[A-Za-z0-9_.-]+\[[0-9]+\]:?$`)
	// level is facility and severity: OpenWrt's "auth.info", AIX's "auth|security:info", FreeBSD's "<auth.info>", ESXi's "info".
	level = regexp.MustCompile(`^<?(?:(?:kern|user|mail|daemon|auth|authpriv|auth\|security|security|syslog|lpr|news|uucp|cron|ftp|ntp|audit|console|local[0-7])[.:])?` +
		`(?:emerg|panic|alert|crit|err|error|warn|warning|notice|info|debug|verbose)>?$`)
	// forwarded is the text that AIX puts before a message of another host.
	forwarded = regexp.MustCompile(`^(?:From|Message forwarded from) (\S+): `)
	// tag is the name of a program at the start of its message.
	tag = regexp.MustCompile(`^([^\s:\[]+)(?:\[([^\]\s]*)\]:?|:) *((?s:.*))$`)
	// solaris is the number of a message on Solaris.
	solaris = regexp.MustCompile(`^\[ID [0-9]+ [a-z0-9]+\.[a-z]+\] `)
)

var errNoTime = errors.New("no syslog header: need a time after the priority, such as <38>Nov 23 10:00:00 or 2026-11-23T10:00:00Z")

// Parse parses a line. The error says what is wrong with it.
func Parse(text string, o Options) (line Line, err error) {
	text = strings.TrimRight(text, "\r\n\x00")
	rest := text
	if priority := prefix.FindString(rest); priority != "" {
		rest = rest[len(priority):]
		if m := rfc.FindStringSubmatch(rest); m != nil {
			line = Line{Host: m[2], Program: m[3], PID: m[4], Message: m[5]}
			line.clean()
			if m := code.FindStringSubmatch(line.Message); m != nil && line.Program == "" {
				line.Code, line.Message = m[1], m[2]
			}
			if m[1] != "-" {
				line.Time, err = iso(m[1], o)
			}
			return line, err
		}
	}
	const deepest = 120 // bytes of a header before the mnemonic
	for at, b := range []byte(rest[:min(len(rest), deepest)]) {
		if b != '%' {
			continue
		}
		m := code.FindStringSubmatch(rest[at:])
		if m == nil {
			continue
		}
		if line, ok, err := device(rest[:at], o); ok {
			line.Code, line.Message = m[1], m[2]
			return line, err
		}
	}
	at, rest, err := timestamp(rest, o)
	if err != nil {
		return line, err
	}
	line.Time = at
	line.read(strings.TrimLeft(rest, " "))
	line.clean()
	return line, nil
}

// read parses what comes after the time.
func (l *Line) read(rest string) {
	rest = skipLevel(rest)
	if m := forwarded.FindStringSubmatch(rest); m != nil {
		l.Host, rest = m[1], rest[len(m[0]):]
	} else if host, after, found := strings.Cut(rest, " "); found && isHost(host) {
		l.Host, rest = host, strings.TrimLeft(after, " ")
		if m := forwarded.FindStringSubmatch(rest); m != nil { // the host before it is the relay
			l.Host, rest = m[1], rest[len(m[0]):]
		}
	}
	rest = skipLevel(rest)
	l.Message = rest
	if m := tag.FindStringSubmatch(rest); m != nil && !counter.MatchString(m[1]) {
		l.Program, l.PID, l.Message = m[1], m[2], solaris.ReplaceAllString(m[3], "")
	}
}

// skipLevel skips facility and severity, which some log files have before host or program.
func skipLevel(rest string) string {
	if word, after, found := strings.Cut(rest, " "); found && level.MatchString(word) {
		return strings.TrimLeft(after, " ")
	}
	return rest
}

// isHost reports whether the first word after the time is a host. In a line without a host it is the program.
func isHost(word string) bool {
	if _, err := netip.ParseAddr(word); err == nil {
		return true
	}
	switch word {
	case "From", "Message", "last": // AIX and the "last message repeated" of BSD, where they are not complete
		return false
	}
	return !strings.ContainsAny(word, "[]()=,;\"'") && !strings.HasSuffix(word, ":")
}

// device reads the parts of a header before Cisco's mnemonic, in any order: time of the relay, host, counter, time of the device. ok is false if
// there is anything else: then this is not such a header.
func device(header string, o Options) (line Line, ok bool, err error) {
	header = virtual.ReplaceAllString(header, "")
	card := location.FindString(header)
	header = strings.Replace(header, card, " ", 1) // if there is one: a space in front changes nothing
	counted := false
	for rest := strings.TrimLeft(header, ": "); rest != ""; rest = strings.TrimLeft(rest, ": ") {
		at, after, err := timestamp(rest, o)
		switch {
		case err == nil:
			if line.Time == "" {
				line.Time = at
			}
			rest = after
			continue
		case !errors.Is(err, errNoTime):
			return line, true, err
		}
		word, after, _ := strings.Cut(rest, " ")
		rest = after
		switch host := strings.TrimSuffix(word, ":"); {
		case counter.MatchString(word):
			counted = true
		case level.MatchString(word), uptime.MatchString(word):
		case card != "" && process.MatchString(word):
		case strings.HasPrefix(word, "*") && strings.HasSuffix(word, ":"): // a task of a wireless controller
		case line.Host == "" && isHost(host):
			line.Host = host
		case counted && isHost(host) && startsWithTime(after, o): // what the device calls itself (origin-id). The host before it is as a relay sees it
			line.Host, counted = host, false
		default:
			return Line{}, false, nil
		}
	}
	line.clean()
	return line, true, nil
}

func startsWithTime(text string, o Options) bool {
	_, _, err := timestamp(strings.TrimLeft(text, ": "), o)
	return err == nil
}

// clean turns placeholders into empty texts.
func (l *Line) clean() {
	for _, field := range []*string{&l.Host, &l.Program, &l.PID} {
		switch strings.ToLower(*field) {
		case "-", "--", "null", "nil", "none", "(none)", "unknown", "n/a":
			*field = ""
		}
	}
}
