// Package auditrecord reads the records of Linux' audit daemon, as auditd writes them to audit.log and sends them to other programs.
package auditrecord

import (
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"connect-deepcase/internal/excerpt"
)

// Record is one line. Several records with one node, time and serial belong to one event.
type Record struct {
	Before string // what comes before it, such as a syslog header, with its spaces
	Node   string
	Type   string
	Time   string // in Unix seconds, with milliseconds
	Serial string
	// Fields has the values of each key, without quotes, those that the kernel writes in hexadecimal digits as text. Fields of a quoted msg are
	// beside the others. A key may come again with another value: then both are here. ENRICHED adds keys in capitals: UID="root".
	Fields map[string][]string
	// Text is what comes before the first field, such as "avc:  denied  { read } for".
	Text string
}

var (
	head        = regexp.MustCompile(`(?:^|[\s:>\]\x{FEFF}])((?:node=(\S+) )?type=(\S+) msg=audit\(([0-9]+\.[0-9]{1,9}):([0-9]+)\):)`)
	start       = regexp.MustCompile(`(?:^|[\s,({])([A-Za-z][A-Za-z0-9_-]*)=`)
	argument    = regexp.MustCompile(`^a[0-9]+$`)
	hexadecimal = regexp.MustCompile(`^(?:[0-9A-F]{2})+$`)
)

// enriched is between the record and what log_format = ENRICHED adds. Relays of syslog write it as #035 (rsyslog).
const enriched, escapedEnriched = "\x1d", "#035"

// encoded are the fields that hold what users can choose. If it has a space, a quote or a control character, it is written in hexadecimal digits
// and without quotes.
var encoded = map[string]bool{
	"acct": true, "cmd": true, "comm": true, "cwd": true, "data": true, "dir": true, "exe": true, "file": true, "grp": true, "key": true, "name": true,
	"new_group": true, "ocomm": true, "old-dir": true, "path": true, "proctitle": true, "root_dir": true, "vm": true, "watch": true,
}

// Parse parses a line. The error says what is wrong with it.
func Parse(line string) (Record, error) {
	at := head.FindStringSubmatchIndex(line)
	if at == nil {
		return Record{}, fmt.Errorf("no record of auditd: want type=TYPE msg=audit(SECONDS.MILLISECONDS:SERIAL): key=value …, with node=NAME or a syslog header before it; have %s", excerpt.Quote(line))
	}
	group := func(n int) string {
		if at[2*n] < 0 {
			return ""
		}
		return line[at[2*n]:at[2*n+1]]
	}
	r := Record{Before: strings.TrimPrefix(line[:at[2]], "\uFEFF"), Node: group(2), Type: group(3), Time: group(4), Serial: group(5), Fields: map[string][]string{}}
	body := strings.TrimRight(line[at[3]:], "\r\n\x00 ")
	body, more, found := strings.Cut(body, enriched)
	if !found {
		body, more, _ = strings.Cut(body, escapedEnriched)
	}
	r.read(body, true)
	r.read(more, false)
	return r, nil
}

// read reads the fields of a text. What is between them is left out.
func (r *Record) read(text string, first bool) {
	if first {
		r.Text = strings.TrimSpace(text)
		if at := start.FindStringIndex(text); at != nil {
			r.Text = strings.TrimSpace(text[:at[0]])
		}
	}
	for {
		at := start.FindStringSubmatchIndex(text)
		if at == nil {
			return
		}
		name, rest := text[at[2]:at[3]], text[at[1]:]
		var value string
		quoted := false
		switch {
		case strings.HasPrefix(rest, `"`) && strings.Contains(rest[1:], `"`):
			value, text, _ = strings.Cut(rest[1:], `"`)
			quoted = true
		case strings.HasPrefix(rest, "'"):
			end := strings.LastIndex(rest, "'") // its text may hold quotes
			if end == 0 {
				end = len(rest)
			}
			value, text = rest[1:max(end, 1)], rest[min(end+1, len(rest)):]
			if name == "msg" {
				r.read(value, false)
				continue
			}
			quoted = true
		default:
			end := strings.IndexAny(rest, " \t,")
			if end < 0 {
				end = len(rest)
			}
			value, text = rest[:end], rest[end:]
			if !strings.Contains(value, "(") { // older versions put fields into brackets
				value = strings.TrimSuffix(value, ")")
			}
		}
		if !quoted && (encoded[name] || r.Type == "EXECVE" && argument.MatchString(name)) {
			value = decode(value)
		}
		if !slices.Contains(r.Fields[name], value) {
			r.Fields[name] = append(r.Fields[name], value)
		}
	}
}

// decode decodes hexadecimal digits, if they are text. Words in it that ended with a zero byte (the arguments of proctitle) get spaces between
// them, and keys of several rules (separated by a byte 1) commas.
func decode(value string) string {
	if !hexadecimal.MatchString(value) {
		return value
	}
	text, err := hex.DecodeString(value)
	if err != nil || !utf8.Valid(text) {
		return value
	}
	return strings.NewReplacer("\x00", " ", "\x01", ", ").Replace(strings.TrimRight(string(text), "\x00"))
}
