package examples_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// freePort is a port of TCP and UDP that nobody used a moment ago.
func freePort(t *testing.T) string {
	t.Helper()
	for range 20 {
		tcp, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		udp, err := net.ListenPacket("udp", tcp.Addr().String())
		require.NoError(t, tcp.Close())
		if err == nil {
			require.NoError(t, udp.Close())
			_, port, err := net.SplitHostPort(tcp.Addr().String())
			require.NoError(t, err)
			return port
		}
	}
	t.Fatal("no port is free for TCP and UDP")
	return ""
}

func outputs(t *testing.T) map[string]string {
	t.Helper()
	out := t.TempDir()
	return map[string]string{
		"MODEL": filepath.Join(out, "model"), "HTTP_PORT": freePort(t),
		"OUTPUT": filepath.Join(out, "annotated.ndjson"), "DEAD_LETTERS": filepath.Join(out, "dead-letters.ndjson"),
		"TRAININGS": filepath.Join(out, "trainings.ndjson"),
	}
}

func TestScoreSyslogListens(t *testing.T) {
	variables := outputs(t)
	variables["TCP_PORT"], variables["UDP_PORT"], variables["LOG_YEAR"] = freePort(t), freePort(t), "2026"
	_, stop := start(t, "score_syslog.yaml", variables)

	var tcp net.Conn
	require.Eventually(t, func() (up bool) {
		var err error
		tcp, err = net.Dial("tcp", "127.0.0.1:"+variables["TCP_PORT"])
		return err == nil
	}, 2*time.Minute, 20*time.Millisecond)
	const events = 200
	for i := range events {
		if i%2 == 0 {
			fmt.Fprintf(tcp, "<38>Nov 23 10:%02d:%02d tcp sshd[12]: Failed password for root from 192.0.2.7 port %d ssh2\n", i/60, i%60, i)
		} else {
			fmt.Fprintf(tcp, "<38>1 2026-11-23T10:%02d:%02dZ tcp sshd 12 - - Invalid user x from 192.0.2.7 port %d\n", i/60, i%60, i)
		}
	}
	fmt.Fprint(tcp, "garbage\n")
	require.NoError(t, tcp.Close())

	udp, err := net.Dial("udp", "127.0.0.1:"+variables["UDP_PORT"])
	require.NoError(t, err)
	for i := range 20 { // datagrams as senders make them, without a newline, and some with
		fmt.Fprintf(udp, "<38>Nov 23 10:00:%02d udp su: + /dev/pts/%d bob:root%s", i, i, []string{"", "\n"}[i%2])
	}
	require.NoError(t, udp.Close())

	require.Eventually(t, func() bool { return len(lines[annotated](t, variables["OUTPUT"])) >= events+20 }, 2*time.Minute, 50*time.Millisecond)
	stop()
	seen := map[string]int{}
	for _, d := range lines[annotated](t, variables["OUTPUT"]) {
		require.Equal(t, "no_model", d.Deepcase.Status)
		i := seen[d.Deepcase.Machine]
		seen[d.Deepcase.Machine]++
		names := []string{"sshd: failed password for root", "sshd: invalid user"}
		if d.Deepcase.Machine == "udp" {
			names = []string{"su: switched", "su: switched"}
		}
		require.Equal(t, names[i%2], d.Deepcase.Event)
		if i > 0 { // contexts follow the order in which the lines came
			require.Equal(t, names[(i+1)%2], *d.Deepcase.Context[len(d.Deepcase.Context)-1])
		}
	}
	require.Equal(t, map[string]int{"tcp": events, "udp": 20}, seen)
	dead := lines[annotated](t, variables["DEAD_LETTERS"])
	require.Len(t, dead, 1)
	require.Equal(t, "garbage", dead[0].Document)
	require.NotEmpty(t, dead[0].Error)
}

// The input that the README puts in the place of a file, on one that grows and is rotated.
func TestFollowAFileThatGrows(t *testing.T) {
	if _, err := exec.LookPath("tail"); err != nil {
		t.Skip(err)
	}
	_, section, _ := strings.Cut(text(t, "README.md"), "## Follow a file that grows")
	_, recipe, _ := strings.Cut(section, "```yaml\n")
	recipe, _, found := strings.Cut(recipe, "```")
	require.True(t, found)
	head, rest, _ := strings.Cut(text(t, "source_wazuh.yaml"), "input:\n")
	_, tail, found := strings.Cut(rest, "\npipeline:\n")
	require.True(t, found)
	following := filepath.Join(t.TempDir(), "following.yaml")
	require.NoError(t, os.WriteFile(following, []byte(head+recipe+"\npipeline:\n"+tail), 0o644))

	variables := outputs(t)
	variables["INPUT"] = filepath.Join(t.TempDir(), "alerts.json")
	events := 0
	write := func() {
		file, err := os.OpenFile(variables["INPUT"], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
		require.NoError(t, err)
		fmt.Fprintf(file, `{"timestamp":"2026-01-01T10:00:%02d.000+0000","agent":{"name":"web-1"},"rule":{"description":"%d"}}`+"\n", events, events)
		require.NoError(t, file.Close())
		events++
	}
	came := func() int { return len(lines[annotated](t, variables["OUTPUT"])) }
	require.NoError(t, os.WriteFile(variables["INPUT"], nil, 0o644))
	_, stop := start(t, following, variables)
	require.Eventually(t, func() bool { write(); return came() > 0 }, 2*time.Minute, 300*time.Millisecond) // tail begins at the end
	require.NoError(t, os.Rename(variables["INPUT"], variables["INPUT"]+".1"))
	for range 5 {
		write()
	}
	require.Eventually(t, func() bool {
		documents := lines[annotated](t, variables["OUTPUT"])
		return documents[len(documents)-1].Deepcase.Event == fmt.Sprint(events-1)
	}, 2*time.Minute, 20*time.Millisecond)
	stop()
	documents := lines[annotated](t, variables["OUTPUT"])
	require.Empty(t, lines[annotated](t, variables["DEAD_LETTERS"]))
	for i, d := range documents[1:] { // each once, in order, with those before it
		context := d.Deepcase.Context
		require.Equal(t, documents[i].Deepcase.Event, *context[len(context)-1])
	}
	require.Equal(t, fmt.Sprint(events-1), documents[len(documents)-1].Deepcase.Event)
}

func TestScoreHTTPAnswers(t *testing.T) {
	variables := outputs(t)
	variables["PORT"] = freePort(t)
	_, stop := start(t, "score_http.yaml", variables)
	defer stop()
	url := "http://127.0.0.1:" + variables["PORT"] + "/events"
	require.Eventually(t, func() bool {
		connection, err := net.Dial("tcp", "127.0.0.1:"+variables["PORT"])
		if err == nil {
			_ = connection.Close()
		}
		return err == nil
	}, 2*time.Minute, 20*time.Millisecond)
	post := func(body string) (status int, answer string) {
		response, err := http.Post(url, "application/json", strings.NewReader(body))
		require.NoError(t, err)
		defer response.Body.Close()
		content, err := io.ReadAll(response.Body)
		require.NoError(t, err)
		return response.StatusCode, string(content)
	}

	status, answer := post(`{"machine":"web-1","event":"a","timestamp":"2026-01-01T10:00:00Z","user":"bob"}`)
	require.Equal(t, http.StatusOK, status, answer)
	require.JSONEq(t, `{"machine":"web-1","event":"a","timestamp":"2026-01-01T10:00:00Z","user":"bob","deepcase":
		{"machine":"web-1","event":"a","status":"no_model","pattern":"e6f1959dee669369acb079fb63a65f69",
		"case":"new-1a597cb77cbc2d6e","case_kind":"new","case_opened":true,"send":true,"context":[null,null,null,null,null,null,null,null,null,null]}}`, answer)

	// Some of a request can be scored: the answer has the others with their errors, in place.
	status, answer = post(`[{"machine":"web-1","event":"b","timestamp":1767261601},{"machine":"web-1"},7]`)
	require.Equal(t, http.StatusOK, status, answer)
	require.JSONEq(t, `[{"machine":"web-1","event":"b","timestamp":1767261601,"deepcase":
		{"machine":"web-1","event":"b","status":"no_model","pattern":"63b1138b43efb4d22fd5d3e1ee625491",
		"case":"new-1a597cb77cbc2d6e","case_kind":"new","case_opened":false,"send":true,"context":[null,null,null,null,null,null,null,null,null,"a"]}},
		{"error":"event: is missing or null: want a name","document":"{\"machine\":\"web-1\"}"},
		{"error":"document: need a JSON object, have a number","document":"7"}]`, answer)

	status, answer = post("{\"machine\":\"web-2\",\"event\":\"a\",\"timestamp\":1767261601}\n\n{\"machine\":\"web-2\",\"event\":\"b\",\"timestamp\":1767261602}\n")
	require.Equal(t, http.StatusOK, status, answer)
	require.Len(t, strings.Split(strings.TrimSpace(answer), "\n"), 2)

	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url,
		strings.NewReader(gzipped(t, `{"Records":[{"machine":"web-3","event":"a","timestamp":1767261601},{"machine":"web-3","event":"b","timestamp":1767261602}]}`)))
	require.NoError(t, err)
	request.Header.Set("Content-Encoding", "gzip")
	packed, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	content, err := io.ReadAll(packed.Body)
	require.NoError(t, err)
	require.NoError(t, packed.Body.Close())
	require.Equal(t, http.StatusOK, packed.StatusCode, string(content))
	require.Contains(t, string(content), `"context":[null,null,null,null,null,null,null,null,null,"a"]`)

	for _, nothing := range []string{"garbage", `[1,`, `{"machine":null,"event":"a","timestamp":1}`, "[7]", "\x00\xff"} {
		status, answer = post(nothing)
		require.Equal(t, http.StatusBadRequest, status, answer)
		require.Contains(t, answer, `"error"`)
	}
	response, err := http.Get(url)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	require.Equal(t, http.StatusMethodNotAllowed, response.StatusCode)

	require.Len(t, lines[annotated](t, variables["OUTPUT"]), 6)
	require.Len(t, lines[annotated](t, variables["DEAD_LETTERS"]), 7)
}
