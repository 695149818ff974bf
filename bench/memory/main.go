//go:build linux

// Command memory measures peak memory and compares it with a budget, case by case, each in a process of its own. It runs the cases named in its
// arguments, or all cases, and fails if one exceeds its budget.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"slices"
	"syscall"

	"github.com/dustin/go-humanize"
)

// measured is a case. run is called once, in a process of its own, with an empty directory.
type measured struct {
	name, what string
	budget     int64 // bytes
	run        func(dir string) error
}

var cases = slices.Concat(training, scoring, bombs)

// inChild names the case that a child process runs.
const inChild = "DEEPCASE_MEMORY_CASE"

func main() {
	if name := os.Getenv(inChild); name != "" {
		if err := child(name); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := all(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func child(name string) error {
	i := slices.IndexFunc(cases, func(m measured) bool { return m.name == name })
	if i < 0 {
		return fmt.Errorf("no case %q", name)
	}
	dir, err := os.MkdirTemp("", "memory")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return cases[i].run(dir)
}

func all(names []string) error {
	over := 0
	fmt.Println("| case | peak memory | budget |\n|---|---|---|")
	for _, m := range cases {
		if len(names) > 0 && !slices.Contains(names, m.name) {
			continue
		}
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), inChild+"="+m.name)
		command.Stderr = os.Stderr
		if err := command.Run(); err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		peak := command.ProcessState.SysUsage().(*syscall.Rusage).Maxrss * 1024 // Linux counts in KiB
		fmt.Printf("| %s | %s | %s |\n", m.what, humanize.IBytes(uint64(peak)), humanize.IBytes(uint64(m.budget)))
		if peak > m.budget {
			over++
		}
	}
	if over > 0 {
		return fmt.Errorf("%d over their budgets", over)
	}
	return nil
}
