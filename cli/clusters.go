package cli

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/cli/report"
	"connect-deepcase/internal/clusterjson"
	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/model/store"
)

func clustersCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "clusters",
		Usage: "List the clusters of a model directory, for an analyst to score",
		Description: `Each cluster with its event, the number of events in it, its score, and the contexts that came most often: the events before it that
explain it, with their shares of the attention. The JSON form, that of the input deepcase_train, has the whole contexts, oldest first.

The csv form has the columns cluster, event, size, score, context and model. Fill in the scores (0 is benign, higher is worse), and give
the file to the processor deepcase_label, or to "deepcase manual --load-clusters":

  deepcase clusters --model model --csv > clusters.csv
  deepcase manual --load-interpreter model --load-clusters clusters.csv --save-interpreter model`,
		Flags: []ucli.Flag{
			modelFlag(),
			&ucli.StringFlag{Name: "of", Usage: "`VERSION` to list (default: the current one)"},
			&ucli.IntFlag{Name: "contexts", Value: 3, Usage: "show `N` contexts a cluster; in csv it is one"},
			boolFlag("", "unscored", "only clusters without a score"),
			boolFlag("", "csv", "print csv"),
			boolFlag("", "json", "print JSON, an object a line"),
		},
	}, func(s *session) error {
		if s.c.Bool("csv") && s.c.Bool("json") {
			return usagef("--csv and --json: give one of them")
		}
		if n := s.c.Int("contexts"); n < 0 {
			return usagef("contexts: %d is not at least 0", n)
		}
		st, err := s.store()
		if err != nil {
			return err
		}
		m, version, err := loadVersion(st, s.c.String("of"))
		if err != nil {
			return err
		}
		var clusters []model.Cluster
		for _, c := range m.Clusters {
			if c.Score == interpreter.NoScore || !s.c.Bool("unscored") {
				clusters = append(clusters, c)
			}
		}
		switch {
		case s.c.Bool("csv"):
			return s.printCSV(clusters, version)
		case s.c.Bool("json"):
			return s.printJSON(clusters, version)
		}
		return s.printText(clusters)
	})
}

// loadVersion loads a version, "" for the current one, and tells its name.
func loadVersion(st *store.Store, version string) (*model.Model, string, error) {
	if version == "" {
		loaded, err := st.Read((*store.Store).Current)
		if err != nil {
			return nil, "", err
		}
		return loaded.Model, loaded.Version, nil
	}
	m, err := st.Load(version)
	if err != nil {
		return nil, "", fmt.Errorf("version %s: %w", version, err)
	}
	return m, version, nil
}

func (s *session) printCSV(clusters []model.Cluster, version string) error {
	w := csv.NewWriter(s.out)
	err := w.Write([]string{"cluster", "event", "size", "score", "context", "model"})
	for _, c := range clusters {
		context := ""
		if len(c.Contexts) > 0 {
			context = contextText(c.Contexts[0])
		}
		err = errors.Join(err, w.Write([]string{strconv.Itoa(c.ID), cell(c.Event), strconv.Itoa(c.Size), scoreText(c.Score), cell(context), version}))
	}
	w.Flush()
	return errors.Join(err, w.Error())
}

// cell is text that a spreadsheet takes for text: event names come from outside, and one could be a formula.
func cell(text string) string {
	if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
		return "'" + text
	}
	return text
}

func (s *session) printText(clusters []model.Cluster) error {
	for _, c := range clusters {
		score := "no score"
		if c.Score != interpreter.NoScore {
			score = "score " + scoreText(c.Score)
		}
		fmt.Fprintf(s.out, "%d  %s  (%d events, %s)\n", c.ID, c.Event, c.Size, score)
		for _, context := range c.Contexts[:min(len(c.Contexts), s.c.Int("contexts"))] {
			fmt.Fprintf(s.out, "    %d × %s\n", context.Count, contextText(context))
		}
	}
	_, err := fmt.Fprintf(s.out, "%d clusters\n", len(clusters))
	return err
}

// scoreText is a score; empty where there is none.
func scoreText(score float64) string {
	if score == interpreter.NoScore {
		return ""
	}
	return report.Number(score)
}

// contextText shows the events that explain, with their shares of the attention, the largest first; shares below 1 % are left out.
func contextText(c model.ClusterContext) string {
	shares := clusterjson.Attended(c)
	names := slices.SortedFunc(maps.Keys(shares), func(a, b string) int {
		return cmp.Or(cmp.Compare(shares[b], shares[a]), cmp.Compare(a, b))
	})
	var parts []string
	for _, name := range names {
		if percent := math.Round(100 * shares[name]); percent >= 1 {
			parts = append(parts, fmt.Sprintf("%s (%v %%)", cmp.Or(name, "nothing"), percent))
		}
	}
	return strings.Join(parts, "; ")
}

func (s *session) printJSON(clusters []model.Cluster, version string) error {
	for _, c := range clusters {
		line, err := clusterjson.New(c, version, s.c.Int("contexts")).JSON()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(s.out, "%s\n", line); err != nil {
			return err
		}
	}
	return nil
}
