package examples_test

import (
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"
	"github.com/stretchr/testify/require"
)

// Each message is scored when it is there, while its connection stays open, whatever is around it.
func TestScoreSyslogReadsFramesOfAllKinds(t *testing.T) {
	frames, err := os.ReadFile(filepath.Join("..", "..", "input", "syslog", "testdata", "frames.bin"))
	require.NoError(t, err)
	variables := outputs(t)
	variables["TCP_PORT"], variables["UDP_PORT"], variables["LOG_YEAR"] = freePort(t), freePort(t), "2026"
	_, stop := start(t, "score_syslog.yaml", variables)
	defer stop()
	var conn net.Conn
	require.Eventually(t, func() (up bool) {
		conn, err = net.Dial("tcp", "127.0.0.1:"+variables["TCP_PORT"])
		return err == nil
	}, 2*time.Minute, 20*time.Millisecond)
	defer conn.Close()
	for _, c := range []struct {
		stream string
		events []string
	}{
		{string(frames), []string{"sshd: failed password for root", "sshd: accepted password for root", "sshd: connection closed"}},
		{"<38>May  1 10:00:03 web-1 su: + x\x00<38>May  1 10:00:04 web-1 su: FAILED SU (to root) x\x00", []string{"su: switched", "su: failed for root"}},
		{"<38>May  1 10:00:05 web-1 sudo: x : COMMAND=y\n", []string{"sudo: command as another user"}},
	} {
		before := len(lines[annotated](t, variables["OUTPUT"]))
		_, err := conn.Write([]byte(c.stream))
		require.NoError(t, err)
		require.Eventually(t, func() bool { return len(lines[annotated](t, variables["OUTPUT"])) == before+len(c.events) }, 2*time.Minute, 20*time.Millisecond)
		for i, d := range lines[annotated](t, variables["OUTPUT"])[before:] {
			require.Equal(t, c.events[i], d.Deepcase.Event)
			require.Equal(t, "web-1", d.Deepcase.Machine)
		}
	}
}

// failure is the error with which an example refuses to start.
func failure(t *testing.T, file string, more map[string]string) error {
	t.Helper()
	variables := outputs(t)
	maps.Copy(variables, more)
	variables["INPUT"] = filepath.Join(t.TempDir(), "empty")
	require.NoError(t, os.WriteFile(variables["INPUT"], nil, 0o644))
	builder := service.NewStreamBuilder()
	builder.SetEnvVarLookupFunc(func(name string) (string, bool) { v, ok := variables[name]; return v, ok })
	require.NoError(t, builder.SetLoggerYAML("level: NONE"))
	if err := builder.SetYAML(text(t, file)); err != nil {
		return err
	}
	stream, err := builder.Build()
	if err != nil {
		return err
	}
	return stream.Run(t.Context())
}

func TestAZoneThatIsNoneStopsTheStart(t *testing.T) {
	tested := 0
	for _, file := range examples(t) {
		if strings.Contains(text(t, file), "${LOG_UTC_OFFSET:}") {
			err := failure(t, file, map[string]string{"LOG_UTC_OFFSET": "Berlin"})
			require.ErrorContains(t, err, "LOG_UTC_OFFSET", file)
			require.ErrorContains(t, err, "Europe/Berlin", file)
			tested++
		}
	}
	require.GreaterOrEqual(t, tested, 8)
}

func TestNetworksThatAreNoneStopTheStart(t *testing.T) {
	tested := 0
	for _, file := range examples(t) {
		if strings.Contains(text(t, file), `deepcase_internal(home: "${HOME_NET:}")`) {
			require.ErrorContains(t, failure(t, file, map[string]string{"HOME_NET": "10.0.0.0/8,web-1"}), `home (HOME_NET in the examples): "web-1", want networks such as 203.0.113.0/24`, file)
			tested++
		}
	}
	require.GreaterOrEqual(t, tested, 6)
}
