package logline

import "testing"

func BenchmarkParse(b *testing.B) {
	for b.Loop() {
		if _, err := Parse("<38>Nov 23 10:00:00 web-1 sshd[12]: Failed password for root from 192.0.2.7 port 4242 ssh2", berlin); err != nil {
			b.Fatal(err)
		}
	}
}
