package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"slices"
	"time"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/internal/review/gate"
	"connect-deepcase/internal/review/server"
)

func reviewCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "review",
		Usage: "Review annotated alerts of finished files in a browser",
		Description: `Reads documents that deepcase_predict annotated (and deepcase_case, if there are cases), and serves the review page on them until it is
interrupted (Ctrl-C). The files are ndjson and may be compressed. Ages and rates on the page are as of the last alert.

Answers and scores go to the model directory: deepcase_predict applies them to new alerts, and "deepcase decisions" lists them.

The page keeps its own data in a temporary directory, which is removed at the end, unless --store names one. What is snoozed, and the cases
that are closed, are lost with it. Answers and scores are not. Started again with the same --store, give no --annotated: the alerts are there.

  deepcase review --model model --annotated annotated.ndjson
  deepcase review --model model --annotated monday.ndjson.gz --annotated tuesday.ndjson.gz --store review --listen 127.0.0.1:8080`,
		Flags: slices.Concat([]ucli.Flag{
			modelFlag(),
			&ucli.GenericFlag{Name: "annotated", Value: &paths{}, Usage: "`FILE` of annotated documents (ndjson); may be given several times"},
			&ucli.StringFlag{Name: "time", Value: "timestamp", Usage: "`FIELD` with the time of an alert"},
			&ucli.StringFlag{Name: "time-format", Value: "auto", Usage: "`FORMAT` of times, as in other commands"},
			&ucli.StringFlag{Name: "target", Value: "deepcase", Usage: "`FIELD` of the annotation in documents"},
			&ucli.StringFlag{Name: "store", Usage: "`DIRECTORY` of the page's own data", DefaultText: "a temporary one"},
			&ucli.StringFlag{Name: "listen", Value: "127.0.0.1:4280", Usage: "`ADDRESS` to serve the page at; port 0 takes a free one. Any host but loopback needs --tokens"},
			&ucli.StringFlag{Name: "tokens", Usage: "`FILE` of tokens, with which people sign in (see docs/review.md)"},
			&ucli.StringFlag{Name: "by", Usage: "`NAME` on decisions, if nobody signs in", DefaultText: "your user name"},
		}, holdFlags(), otherFlags()),
	}, serveReview)
}

func serveReview(ctx context.Context, s *session) (err error) {
	o, err := s.reviewOptions()
	if err != nil {
		return err
	}
	if o.Store == "" {
		if o.Store, err = os.MkdirTemp("", "deepcase-review-"); err != nil {
			return fmt.Errorf("--store: %w", err)
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.Store)) }()
	}
	r, err := server.Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close(context.WithoutCancel(ctx))) }()
	files, _ := s.flags.Generic("annotated").(*paths)
	switch kept := r.State().Newest; {
	case kept.IsZero() && len(*files) == 0:
		return usagef("no alerts: give annotated documents with --annotated")
	case !kept.IsZero() && len(*files) > 0:
		return usagef("--store: %s has alerts up to %s already, and would count these again: leave out --annotated, or name an empty directory",
			o.Store, timeText(kept))
	case kept.IsZero():
		if err := s.readReviewed(ctx, r, *files); err != nil {
			return err
		}
	}
	r.Serve()
	fmt.Fprintln(s.out, r.URL())
	s.note("open this address in a browser; Ctrl-C ends it")
	<-ctx.Done()
	return nil
}

func (s *session) reviewOptions() (o server.Options, err error) {
	if _, err := s.store(); err != nil {
		return o, err
	}
	e, err := s.engine()
	if err != nil {
		return o, err
	}
	hold, err := s.hold()
	if err != nil {
		return o, err
	}
	o = server.Options{
		Model: s.flags.String("model"), Store: s.flags.String("store"), Address: s.flags.String("listen"), Levels: review.DefaultLevels, Hold: hold,
		Engine: e, Finished: true, Log: s.note,
		Gate: gate.Options{Mode: "none", By: s.flags.String("by")},
	}
	if o.Gate.By == "" {
		o.Gate.By = "analyst"
		if u, err := user.Current(); err == nil {
			o.Gate.By = cmp.Or(u.Username, o.Gate.By)
		}
	}
	if o.Gate.TokensFile = s.flags.String("tokens"); o.Gate.TokensFile != "" {
		o.Gate.Mode = "token"
	}
	return o, nil
}

// reviewedAtOnce is how many alerts are taken up together.
const reviewedAtOnce = 1000

// readReviewed gives the alerts of files to the page. Lines that are none are left out, and noted.
func (s *session) readReviewed(ctx context.Context, r *server.Server, files []string) error {
	target, err := annotation.ParseTarget(s.flags.String("target"))
	if err != nil {
		return usagef("--target %s", err)
	}
	format, err := field.ParseTimeFormat(s.flags.String("time-format"))
	if err != nil {
		return usagef("--time-format: %s", err)
	}
	var some []board.Alert
	taken, refused, began := 0, 0, time.Now()
	var first error // that was refused
	flush := func() error {
		err := r.Add(ctx, some)
		taken += len(some)
		some = some[:0]
		return errors.Join(err, ctx.Err())
	}
	for _, path := range files {
		number := 0
		err := eachFileLine(path, func(line []byte) error {
			number++
			at, err := timeOf(line, s.flags.String("time"), "--time FIELD", format)
			if err == nil {
				var a board.Alert
				if a, err = board.Read(target, line, at); err == nil {
					some = append(some, a)
				}
			}
			if err != nil {
				if refused++; first == nil {
					first = fmt.Errorf("%s: alert %d: %w", path, number, err)
				}
			}
			if len(some) < reviewedAtOnce {
				return nil
			}
			return flush()
		})
		if err != nil {
			return err
		}
	}
	if err := flush(); err != nil {
		return err
	}
	switch {
	case taken == 0 && first != nil:
		return fmt.Errorf("there are no annotated alerts: %w", first)
	case taken == 0:
		return errors.New("--annotated: there are no alerts, need at least one")
	case refused > 0:
		s.note("%d alerts are left out; the first one: %v", refused, first)
	}
	s.note("read %d alerts in %s", taken, time.Since(began).Round(100*time.Millisecond))
	return nil
}
