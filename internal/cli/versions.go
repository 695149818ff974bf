package cli

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/internal/report"
	"connect-deepcase/model/store"
)

func modelFlag() ucli.Flag {
	return &ucli.StringFlag{Name: "model", Usage: "model `DIRECTORY`"}
}

// store opens the directory that --model names.
func (s *session) store() (*store.Store, error) {
	dir := s.flags.String("model")
	if dir == "" {
		return nil, usagef("no model: give a model directory with --model")
	}
	return openStore(dir)
}

func versionsCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "versions",
		Usage: "List the versions of a model directory, oldest first",
		Flags: []ucli.Flag{modelFlag(), boolFlag("", "json", "print JSON, one object per line")},
	}, func(_ context.Context, s *session) error {
		st, err := s.store()
		if err != nil {
			return err
		}
		versions, err := st.Versions()
		if err != nil {
			return err
		}
		if _, err := st.Current(); err != nil && !errors.Is(err, store.ErrEmpty) {
			s.note("none is current: %v", err)
		}
		if i := slices.IndexFunc(versions, func(v store.Version) bool { return v.Err == nil && store.Ahead(v.Name, v.Created) }); i >= 0 {
			s.note("a clock was ahead once: from %s on, the times in the names are too late; names give the order, created gives the time", versions[i].Name)
		}
		if s.flags.Bool("json") {
			for _, v := range versions {
				if err := report.JSON(s.out, versionOf(v), ""); err != nil {
					return err
				}
			}
			return nil
		}
		builder, _ := st.PendingNetwork() // "" if it cannot be told
		rows := [][]string{{"version", "created", "event types", "sequences", "clusters", "scored", ""}}
		for _, v := range versions {
			row := []string{v.Name, v.Created.UTC().Format(time.RFC3339), strconv.Itoa(v.Events), strconv.Itoa(v.Samples),
				strconv.Itoa(v.Clusters), strconv.Itoa(v.Scored), ""}
			if v.Err != nil {
				row = []string{v.Name, "", "", "", "", "", "cannot be read: " + v.Err.Error()}
			}
			if v.Name == builder && !v.Current {
				row[6] = "waits to be clustered"
			}
			if v.Current {
				row[6] = strings.TrimSuffix("current, "+row[6], ", ")
			}
			rows = append(rows, row)
		}
		return report.Table(s.out, rows)
	})
}

// version is what is printed about a version.
type version struct {
	Version  string    `json:"version"`
	Created  time.Time `json:"created"`
	Current  bool      `json:"current"`
	Events   int       `json:"events"`
	Samples  int       `json:"samples"`
	Clusters int       `json:"clusters"`
	Scored   int       `json:"scored"`
	Error    string    `json:"error,omitempty"`
}

func versionOf(v store.Version) version {
	o := version{Version: v.Name, Created: v.Created.UTC(), Current: v.Current, Events: v.Events, Samples: v.Samples,
		Clusters: v.Clusters, Scored: v.Scored}
	if v.Err != nil {
		o.Error = v.Err.Error()
	}
	return o
}
