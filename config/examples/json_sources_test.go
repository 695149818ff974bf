package examples_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const zeekNotice = "#separator \\x09\n#set_separator\t,\n#empty_field\t(empty)\n#unset_field\t-\n#path\tnotice\n#open\t2024-05-01-10-00-00\n" +
	"#fields\tts\tuid\tid.orig_h\tid.orig_p\tid.resp_h\tid.resp_p\tnote\tmsg\tsrc\tdst\tactions\n" +
	"#types\ttime\tstring\taddr\tport\taddr\tport\tenum\tstring\taddr\taddr\tset[enum]\n" +
	"1714557600.305988\tC1\t203.0.113.9\t36844\t10.0.0.5\t22\tSSH::Password_Guessing\tx\\x09y\t203.0.113.9\t-\tNotice::ACTION_LOG\n" +
	"1714557601.305988\t-\t-\t-\t-\t-\tScan::Port_Scan\t(empty)\t10.0.0.5\t198.51.100.7\tNotice::ACTION_LOG,Notice::ACTION_EMAIL\n"

// In one file, because logs are rotated and joined.
const zeekWeird = "#separator \\x09\n#unset_field\t-\n#path\tweird\n#fields\tts\tname\tid.resp_h\tnotice\n1714557602.1\tbad_TCP_checksum\t10.0.0.5\tF\n" +
	"1714557603.1\tunknown_ethernet_type\t-\tF\n1714557604.1\n#close\t2024-05-01-11-00-00\n"

func TestZeekInColumns(t *testing.T) {
	const conn = "#separator \\x09\n#path\tconn\n#fields\tts\tid.orig_h\n1714557600.1\t10.0.0.5\n"
	want := []string{"10.0.0.5 SSH::Password_Guessing", "10.0.0.5 Scan::Port_Scan", "10.0.0.5 weird: bad_TCP_checksum"}
	for name, files := range map[string]map[string]string{
		"joined":              {"notice.log": zeekNotice + "#close\t2024-05-01-11-00-00\n" + zeekWeird},
		"two files":           {"notice.log": zeekNotice, "weird.log": zeekWeird},
		"gzip and no alerts":  {"conn.log": conn, "notice.10:00:00-11:00:00.log.gz": gzipped(t, zeekNotice), "weird.10:00:00-11:00:00.log.gz": gzipped(t, zeekWeird)},
		"a byte order mark":   {"notice.log": "\uFEFF" + zeekNotice, "weird.log": zeekWeird},
		"ends without a line": {"notice.log": zeekNotice, "weird.log": zeekWeird[:len(zeekWeird)-1]},
	} {
		scored, dead := read(t, "source_zeek.yaml", written(t, files))
		assert.Equal(t, want, events(scored), name)
		require.Len(t, dead, 2, name)
		assert.Contains(t, dead[0].Error, "machine: @machine: is missing", name)
		assert.Contains(t, dead[1].Error, "1 columns, the header has 4", name)
		assert.Equal(t, "SSH::Password_Guessing", *scored[2].Deepcase.Context[8], name)
	}

	_, dead := read(t, "source_zeek.yaml", written(t, map[string]string{"notice.log": "1714557600.305988\tC1\t203.0.113.9\n"}))
	require.Len(t, dead, 1, "without its header")
}
