package cli

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// lookAt runs `page PATTERN command…`: the command serves a review page, which must match the pattern, and is interrupted. What it says is in
// said.txt.
func lookAt(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: page PATTERN command [args…]")
	}
	var program string
	for _, dir := range filepath.SplitList(ts.Getenv("PATH")) {
		if _, err := os.Stat(filepath.Join(dir, args[1])); err == nil {
			program = filepath.Join(dir, args[1])
			break
		}
	}
	var said bytes.Buffer
	command := exec.Command(program, args[2:]...)
	command.Dir, command.Stderr, command.Env = ts.MkAbs("."), &said, append(os.Environ(), "TMPDIR="+ts.MkAbs("tmp"))
	out, err := command.StdoutPipe()
	ts.Check(err)
	ts.Check(command.Start())
	address, _ := bufio.NewReader(out).ReadString('\n') // "" if it ended
	var text []byte
	if address != "" {
		var response *http.Response
		if response, err = http.Get(strings.TrimSpace(address)); err == nil {
			text, err = io.ReadAll(response.Body)
			_ = response.Body.Close()
		}
		ts.Check(command.Process.Signal(os.Interrupt))
	}
	ended := command.Wait()
	ts.Check(os.WriteFile(ts.MkAbs("said.txt"), said.Bytes(), 0o644))
	if address == "" || ended != nil {
		ts.Fatalf("the command ended: %v\n%s", ended, said.Bytes())
	}
	ts.Check(err)
	if !regexp.MustCompile(args[0]).Match(text) {
		ts.Fatalf("the page does not match %q:\n%s", args[0], text)
	}
}
