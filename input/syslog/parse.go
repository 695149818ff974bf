package syslog

import (
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/redpanda-data/benthos/v4/public/bloblang"

	"connect-deepcase/internal/field"
	"connect-deepcase/internal/logline"
)

const (
	paramZone    = "zone"
	paramYear    = "year"
	paramPattern = "pattern"

	yearDescription = "The year of times that have none. If it is empty: the latest year in which the time is not more than a day in the future."
)

// sinceEpoch is the time since 1970 in seconds, milliseconds, microseconds or nanoseconds.
var sinceEpoch = regexp.MustCompile(`^[0-9]{10,19}(?:\.[0-9]+)?$`)

func init() {
	bloblang.MustRegisterMethodV2("parse_deepcase_syslog", parseSpec(), func(args *bloblang.ParsedParams) (bloblang.Method, error) {
		return newParse(args, time.Now)
	})
	bloblang.MustRegisterMethodV2("deepcase_time", timeSpec(), func(args *bloblang.ParsedParams) (bloblang.Method, error) {
		return newTime(args, time.Now)
	})
}

// newTime makes the method deepcase_time.
func newTime(args *bloblang.ParsedParams, now func() time.Time) (bloblang.Method, error) {
	zone, err := zoneParam(args)
	if err != nil {
		return nil, err
	}
	year, err := yearParam(args)
	if err != nil {
		return nil, err
	}
	pattern, err := args.GetString(paramPattern)
	if err != nil {
		return nil, err
	}
	return bloblang.StringMethod(func(text string) (any, error) {
		o := logline.Options{Year: year, Zone: zone, Now: now()}
		switch {
		case pattern != "":
			return logline.TimeAs(text, pattern, o)
		case sinceEpoch.MatchString(text):
			if at, err := (field.TimeFormat{}).Parse(text); err == nil {
				return at.Format(time.RFC3339Nano), nil
			}
			return text, nil
		}
		return logline.Time(text, o)
	}), nil
}

func zoneParam(args *bloblang.ParsedParams) (*time.Location, error) {
	name, err := args.GetString(paramZone)
	if err != nil {
		return nil, err
	}
	return logline.Zone(name)
}

// yearParam is 0 if the year is not given.
func yearParam(args *bloblang.ParsedParams) (int, error) {
	text, err := args.GetString(paramYear)
	if err != nil || text == "" {
		return 0, err
	}
	year, err := strconv.Atoi(text)
	if err != nil || year < 1970 || year > 2262 {
		return 0, fmt.Errorf("year (LOG_YEAR in the examples): %q, need a year from 1970 to 2262, or nothing", text)
	}
	return year, nil
}

func timeSpec() *bloblang.PluginSpec {
	return bloblang.NewPluginSpec().
		Category("Parsing").
		Description("Adds a zone to a time that is like RFC 3339 (`2024-07-01 10:00:00`) or RFC 3164 (`Jul  1 2024 10:00:00`) but has none, and a year if that is missing too. The time since 1970, in seconds, milliseconds, microseconds or nanoseconds, becomes RFC 3339. Any other text stays as it is, unless a pattern says how times are written: then it is an error.").
		Param(bloblang.NewStringParam(paramZone).Description("An offset such as `+01:00`, or a name such as `Europe/Berlin`, which includes daylight saving time. If it is empty: UTC.").Default("")).
		Param(bloblang.NewStringParam(paramYear).Description(yearDescription).Default("")).
		Param(bloblang.NewStringParam(paramPattern).Description("How times are written, as a pattern of Java's SimpleDateFormat, which LEEF calls devTimeFormat: `MM/dd/yy-HH:mm:ss.SSS`.").Default("")).
		Example("", `root.at = this.EventTime.deepcase_time(zone: "Europe/Berlin")`,
			[2]string{`{"EventTime":"2024-07-01 10:00:00"}`, `{"at":"2024-07-01T10:00:00+02:00"}`}).
		Example("", `root.at = this.time.deepcase_time(pattern: "MM/dd/yy-HH:mm:ss.SSSSSS")`,
			[2]string{`{"time":"07/01/24-10:00:00.000123"}`, `{"at":"2024-07-01T10:00:00.000123Z"}`})
}

func parseSpec() *bloblang.PluginSpec {
	return bloblang.NewPluginSpec().
		Category("Parsing").
		Description("Parses a syslog message or a line of a log file: RFC 5424, RFC 3164, and the variants of BusyBox, AIX, Solaris, FreeBSD, OpenWrt, and Cisco IOS, NX-OS, ASA and FTD. The result has the fields `time` (RFC 3339), `host`, `program`, `pid`, `code` (Cisco's mnemonic, such as `%SYS-5-CONFIG_I`) and `message`. What the line does not say is `null`: a host is never guessed, and `-` is none. A line without a time, or with one that does not exist, is an error.\n\nThree more fields say what happened. `event` is a name without users, addresses and numbers, such as `sshd: failed password for root`, or the mnemonic of Cisco. It is `null` if no rule covers the line: there are rules for sshd, PAM, sudo, su, cron, systemd-logind, and the programs that change accounts. `other` is a name for all lines of the program that no rule covers, such as `sshd: other`. `scope` is the short name of the program: `sshd` for `/usr/sbin/sshd` and `sshd-session`.").
		Param(bloblang.NewStringParam(paramZone).
			Description("The zone of times that have none: an offset such as `+01:00`, or a name such as `Europe/Berlin`, which includes daylight saving time. If it is empty: UTC.").
			Default("")).
		Param(bloblang.NewStringParam(paramYear).
			Description(yearDescription).
			Default("")).
		Example("", `root = content().string().parse_deepcase_syslog(zone: "Europe/Berlin", year: "2026")`,
			[2]string{"<38>Jul  7 10:00:00 web-1 sshd[12]: Connection closed", `{"code":null,"event":null,"host":"web-1","message":"Connection closed","other":"sshd: other","pid":"12","program":"sshd","scope":"sshd","time":"2026-07-07T10:00:00+02:00"}`})
}

func newParse(args *bloblang.ParsedParams, now func() time.Time) (bloblang.Method, error) {
	zone, err := zoneParam(args)
	if err != nil {
		return nil, err
	}
	year, err := yearParam(args)
	if err != nil {
		return nil, err
	}
	return bloblang.StringMethod(func(text string) (any, error) {
		line, err := logline.Parse(text, logline.Options{Year: year, Zone: zone, Now: now()})
		if err != nil {
			return nil, err
		}
		fields := map[string]any{"message": line.Message}
		event := line.Event()
		for name, value := range map[string]string{"time": line.Time, "host": line.Host, "program": line.Program, "pid": line.PID, "code": line.Code,
			"event": event.Name, "other": event.Other, "scope": event.Scope} {
			fields[name] = nil
			if value != "" {
				fields[name] = value
			}
		}
		return fields, nil
	}), nil
}
