package cli

import (
	"cmp"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/internal/attack"
	"connect-deepcase/internal/cell"
	"connect-deepcase/internal/clusterjson"
	"connect-deepcase/internal/report"
	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/model/store"
)

func clustersCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "clusters",
		Usage: "List the clusters of a model directory, for an analyst to score",
		Description: `Prints for each cluster its event, the number of events in it and its score; the machines and the time span; the most frequent contexts
(the events before it that explain it, with their shares of the attention); and examples. The examples represent the cluster: the first
event, the last one, and others with frequent contexts, machines and days. If they name techniques of MITRE ATT&CK, these are listed with
the number of examples that do. With --json it prints what the input deepcase_train does, with
whole contexts, oldest event first.

With --csv it prints one row per cluster. Fill in the column score (0 is benign, higher is worse, "none" withdraws a score), and give the
file to the processor deepcase_label or to "deepcase manual --load-clusters". Text that a spreadsheet would take for a formula begins with
an apostrophe.

  deepcase clusters --model model --csv > clusters.csv
  deepcase manual --load-interpreter model --load-clusters clusters.csv --save-interpreter model

With --documents it lists the documents of one cluster, or those that belong to none, as the model sees them now. The files hold documents
that deepcase_sequence or deepcase_predict annotated (ndjson), or events (csv, txt or json).

  deepcase clusters --model model --documents annotated.ndjson --cluster 17
  deepcase clusters --model model --documents alerts.csv --cluster none`,
		Flags: slices.Concat([]ucli.Flag{
			modelFlag(),
			&ucli.StringFlag{Name: "of", Usage: "`VERSION` to list (default: the current one)"},
			&ucli.IntFlag{Name: "contexts", Value: 3, Usage: "show `N` contexts of each cluster; csv always has one"},
			boolFlag("", "unscored", "only clusters without a score"),
			boolFlag("", "csv", "print csv"),
			boolFlag("", "json", "print JSON, one object per line"),
			&ucli.GenericFlag{Name: "documents", Value: &paths{}, Usage: "`FILE` of annotated documents or events, to list those of one cluster; may be given several times"},
			&ucli.StringFlag{Name: "cluster", Usage: "`CLUSTER` whose documents are listed; none for documents that belong to no cluster"},
			&ucli.StringFlag{Name: "target", Value: "deepcase", Usage: "`FIELD` of the annotation in documents"},
		}, readingFlags(), otherFlags()),
	}, func(ctx context.Context, s *session) error {
		if s.flags.Bool("csv") && s.flags.Bool("json") {
			return usagef("--csv and --json: give one of them")
		}
		if n := s.flags.Int("contexts"); n < 0 {
			return usagef("--contexts: %d is not at least 0", n)
		}
		if s.flags.Bool("csv") && s.flags.IsSet("contexts") {
			return usagef("--contexts has no effect: csv has one context per cluster")
		}
		documents, _ := s.flags.Generic("documents").(*paths)
		if len(*documents) > 0 {
			return s.documents(ctx, *documents)
		}
		if err := s.refuse("it is for --documents", append([]string{"cluster", "target"}, readingSettings...)...); err != nil {
			return err
		}
		st, err := s.store()
		if err != nil {
			return err
		}
		m, version, err := loadVersion(st, s.flags.String("of"))
		if err != nil {
			return err
		}
		var clusters []model.Cluster
		for _, c := range m.Clusters {
			if c.Score == interpreter.NoScore || !s.flags.Bool("unscored") {
				clusters = append(clusters, c)
			}
		}
		switch {
		case s.flags.Bool("csv"):
			return s.printCSV(clusters, version)
		case s.flags.Bool("json"):
			return s.printJSON(clusters, version)
		}
		return s.printText(clusters)
	})
}

// loadVersion loads a version, "" for the current one, and returns its name.
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

// clusterColumns are those of the csv form.
var clusterColumns = []string{"cluster", "event", "size", "score", "context", "attended", "contexts", "machines", "hosts", "first_seen", "last_seen",
	"hourly_max", "mixed", "examples", "model"}

func (s *session) printCSV(clusters []model.Cluster, version string) error {
	w := csv.NewWriter(s.out)
	if err := w.Write(clusterColumns); err != nil {
		return err
	}
	for _, c := range clusters {
		context := ""
		if len(c.Contexts) > 0 {
			context = contextText(c.Contexts[0])
		}
		row := []string{strconv.Itoa(c.ID), c.Event, strconv.Itoa(c.Size), scoreText(c.Score), context, contextText(c.Contexts...), number(c.ContextCount),
			number(c.MachineCount), hosts(c), timeText(c.FirstSeen), timeText(c.LastSeen), number(c.HourlyMax), mixed(c), strings.Join(exampleTexts(c), " | "), version}
		for i, text := range row {
			row[i] = cell.Quote(report.Visible(text))
		}
		if err := w.Write(row); err != nil {
			return err
		}
	}
	w.Flush()
	return w.Error()
}

// number is empty for 0: a model that an earlier program wrote does not have the number.
func number(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func timeText(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// mixed lists the labels of a cluster by score; it is empty if they agree.
func mixed(c model.Cluster) string {
	var parts []string
	for _, x := range c.Mixed() {
		parts = append(parts, fmt.Sprintf("%s × %d", report.Number(x.Score), x.Count))
	}
	return strings.Join(parts, "; ")
}

// hosts lists the machines with most events.
func hosts(c model.Cluster) string {
	var parts []string
	for _, m := range c.Machines {
		parts = append(parts, fmt.Sprintf("%s × %d", m.Machine, m.Count))
	}
	if more := c.MachineCount - len(c.Machines); more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ")
}

// techniques lists the techniques that the examples of a cluster name.
func techniques(c model.Cluster) string {
	var parts []string
	for _, x := range attack.Counts(c.Examples) {
		parts = append(parts, fmt.Sprintf("%s × %d", x.Technique, x.Count))
	}
	return strings.Join(parts, "; ")
}

const longestExample = 1000 // characters, as in config/examples/train_from_files.yaml

// exampleTexts are a cluster's examples, shortened if they are long.
func exampleTexts(c model.Cluster) (texts []string) {
	for _, x := range c.Examples {
		texts = append(texts, shortened(x))
	}
	return texts
}

func shortened(document json.RawMessage) string {
	text := []rune(string(document))
	if len(text) > longestExample {
		text = append(text[:longestExample], '…')
	}
	return string(text)
}

func (s *session) printText(clusters []model.Cluster) error {
	for _, c := range clusters {
		score := "no score"
		if c.Score != interpreter.NoScore {
			score = "score " + scoreText(c.Score)
		}
		fmt.Fprintf(s.out, "%d  %s  (%d events, %s)\n", c.ID, report.Visible(c.Event), c.Size, score)
		if c.MachineCount > 0 {
			fmt.Fprintf(s.out, "    on %d machines: %s\n", c.MachineCount, report.Visible(hosts(c)))
		}
		if text := mixed(c); text != "" {
			fmt.Fprintf(s.out, "    labels disagree: %s\n", text)
		}
		if !c.FirstSeen.IsZero() {
			fmt.Fprintf(s.out, "    from %s to %s\n", timeText(c.FirstSeen), timeText(c.LastSeen))
		}
		if c.HourlyMax > 0 {
			fmt.Fprintf(s.out, "    at most %d in an hour on a machine\n", c.HourlyMax)
		}
		if text := techniques(c); text != "" {
			fmt.Fprintf(s.out, "    ATT&CK of its examples: %s\n", text)
		}
		for _, context := range c.Contexts[:min(len(c.Contexts), s.flags.Int("contexts"))] {
			fmt.Fprintf(s.out, "    %d × %s\n", context.Count, report.Visible(contextText(context)))
		}
		for _, text := range exampleTexts(c) {
			fmt.Fprintf(s.out, "    example: %s\n", report.Visible(text))
		}
	}
	_, err := fmt.Fprintf(s.out, "%d clusters\n", len(clusters))
	return err
}

// scoreText is a score, or empty if there is none.
func scoreText(score float64) string {
	if score == interpreter.NoScore {
		return ""
	}
	return report.Number(score)
}

// noEvent stands for NO_EVENT in a context: the machine had no earlier event, or none that is recent enough.
const noEvent = "no event"

// contextText lists the events of contexts with their shares of the attention, the largest first. It leaves out shares below 1 %.
func contextText(contexts ...model.ClusterContext) string {
	shares := clusterjson.Attended(contexts...)
	names := slices.SortedFunc(maps.Keys(shares), func(a, b string) int {
		return cmp.Or(cmp.Compare(shares[b], shares[a]), cmp.Compare(a, b))
	})
	var parts []string
	for _, name := range names {
		if percent := math.Round(100 * shares[name]); percent >= 1 {
			parts = append(parts, fmt.Sprintf("%s (%v %%)", cmp.Or(name, noEvent), percent))
		}
	}
	return strings.Join(parts, "; ")
}

func (s *session) printJSON(clusters []model.Cluster, version string) error {
	for _, c := range clusters {
		line, err := clusterjson.New(c, version, s.flags.Int("contexts")).JSON()
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(s.out, "%s\n", report.VisibleJSON(line)); err != nil {
			return err
		}
	}
	return nil
}
