package logline

import (
	"bufio"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var (
	now    = time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	utc    = Options{Year: 2026, Zone: time.UTC, Now: now}
	berlin = func() Options { z, _ := Zone("Europe/Berlin"); return Options{Zone: z, Now: now} }()
)

func TestHeaders(t *testing.T) {
	for text, want := range map[string]Line{
		// RFC 3164, RFC 5424, log files
		"<38>Nov 23 10:00:00 web-1 sshd[12]: Failed password":           {Time: "2026-11-23T10:00:00Z", Host: "web-1", Program: "sshd", PID: "12", Message: "Failed password"},
		"97 <38>Nov 23 10:00:00 web-1 su: x":                            {Time: "2026-11-23T10:00:00Z", Host: "web-1", Program: "su", Message: "x"},
		"Nov 23 10:00:00 web-1 sudo:   bob : TTY=pts/0":                 {Time: "2026-11-23T10:00:00Z", Host: "web-1", Program: "sudo", Message: "bob : TTY=pts/0"},
		"Jul  7 10:00:00 web-1 su: x":                                   {Time: "2026-07-07T10:00:00Z", Host: "web-1", Program: "su", Message: "x"},
		"Jul 7 10:00:00 web-1 su: x":                                    {Time: "2026-07-07T10:00:00Z", Host: "web-1", Program: "su", Message: "x"},
		"Jul 7 10:00:00 2001:db8::7 su: x":                              {Time: "2026-07-07T10:00:00Z", Host: "2001:db8::7", Program: "su", Message: "x"},
		"Jul 7 10:00:00 2001:db8:: su: x":                               {Time: "2026-07-07T10:00:00Z", Host: "2001:db8::", Program: "su", Message: "x"},
		"Jul 7 2016 10:00:00 web-1 su: x":                               {Time: "2016-07-07T10:00:00Z", Host: "web-1", Program: "su", Message: "x"},
		"Aug 24 05:34:00 UTC 1987 mymachine su: x":                      {Time: "1987-08-24T05:34:00Z", Host: "mymachine", Program: "su", Message: "x"},
		"Aug 24 05:34:00 1987 mymachine su: x":                          {Time: "1987-08-24T05:34:00Z", Host: "mymachine", Program: "su", Message: "x"},
		"Aug 24 05:34:00 +0200 mymachine su: x":                         {Time: "2026-08-24T05:34:00+02:00", Host: "mymachine", Program: "su", Message: "x"},
		"Aug 24 05:34:00 DMZ1 su: x":                                    {Time: "2026-08-24T05:34:00Z", Host: "DMZ1", Program: "su", Message: "x"},
		"Aug 24 05:34:00 MAIL su: x":                                    {Time: "2026-08-24T05:34:00Z", Host: "MAIL", Program: "su", Message: "x"},
		"<38>1 2026-11-23T10:00:00.1+01:00 web-1 sshd 12 ID4 - \ufeffx": {Time: "2026-11-23T10:00:00.1+01:00", Host: "web-1", Program: "sshd", PID: "12", Message: "x"},
		`<38>1 - web-1 sshd - - [a b="c\"]"][d] x`:                      {Host: "web-1", Program: "sshd", Message: "x"},
		"<38>1 2026-11-23T10:00:00Z - - - - -":                          {Time: "2026-11-23T10:00:00Z"},
		"2026-11-23 10:00:00,5 web-1 su: x":                             {Time: "2026-11-23T10:00:00.5Z", Host: "web-1", Program: "su", Message: "x"},
		"2026-11-23T10:00:00.5-07:00 web-1 su: x":                       {Time: "2026-11-23T10:00:00.5-07:00", Host: "web-1", Program: "su", Message: "x"},
		// without a host: BusyBox, placeholders
		"<38>Mar 27 13:06:57 sshd[124]: pam_unix(sshd:auth): failure": {Time: "2026-03-27T13:06:57Z", Program: "sshd", PID: "124", Message: "pam_unix(sshd:auth): failure"},
		"<38>Mar 27 13:06:58 sudo: pam_unix(sudo:session): opened":    {Time: "2026-03-27T13:06:58Z", Program: "sudo", Message: "pam_unix(sudo:session): opened"},
		"<14>Mar 27 13:06:58 kernel: sshd[12]: segfault at 0":         {Time: "2026-03-27T13:06:58Z", Program: "kernel", Message: "sshd[12]: segfault at 0"},
		"<142>Jun 26 09:00:01 - sshd[12]: x":                          {Time: "2026-06-26T09:00:01Z", Program: "sshd", PID: "12", Message: "x"},
		"<142>Jun 26 09:00:01 unknown sshd[12]: x":                    {Time: "2026-06-26T09:00:01Z", Program: "sshd", PID: "12", Message: "x"},
		// AIX, Solaris, FreeBSD, OpenWrt
		"<38>Mar 27 13:06:59 From aix-1: sshd[123]: Failed":                         {Time: "2026-03-27T13:06:59Z", Host: "aix-1", Program: "sshd", PID: "123", Message: "Failed"},
		"<38>Mar 27 13:06:59 Message forwarded from aix-1: sshd[123]: Failed":       {Time: "2026-03-27T13:06:59Z", Host: "aix-1", Program: "sshd", PID: "123", Message: "Failed"},
		"<38>Mar 27 13:06:59 relay Message forwarded from aix-1: su: Failed":        {Time: "2026-03-27T13:06:59Z", Host: "aix-1", Program: "su", Message: "Failed"},
		"Mar 27 13:06:59 aix-1 auth|security:info sshd[123]: Failed":                {Time: "2026-03-27T13:06:59Z", Host: "aix-1", Program: "sshd", PID: "123", Message: "Failed"},
		"Mar 27 13:06:59 sun-1 sshd[123]: [ID 800047 auth.info] Accepted publickey": {Time: "2026-03-27T13:06:59Z", Host: "sun-1", Program: "sshd", PID: "123", Message: "Accepted publickey"},
		"Mar 27 13:06:59 <auth.info> bsd-1 sshd[123]: Failed":                       {Time: "2026-03-27T13:06:59Z", Host: "bsd-1", Program: "sshd", PID: "123", Message: "Failed"},
		"Mar 27 13:06:59 OpenWrt daemon.info dnsmasq[1]: x":                         {Time: "2026-03-27T13:06:59Z", Host: "OpenWrt", Program: "dnsmasq", PID: "1", Message: "x"},
		"Wed May  1 10:00:00 2024 auth.info sshd[123]: x":                           {Time: "2024-05-01T10:00:00Z", Program: "sshd", PID: "123", Message: "x"},
		// Cisco
		"Feb  8 04:00:47 rtr-1 585917: Feb  8 04:00:47.272: %SEC-6-IPACCESSLOGRP: list 101":                                    {Time: "2026-02-08T04:00:47Z", Host: "rtr-1", Code: "%SEC-6-IPACCESSLOGRP", Message: "list 101"},
		"Feb  8 04:00:50 rtr-1 585919: *Feb 8 04:00:50.272: %SYS-5-CONFIG_I: Configured":                                       {Time: "2026-02-08T04:00:50Z", Host: "rtr-1", Code: "%SYS-5-CONFIG_I", Message: "Configured"},
		"<189>585919: rtr-1: .Feb 8 04:00:50.272 UTC: %SYS-5-CONFIG_I: Configured":                                             {Time: "2026-02-08T04:00:50.272Z", Host: "rtr-1", Code: "%SYS-5-CONFIG_I", Message: "Configured"},
		"Feb  8 04:00:50 192.0.2.1 585919: rtr-1: .Feb 8 04:00:50.272: %SYS-5-CONFIG_I: Configured":                            {Time: "2026-02-08T04:00:50Z", Host: "rtr-1", Code: "%SYS-5-CONFIG_I", Message: "Configured"},
		"Feb  8 04:00:50 192.0.2.1 46: xr-1 RP/0/RSP0/CPU0:Feb  8 04:00:47.123 UTC: ifmgr[173]: %PKT_INFRA-LINK-3-UPDOWN : up": {Time: "2026-02-08T04:00:50Z", Host: "xr-1", Code: "%PKT_INFRA-LINK-3-UPDOWN", Message: "up"},
		"Nov 23 10:00:00 web-1 12: sshd: %SYS-5-CONFIG_I: x":                                                                   {Time: "2026-11-23T10:00:00Z", Host: "web-1", Message: "12: sshd: %SYS-5-CONFIG_I: x"},
		"<189>585919: Feb 8 04:00:50: %SYS-5-CONFIG_I: Configured":                                                             {Time: "2026-02-08T04:00:50Z", Code: "%SYS-5-CONFIG_I", Message: "Configured"},
		"<189>: 2024 Feb  8 04:00:47 UTC: %ETHPORT-5-IF_UP: up":                                                                {Time: "2024-02-08T04:00:47Z", Code: "%ETHPORT-5-IF_UP", Message: "up"},
		"<189>sw-1: 2024 Feb  8 04:00:47 UTC: %ETHPORT-5-IF_UP: up":                                                            {Time: "2024-02-08T04:00:47Z", Host: "sw-1", Code: "%ETHPORT-5-IF_UP", Message: "up"},
		"Feb  8 04:00:47 rtr-1 12: %SEC_LOGIN-SW1_SP-4-LOGIN_FAILED: Login":                                                    {Time: "2026-02-08T04:00:47Z", Host: "rtr-1", Code: "%SEC_LOGIN-SW1_SP-4-LOGIN_FAILED", Message: "Login"},
		"Sep 14 2016 09:33:47 asa-1 : %ASA-4-106023: Deny icmp":                                                                {Time: "2016-09-14T09:33:47Z", Host: "asa-1", Code: "%ASA-4-106023", Message: "Deny icmp"},
		"Sep 14 2016 10:07:20: %ASA-4-106023: Deny udp":                                                                        {Time: "2016-09-14T10:07:20Z", Code: "%ASA-4-106023", Message: "Deny udp"},
		"<166>Sep 26 09:50:21 192.0.2.1 %ASA-6-302013: Built":                                                                  {Time: "2026-09-26T09:50:21Z", Host: "192.0.2.1", Code: "%ASA-6-302013", Message: "Built"},
		"<166>2018-06-27T12:17:46Z fw-1 : %FTD-6-110002: Failed":                                                               {Time: "2018-06-27T12:17:46Z", Host: "fw-1", Code: "%FTD-6-110002", Message: "Failed"},
		"<166>:Sep 26 09:50:21 UTC: %ASA-session-6-302013: Built":                                                              {Time: "2026-09-26T09:50:21Z", Code: "%ASA-session-6-302013", Message: "Built"},
		"<189>000012: 00:00:46: %LINK-3-UPDOWN: up":                                                                            {Code: "%LINK-3-UPDOWN", Message: "up"},
		"Feb  8 04:00:47 rtr-1 12: 1w0d: %LINK-3-UPDOWN: up":                                                                   {Time: "2026-02-08T04:00:47Z", Host: "rtr-1", Code: "%LINK-3-UPDOWN", Message: "up"},
		"<189>sw-1: 2024 Feb  8 04:00:47 UTC: %$VDC-2%$ %ETHPORT-5-IF_UP: up":                                                  {Time: "2024-02-08T04:00:47Z", Host: "sw-1", Code: "%ETHPORT-5-IF_UP", Message: "up"},
		"2024 Feb  8 04:00:47 sw-1 %$ VDC-1 %$ %VDC_MGR-2-VDC_ONLINE: vdc 1":                                                   {Time: "2024-02-08T04:00:47Z", Host: "sw-1", Code: "%VDC_MGR-2-VDC_ONLINE", Message: "vdc 1"},
		"<187>46: rtr-1 RP/0/RSP0/CPU0:Feb  8 04:00:47.123 UTC: ifmgr[173]: %PKT_INFRA-LINK-3-UPDOWN : up":                     {Time: "2026-02-08T04:00:47.123Z", Host: "rtr-1", Code: "%PKT_INFRA-LINK-3-UPDOWN", Message: "up"},
		"<187>wlc-1: *spamApTask0: Feb 08 04:00:47.123: %CAPWAP-3-DTLS_CLOSED_ERR: x.c:1 y":                                    {Time: "2026-02-08T04:00:47.123Z", Host: "wlc-1", Code: "%CAPWAP-3-DTLS_CLOSED_ERR", Message: "x.c:1 y"},
		"Nov 23 10:00:00 web-1 sshd[12]: %SYS-5-CONFIG_I: x":                                                                   {Time: "2026-11-23T10:00:00Z", Host: "web-1", Program: "sshd", PID: "12", Message: "%SYS-5-CONFIG_I: x"},
		"Nov 23 10:00:00 web-1 sshd[12]: user %SYS-5-CONFIG_I: x":                                                              {Time: "2026-11-23T10:00:00Z", Host: "web-1", Program: "sshd", PID: "12", Message: "user %SYS-5-CONFIG_I: x"},
		"<166>%ASA-6-302013: Built":                                                                                            {Code: "%ASA-6-302013", Message: "Built"},
		"<189>1 2026-02-08T04:00:47Z rtr-1 - - - - %SYS-5-CONFIG_I: Configured":                                                {Time: "2026-02-08T04:00:47Z", Host: "rtr-1", Code: "%SYS-5-CONFIG_I", Message: "Configured"},
		"2026-11-23T10:00:00Z info hostd[2099] [Originator@6876] x":                                                            {Time: "2026-11-23T10:00:00Z", Program: "hostd", PID: "2099", Message: "[Originator@6876] x"},
		"Nov 23 10:00:00 CRON: x":                                                                                              {Time: "2026-11-23T10:00:00Z", Program: "CRON", Message: "x"},
		"Nov 23 10:00:00 h app[web.1]: x":                                                                                      {Time: "2026-11-23T10:00:00Z", Host: "h", Program: "app", PID: "web.1", Message: "x"},
		// no program: it is not guessed
		"Feb  8 04:00:47 rtr-1 585920: some text":             {Time: "2026-02-08T04:00:47Z", Host: "rtr-1", Message: "585920: some text"},
		"Nov 23 10:00:00 PA-VM 1,2024/05/01 10:00:00,TRAFFIC": {Time: "2026-11-23T10:00:00Z", Host: "PA-VM", Message: "1,2024/05/01 10:00:00,TRAFFIC"},
		"Nov 23 10:00:00 web-1 last message repeated 2 times": {Time: "2026-11-23T10:00:00Z", Host: "web-1", Message: "last message repeated 2 times"},
	} {
		got, err := Parse(text, utc)
		if assert.NoError(t, err, text) {
			assert.Equal(t, want, got, text)
		}
	}
}

func TestYearsAndZones(t *testing.T) {
	for text, want := range map[string]string{
		"Nov 28 12:59:00 h p: x":          "2026-11-28T12:59:00+01:00",
		"Nov 29 12:00:00 h p: x":          "2026-11-29T12:00:00+01:00", // a clock that is ahead
		"Dec 24 12:00:00 h p: x":          "2025-12-24T12:00:00+01:00",
		"Jul  7 12:00:00 h p: x":          "2026-07-07T12:00:00+02:00", // summer time
		"Mar 29 01:59:59 h p: x":          "2026-03-29T01:59:59+01:00",
		"Mar 29 03:00:00 h p: x":          "2026-03-29T03:00:00+02:00",
		"Feb 29 12:00:00 h p: x":          "2024-02-29T12:00:00+01:00",
		"2026-07-07T12:00:00 h p: x":      "2026-07-07T12:00:00+02:00",
		"2026-07-07 12:00 h p: x":         "2026-07-07T12:00:00+02:00",
		"2026-07-07T12:00:00Z h p: x":     "2026-07-07T12:00:00Z",
		"Jul  7 12:00:00 CEST: %A-1-B: x": "2026-07-07T12:00:00+02:00",
		"Jul  7 12:00:00 UTC: %A-1-B: x":  "2026-07-07T12:00:00Z",
	} {
		got, err := Parse(text, berlin)
		require.NoError(t, err, text)
		assert.Equal(t, want, got.Time, text)
	}
	newYear := Options{Zone: time.UTC, Now: time.Date(2026, 12, 31, 23, 59, 0, 0, time.UTC)}
	got, err := Parse("Jan  1 00:00:10 h p: x", newYear)
	require.NoError(t, err)
	assert.Equal(t, "2027-01-01T00:00:10Z", got.Time)
}

func TestATimeWithoutAZoneIsInTheZoneGiven(t *testing.T) {
	for text, want := range map[string]string{
		"2026-07-07 12:00:00": "2026-07-07T12:00:00+02:00", "2026-07-07t12:00:00": "2026-07-07T12:00:00+02:00", "2026-07-07 12:00": "2026-07-07T12:00:00+02:00",
		"2026/07/07 12:00:00.5": "2026-07-07T12:00:00.5+02:00", "2026-07-07T12:00:00,25": "2026-07-07T12:00:00.25+02:00", "2026-07-07": "2026-07-07T00:00:00+02:00",
		"2026-07-07T12:00:00Z": "2026-07-07T12:00:00Z", "2026-07-07 12:00:00+01:00": "2026-07-07T12:00:00+01:00", "2026-07-07 12:00:00 +0100": "2026-07-07 12:00:00 +0100",
		"2026-07-07 12:00+0100": "2026-07-07 12:00+0100", "1783425600": "1783425600", "yesterday": "yesterday", "": "", "2026-07-99 12": "2026-07-99 12",
	} {
		got, err := Time(text, berlin)
		require.NoError(t, err, text)
		assert.Equal(t, want, got, text)
	}
}

func TestZone(t *testing.T) {
	summer := time.Date(2026, 7, 7, 0, 0, 0, 0, time.UTC)
	for name, want := range map[string]string{
		"": "+0000", "Z": "+0000", "UTC": "+0000", "+01:00": "+0100", "+0100": "+0100", "-0930": "-0930", "Europe/Berlin": "+0200", "America/New_York": "-0400",
	} {
		zone, err := Zone(name)
		require.NoError(t, err, name)
		assert.Equal(t, want, summer.In(zone).Format("-0700"), name)
	}
	for _, name := range []string{"Berlin", "+1", "+25:00", "+01:75", "CEST", "Local", "../../etc/passwd", "europe/nowhere"} {
		_, err := Zone(name)
		assert.ErrorContains(t, err, "LOG_UTC_OFFSET", name)
		assert.ErrorContains(t, err, "need an offset such as +01:00, or the name of a zone such as Europe/Berlin", name)
	}
}

func TestLinesThatAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"garbage":                              `no syslog header: need a time after the priority`,
		"":                                     "no syslog header",
		"\x00\x01\xff<999999>":                 "no syslog header",
		`{"json":"document"}`:                  `have "{\"json\":\"document\"}"`,
		"<38>Nov 31 10:00:00 web-1 su: x":      `no such time: "Nov 31 10:00:00" in 2026`,
		"<38>Feb 29 10:00:00 web-1 su: x":      `no such time: "Feb 29 10:00:00" in 2026`,
		"<189>Feb 8 04:00:50 EDT: %SYS-5-C: x": `has the zone EDT, which does not belong to the zone UTC: give the zone of the device (LOG_UTC_OFFSET`,
	} {
		_, err := Parse(text, utc)
		assert.ErrorContains(t, err, want, text)
	}
}

func TestCases(t *testing.T) {
	for file, want := range map[string][]Line{
		"nohost.log": {{Program: "sshd"}, {Program: "sshd"}, {Program: "sshd"}, {Program: "sudo"}, {Program: "sshd", Host: "aix-1"}, {Program: "sshd", Host: "aix-2"}, {Program: "sshd"}},
		"ios.log":    {{Host: "rtr-1", Code: "%SEC-6-IPACCESSLOGRP"}, {Host: "rtr-1", Code: "%SEC-6-IPACCESSLOGRP"}, {Host: "rtr-1", Code: "%SYS-5-CONFIG_I"}},
		"asa.log": {{Host: "asa-1", Code: "%ASA-4-106023"}, {Code: "%ASA-4-106023"}, {Host: "asa-1", Code: "%ASA-6-302013"},
			{Host: "192.0.2.1", Code: "%ASA-6-302013"}, {Host: "fw-1", Code: "%FTD-6-110002"}},
	} {
		content, err := os.Open("testdata/" + file)
		require.NoError(t, err)
		defer content.Close()
		var got []Line
		for lines := bufio.NewScanner(content); lines.Scan(); {
			line, err := Parse(lines.Text(), utc)
			require.NoError(t, err, lines.Text())
			got = append(got, Line{Host: line.Host, Program: line.Program, Code: line.Code})
		}
		assert.Equal(t, want, got, file)
	}
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"97 <38>1 2026-11-23T10:00:00Z web-1 sshd 12 - [a b=\"]\"] x", "<189>585919: rtr-1: *Feb 8 04:00:50.272 UTC: %SYS-5-CONFIG_I: x",
		"Wed May  1 10:00:00 2024 auth.info sshd[1]: x", "Mar 27 13:06:59 From aix-1: sshd[123]: [ID 1 a.b] x", "\xff<1>Feb 29 99:99:99 h",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		line, err := Parse(text, berlin)
		if err != nil {
			return
		}
		again, err := Parse(text, berlin)
		require.NoError(t, err)
		require.Equal(t, line, again)
		require.NotContains(t, line.Host, " ")
		require.NotContains(t, []string{"-", "unknown", "null"}, line.Host)
		if line.Host != "" && line.Time != "" && line.Code == "" && text[0] != '<' {
			require.NotRegexp(t, `^[a-z]+\[[0-9]+\]:$`, line.Host)
		}
	})
}
