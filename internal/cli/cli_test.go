package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"
	ucli "github.com/urfave/cli/v2"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"deepcase": func() {
		app := &ucli.App{Name: "connect-deepcase", Commands: []*ucli.Command{Command()}}
		if err := app.Run(append([]string{"connect-deepcase", "deepcase"}, os.Args[1:]...)); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}})
}

func TestScripts(t *testing.T) {
	original, err := filepath.Abs("../../model/original/testdata")
	require.NoError(t, err)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("ORIGINAL", original)
			return nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"alerts":    writeAlerts,
			"decide":    writeDecisions,
			"damage":    damageDecision,
			"status":    checkStatus,
			"head":      checkHead,
			"lines":     countLines,
			"partition": comparePartitions,
			"interrupt": interrupt,
			"page":      lookAt,
		},
	})
}

// writeAlerts writes `alerts FILE MACHINES`: each machine has a benign routine, and every fourth machine a break-in, whose last two
// events have the label 1.
func writeAlerts(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: alerts FILE MACHINES")
	}
	machines, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b strings.Builder
	b.WriteString("timestamp,machine,event,label\n")
	for machine := range machines {
		at := 1_700_000_000 + 5*machine
		write := func(event string, label int) {
			fmt.Fprintf(&b, "%d,host-%d,%s,%d\n", at, machine, event, label)
			at += 60
		}
		for range 4 {
			for _, event := range []string{"login", "list", "read", "logout"} {
				write(event, 0)
			}
		}
		if machine%4 == 0 {
			write("failed login", 0)
			write("failed login", 0)
			write("new admin", 1)
			write("copy out", 1)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o644))
}

// checkStatus runs `status CODE command…` and wants that exit status.
func checkStatus(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: status CODE command [args…]")
	}
	err := ts.Exec(args[1], args[2:]...)
	code := "0"
	if err != nil {
		code = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if code != args[0] {
		ts.Fatalf("exit status %s (%v), want %s", code, err, args[0])
	}
}

// checkHead runs `head FILE LINE` and wants that first line.
func checkHead(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: head FILE LINE")
	}
	if first, _, _ := strings.Cut(ts.ReadFile(args[0]), "\n"); first != args[1] {
		ts.Fatalf("%s begins with %q, want %q", args[0], first, args[1])
	}
}

// countLines runs `lines FILE N` and wants that many lines.
func countLines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: lines FILE N")
	}
	if n := strconv.Itoa(strings.Count(ts.ReadFile(args[0]), "\n")); n != args[1] {
		ts.Fatalf("%s has %s lines, want %s", args[0], n, args[1])
	}
}

// interrupt runs `interrupt INT|TERM FILE command…`: the command gets FILE as its standard input, and the signal as soon as that is written.
// FILE must be longer than a pipe holds, so that the command has begun to read by then. It must fail; what it says is in interrupted.txt.
func interrupt(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM}
	if neg || len(args) < 3 || signals[args[0]] == nil {
		ts.Fatalf("usage: interrupt INT|TERM FILE command [args…]")
	}
	input := ts.ReadFile(args[1])
	if len(input) <= 1<<16 {
		ts.Fatalf("%s has %d bytes, which a pipe holds", args[1], len(input))
	}
	var program string
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if _, err := os.Stat(filepath.Join(dir, args[2])); err == nil {
			program = filepath.Join(dir, args[2])
			break
		}
	}
	var said bytes.Buffer
	command := exec.Command(program, args[3:]...)
	command.Dir, command.Stderr = ts.MkAbs("."), &said
	stdin, err := command.StdinPipe()
	ts.Check(err)
	ts.Check(command.Start())
	_, err = io.WriteString(stdin, input)
	ts.Check(err)
	ts.Check(stdin.Close())
	ts.Check(command.Process.Signal(signals[args[0]]))
	if err := command.Wait(); err == nil {
		ts.Fatalf("the command came to its end")
	}
	ts.Check(os.WriteFile(ts.MkAbs("interrupted.txt"), said.Bytes(), 0o644))
}

// comparePartitions runs `partition A B CLUSTERS EVENTS`: two files of the mode cluster must put the events into the same clusters, whatever
// the numbers of the clusters are, and have so many clusters with so many events.
func comparePartitions(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 4 {
		ts.Fatalf("usage: partition A B CLUSTERS EVENTS")
	}
	rows := func(file string) []string { return strings.Fields(ts.ReadFile(file))[1:] }
	a, b := rows(args[0]), rows(args[1])
	if len(a) != len(b) {
		ts.Fatalf("%d and %d events", len(a), len(b))
	}
	there, back, clustered := map[string]string{"-1": "-1"}, map[string]string{"-1": "-1"}, 0
	for i := range a {
		x, _, _ := strings.Cut(a[i], ",")
		y, _, _ := strings.Cut(b[i], ",")
		if _, seen := there[x]; !seen {
			there[x] = y
		}
		if _, seen := back[y]; !seen {
			back[y] = x
		}
		if there[x] != y || back[y] != x {
			ts.Fatalf("event %d is in cluster %s and %s", i, x, y)
		}
		if x != "-1" {
			clustered++
		}
	}
	if got, want := fmt.Sprint(len(there)-1, " ", clustered), args[2]+" "+args[3]; got != want {
		ts.Fatalf("clusters and their events: %s, want %s", got, want)
	}
}
