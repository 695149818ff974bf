package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/internal/disk"
	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/jsontext"
	"connect-deepcase/internal/logline"
	"connect-deepcase/internal/report"
	"connect-deepcase/sequencer/template"
)

// Flags that name the files of templates, one for each format.
const (
	flagNDJSON = "ndjson"
	flagSyslog = "syslog"
	flagLines  = "lines"
)

func templatesCommand() *ucli.Command {
	file := func(name, what string) ucli.Flag {
		return &ucli.GenericFlag{Category: categoryIO, Name: name, Value: &paths{}, Usage: "`FILE` of " + what + "; may be given several times"}
	}
	return command(&ucli.Command{
		Name:  "templates",
		Usage: "Learn the templates of raw log messages, by which deepcase_template names events",
		Description: `Reads log messages and finds out which kinds of them there are: "Failed password for bob from 192.0.2.7" is of the kind
"Failed password for <*> from <*>". The order of the messages does not matter. The file has one template per line. To give a template another
name, add "name": "sshd: failed login" to its line.

  deepcase templates --ndjson events.ndjson --text message --scope process.name --save templates.ndjson
  deepcase templates --syslog auth.log --keep root --save templates.ndjson
  deepcase templates --syslog auth.log.1 --extend templates.ndjson --save templates.ndjson

With --extend, all names of the old file stay: only messages that have none there are learnt from. Use --text and --scope as in
deepcase_template: with another scope, messages have other names. With --syslog the scope is the program, as in source_authlog.yaml.`,
		Flags: []ucli.Flag{
			file(flagNDJSON, "JSON documents, one per line"),
			file(flagSyslog, "log lines with time and program, as in auth.log"),
			file(flagLines, "messages, one per line"),
			&ucli.StringFlag{Category: categoryIO, Name: "text", Value: "message", Usage: "`FIELD` of a document that has the message"},
			&ucli.StringFlag{Category: categoryIO, Name: "scope", Usage: "`FIELD` of a document that has the scope, such as the program: templates do not cross scopes (default: none)"},
			&ucli.StringFlag{Category: categoryIO, Name: "save", Usage: "`FILE` to save templates in"},
			&ucli.StringFlag{Category: categoryIO, Name: "extend", Usage: "`FILE` of templates to extend; its names stay"},
			&ucli.StringSliceFlag{Name: "keep", Usage: "`WORDS` that stay in names, such as root, separated by commas"},
			&ucli.IntFlag{Name: "min-messages", Value: 3, Usage: "`NUMBER` of messages that make a template"},
			&ucli.IntFlag{Name: "max-shapes", Value: 100_000, Usage: "the most kinds of messages to hold in memory; above this, the rarest are forgotten"},
			&ucli.IntFlag{Name: "max-templates", Value: 10_000, Usage: "the most templates to save"},
			boolFlag("", "silent", "print results and errors only"),
		},
	}, learnTemplates)
}

func learnTemplates(ctx context.Context, s *session) error {
	format, files, err := s.templateInputs()
	if err != nil {
		return err
	}
	options := template.Options{Keep: s.flags.StringSlice("keep")}
	for _, number := range []struct {
		flag string
		to   *int
	}{{"min-messages", &options.MinMessages}, {"max-shapes", &options.MaxShapes}, {"max-templates", &options.MaxTemplates}} {
		if *number.to = s.flags.Int(number.flag); *number.to < 1 {
			return usagef("--%s: %d is not at least 1", number.flag, *number.to)
		}
	}
	t := &templateLearning{format: format, text: s.flags.String("text"), scope: s.flags.String("scope"), now: time.Now()}
	if err := s.oldTemplates(t, options); err != nil {
		return err
	}
	if err := s.newTemplateFile(); err != nil {
		return err
	}
	for _, path := range files {
		err := eachFileLine(path, func(line []byte) error {
			t.lines++
			if t.lines%1000 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			return t.add(line)
		})
		if err != nil {
			return err
		}
	}
	if t.leftOut > 0 {
		s.note("%s left out, the first one: %v", counted(t.leftOut, "line"), t.whyLeftOut)
	}
	if t.messages == 0 {
		return errors.New("no messages to learn from")
	}
	set := t.learner.Learn()
	if set.Len() == 0 {
		return fmt.Errorf("no templates: no kind of message comes %d times (--min-messages) in %s", options.MinMessages, counted(t.messages, "message"))
	}
	path := s.flags.String("save")
	if err := saveFile(ctx, path, set.Save); err != nil {
		return fmt.Errorf("--save: %w", err)
	}
	s.note("saved templates in %s, checksum %s", path, set.Checksum())
	return t.write(s.out, set)
}

// templateInputs are the files and their format.
func (s *session) templateInputs() (format string, files []string, err error) {
	for _, flag := range []string{flagNDJSON, flagSyslog, flagLines} {
		given, _ := s.flags.Generic(flag).(*paths)
		if len(*given) == 0 {
			continue
		}
		if format != "" {
			return "", nil, usagef("--%s and --%s: give files of one format only", format, flag)
		}
		format, files = flag, *given
	}
	switch format {
	case "":
		return "", nil, usagef("no messages: give them with --%s, --%s or --%s", flagNDJSON, flagSyslog, flagLines)
	case flagSyslog:
		err = s.refuse("a line of syslog has a message and a program", "text", "scope")
	case flagLines:
		err = s.refuse("a line is a message without a scope", "text", "scope")
	}
	return format, files, err
}

// oldTemplates makes the learner, which extends the file of --extend if there is one.
func (s *session) oldTemplates(t *templateLearning, options template.Options) error {
	path := s.flags.String("extend")
	if path == "" {
		t.learner = template.NewLearner(options)
		return nil
	}
	if err := s.refuse("the words that stay in names are those of the file of --extend", "keep"); err != nil {
		return err
	}
	file, _, err := disk.Open(path)
	if err != nil {
		return fmt.Errorf("--extend: %w", err)
	}
	defer file.Close()
	if t.old, err = template.Load(file); err != nil {
		return fmt.Errorf("--extend: %s: %w", path, err)
	}
	t.learner = t.old.Extend(options)
	return nil
}

// newTemplateFile checks before long work that templates can be saved, and that they do not replace others.
func (s *session) newTemplateFile() error {
	path := s.flags.String("save")
	if path == "" {
		return usagef("--save: give a file to save templates in")
	}
	if err := saveableFile("save", path); err != nil {
		return err
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return fmt.Errorf("--save: %w", err)
	}
	old, err := os.Stat(s.flags.String("extend"))
	if info.Mode().IsRegular() && (err != nil || !os.SameFile(info, old)) {
		return fmt.Errorf("--save: %s exists, and events would get other names than a model has learnt: extend it (--extend %[1]s --save %[1]s), or give another file", path)
	}
	return nil
}

// templateLearning learns templates from lines of a format.
type templateLearning struct {
	format      string
	text, scope string // paths in documents
	now         time.Time
	old         *template.Set // nil if none is extended
	learner     *template.Learner

	lines, messages, known int // known: by the old templates
	leftOut                int // lines
	whyLeftOut             error
}

func (t *templateLearning) add(line []byte) error {
	scope, message, err := t.read(bytes.TrimRight(line, "\r\n"))
	if unusable := (noMessageError{}); errors.As(err, &unusable) {
		if t.leftOut++; t.leftOut == 1 {
			t.whyLeftOut = err
		}
		return nil
	} else if err != nil {
		return err
	}
	t.messages++
	if t.old != nil {
		if _, known := t.old.Match(scope, message); known {
			t.known++
		}
	}
	t.learner.Add(scope, message)
	return nil
}

// noMessageError is why a line has no message. It is left out, because logs have such lines among the others.
type noMessageError struct{ error }

func (t *templateLearning) read(line []byte) (scope, message string, err error) {
	switch t.format {
	case flagSyslog:
		parsed, err := logline.Parse(string(line), logline.Options{Zone: time.UTC, Now: t.now})
		if err != nil {
			return "", "", noMessageError{fmt.Errorf("%s: %w", excerpt.Quote(string(line)), err)}
		}
		return parsed.Event().Scope, parsed.Message, nil
	case flagLines:
		return "", string(line), nil
	}
	if !jsontext.Valid(line) || bytes.TrimLeft(line, " \t")[0] != '{' {
		return "", "", errors.New("not a JSON object")
	}
	value := field.FindJSON(line, t.text)
	if value == nil {
		return "", "", noMessageError{fmt.Errorf("%s: %w: the document has %s", t.text, field.ErrMissing, excerpt.Of(strings.Join(field.Keys(line), ", "), excerpt.Short))}
	}
	if message, err = field.JSONText(value); err != nil {
		return "", "", fmt.Errorf("%s: %w", t.text, err)
	}
	if t.scope != "" {
		if scope, err = field.JSONText(field.FindJSON(line, t.scope)); err != nil && !errors.Is(err, field.ErrMissing) {
			return "", "", fmt.Errorf("%s: %w", t.scope, err)
		}
	}
	return scope, message, nil
}

func (t *templateLearning) write(w io.Writer, set *template.Set) error {
	total := func(set *template.Set) (messages int) {
		for one := range set.All() {
			messages += one.Messages
		}
		return messages
	}
	learnt, added := total(set), set.Len()
	if t.old != nil {
		learnt, added = learnt-total(t.old), added-t.old.Len()
	}
	unknown := t.messages - t.known - learnt
	share := func(n int) []string {
		return []string{strconv.Itoa(n), report.Ratio(n, t.messages).String()}
	}
	row := func(name string, cells ...string) []string { return append([]string{name}, cells...) }
	rows := [][]string{row("messages", strconv.Itoa(t.messages))}
	if t.old != nil {
		rows = append(rows, row("  of old templates", share(t.known)...))
	}
	rows = append(rows,
		row("  of new templates", share(learnt)...),
		row("  unknown", share(unknown)...),
		row("    forgotten", share(t.learner.Forgotten)...),
		row("templates", strconv.Itoa(set.Len())),
		row("  new", strconv.Itoa(added)))
	return report.Table(w, rows)
}
