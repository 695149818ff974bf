// Package cli is the command line of DeepCASE. It has the modes of the original (sequence, train, cluster, manual, automatic) with their
// flags, and commands for model directories.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	ucli "github.com/urfave/cli/v2"
	"golang.org/x/term"

	"connect-deepcase/internal/report"
	"connect-deepcase/model/contextbuilder"
)

// Command is `deepcase` with all its commands.
func Command() *ucli.Command {
	return &ucli.Command{
		Name:  "deepcase",
		Usage: "Learn and use DeepCASE models from files, without a pipeline",
		Description: `DeepCASE learns which events usually come before a security event, groups events with similar contexts into clusters, and
gives new events the score that an analyst gave to their cluster (van Ede et al., IEEE S&P 2022).

From files to scores, where each step reads what the step before saved:

  deepcase sequence  --csv alerts.csv --save-sequences alerts.sequences
  deepcase train     --load-sequences alerts.sequences --save-builder model
  deepcase cluster   --load-sequences alerts.sequences --load-builder model --save-interpreter model --save-clusters clusters.csv
  deepcase manual    --load-interpreter model --load-clusters clusters.csv --save-interpreter model
  deepcase automatic --csv new.csv --load-interpreter model --save-prediction prediction.csv

A builder (the ContextBuilder) is the trained network. An interpreter adds clusters and their scores. Both are saved as versions of a model
directory, which the processor deepcase_predict reads, too.`,
		Subcommands: []*ucli.Command{
			sequenceCommand(), trainCommand(), clusterCommand(), manualCommand(), automaticCommand(),
			evaluateCommand(), summaryCommand(), clustersCommand(), decisionsCommand(), versionsCommand(), rollbackCommand(),
			driftCommand(), replayCommand(), reviewCommand(), templatesCommand(), demoCommand(),
		},
		OnUsageError: onUsageError,
		Action: func(c *ucli.Context) error {
			if name := c.Args().First(); name != "" {
				return usageError(c, "unknown command %q", name)
			}
			return ucli.ShowSubcommandHelp(c)
		},
	}
}

// command completes a command that has its flags. The context of run ends on an interrupt (Ctrl-C, SIGTERM).
func command(c *ucli.Command, run func(ctx context.Context, s *session) error) *ucli.Command {
	c.OnUsageError = onUsageError
	c.HideHelpCommand = true
	c.Action = func(c *ucli.Context) error {
		if c.Args().Present() {
			return usageError(c, "%q: unexpected argument: everything is given by flags", c.Args().First())
		}
		ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
		defer stop()
		context.AfterFunc(ctx, stop) // a second interrupt ends the process
		s := &session{flags: c, out: c.App.Writer, notes: c.App.ErrWriter}
		if c.Bool("silent") {
			s.notes = io.Discard
		} else if f, ok := s.notes.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
			s.progress.w = f
		}
		err := run(ctx, s)
		if usage := (usage{}); errors.As(err, &usage) {
			return usageError(c, "%s", usage.message)
		}
		return visible(err)
	}
	return c
}

// visible makes the text of an error harmless to a terminal: it may hold names from outside.
func visible(err error) error {
	if err == nil {
		return nil
	}
	if text := visibleLines(err.Error()); text != err.Error() {
		return visibleError{err, text}
	}
	return err
}

// visibleLines keeps line ends, which separate the causes of an error.
func visibleLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		lines[i] = report.Visible(line)
	}
	return strings.Join(lines, "\n")
}

type visibleError struct {
	error
	text string
}

func (e visibleError) Error() string { return e.text }

func (e visibleError) Unwrap() error { return e.error }

// session is one run of a command.
type session struct {
	flags    *ucli.Context
	out      io.Writer // results
	notes    io.Writer // what is done; discarded with --silent
	progress progress
	opened   contextbuilder.Engine // set by the method engine
}

func (s *session) note(format string, arguments ...any) {
	fmt.Fprintln(s.notes, report.Visible(fmt.Sprintf(format, arguments...)))
}

// usage is an error in the flags. It ends the program with status 2.
type usage struct{ message string }

func (u usage) Error() string { return u.message }

func usagef(format string, arguments ...any) error { return usage{fmt.Sprintf(format, arguments...)} }

func usageError(c *ucli.Context, format string, arguments ...any) error {
	return ucli.Exit(visibleLines(fmt.Sprintf("%s: "+format+" (see --help)", slices.Concat([]any{c.Command.FullName()}, arguments)...)), 2)
}

// onUsageError rewords the errors of Go's flag package, which writes flags with one dash.
func onUsageError(c *ucli.Context, err error, _ bool) error {
	if name, ok := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); ok {
		return usageError(c, "unknown flag --%s", name)
	}
	return usageError(c, "%s", strings.NewReplacer("flag -", "flag --", "argument: -", "argument: --").Replace(err.Error()))
}
