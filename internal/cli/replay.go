package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/internal/clusterjson"
	"connect-deepcase/internal/drift"
	"connect-deepcase/internal/report"
	"connect-deepcase/model/store"
)

func replayCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "replay",
		Usage: "Compare two models on the same alerts: which verdicts change, and how",
		Description: `Gives each alert to two versions of a model and lists the alerts whose verdict changes, by event and cluster: first alarms that nobody
would look at any more. Answers of the decision journal of --model count under both, as they are in force now.

  deepcase replay --model model --documents annotated.ndjson                                # the current training, and the one before
  deepcase replay --model model --against 20261123T141500Z-3f2a --documents alerts.csv      # an earlier version
  deepcase replay --model candidate --against /var/lib/deepcase --documents annotated.ndjson

The files hold documents that deepcase_sequence or deepcase_predict annotated (ndjson), or events (csv, txt or json). Both models need
contexts of the same length.`,
		Flags: slices.Concat([]ucli.Flag{
			modelFlag(),
			&ucli.StringFlag{Name: "of", Usage: "`VERSION` of --model (default: the current one)"},
			&ucli.StringFlag{Name: "against", Usage: "`MODEL` to compare with: another version of --model, another model directory, or DIRECTORY/VERSION " +
				"(default: the last version of the training before)"},
			boolFlag("", "json", "print JSON"),
		}, alertFlags(), holdFlags(), otherFlags()),
	}, replay)
}

// replayed is the result of replay.
type replayed struct {
	Model   compared       `json:"model"`
	Against compared       `json:"against"`
	Alerts  int            `json:"alerts"`
	Changed int            `json:"changed"`
	Classes []classChange  `json:"classes"`
	Changes []drift.Change `json:"changes"`
}

// compared is one of the two models.
type compared struct {
	Directory string `json:"directory"`
	Version   string `json:"version"`
	Clusters  int    `json:"clusters"`
	Scored    int    `json:"scored"`

	loaded *store.Loaded
}

// classChange is how many alerts had one class before and have another, or the same, now.
type classChange struct {
	Before drift.Class `json:"before"`
	Now    drift.Class `json:"now"`
	Alerts int         `json:"alerts"`
}

func replay(ctx context.Context, s *session) (err error) {
	now, before, err := s.compared()
	if err != nil {
		return err
	}
	if a, b := now.loaded.Model.Params.Length, before.loaded.Model.Params.Length; a != b {
		return fmt.Errorf("version %s has contexts of %d events, version %s of %d: only models with contexts of the same length can be compared",
			now.Version, a, before.Version, b)
	}
	if a, b := now.loaded.Model.Params.Timeout, before.loaded.Model.Params.Timeout; a != b {
		s.note("version %s was made with a timeout of %v, version %s with %v: contexts of events are made with the first one", now.Version, a, before.Version, b)
	}
	judges, err := s.judges(now.loaded.Model, before.loaded.Model)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, judges[0].predictor.Close(), judges[1].predictor.Close()) }()
	comparison := drift.Compare()
	err = s.alerts(now.loaded.Model.Params, false, func(alerts []alert) error {
		newer, err := judges[0].verdicts(ctx, alerts)
		if err != nil {
			return err
		}
		older, err := judges[1].verdicts(ctx, alerts)
		if err != nil {
			return err
		}
		for i, a := range alerts {
			comparison.Add(a.Event, a.Machine, older[i], newer[i], a.document)
		}
		return nil
	})
	if err != nil {
		return err
	}
	r := replayed{Model: now, Against: before, Alerts: comparison.Alerts(), Changes: comparison.Changes()}
	for _, x := range drift.Classes {
		for _, y := range drift.Classes {
			r.Classes = append(r.Classes, classChange{x, y, comparison.Count(x, y)})
		}
	}
	for _, c := range r.Changes {
		r.Changed += c.Alerts
	}
	if s.flags.Bool("json") {
		return report.JSON(s.out, r, "  ")
	}
	return r.write(s.out)
}

// compared loads the two models.
func (s *session) compared() (now, before compared, err error) {
	st, err := s.store()
	if err != nil {
		return now, before, err
	}
	dir := s.flags.String("model")
	if now, err = loadCompared(st, dir, s.flags.String("of")); err != nil {
		return now, before, err
	}
	other, version := st, s.flags.String("against")
	otherDir := dir
	switch _, err := store.CreatedAt(version); {
	case version == "":
		if version, err = trainingBefore(st, now.Version); err != nil {
			return now, before, fmt.Errorf("%s: %w", dir, err)
		}
	case err != nil: // a path
		otherDir, version = splitVersion(version)
		if other, err = openStore(otherDir); err != nil {
			return now, before, fmt.Errorf("--against: %w", err)
		}
	}
	if before, err = loadCompared(other, otherDir, version); err != nil {
		return now, before, fmt.Errorf("--against: %w", err)
	}
	if now.Version == before.Version && sameFolder(dir, otherDir) {
		return now, before, usagef("--against: both are version %s", now.Version)
	}
	return now, before, nil
}

// loadCompared loads a version of a directory, "" for the current one. It must have clusters.
func loadCompared(st *store.Store, dir, version string) (compared, error) {
	which := (*store.Store).Current
	if version != "" {
		which = func(*store.Store) (string, error) { return version, nil }
	}
	loaded, err := st.Read(which)
	if err == nil && len(loaded.Model.Clusters) == 0 {
		err = fmt.Errorf("version %s has no clusters: make them with the mode cluster", loaded.Version)
	}
	if err != nil {
		return compared{}, fmt.Errorf("%s: %w", dir, err)
	}
	return compared{dir, loaded.Version, len(loaded.Model.Clusters), loaded.Model.ScoredClusters(), loaded}, nil
}

// splitVersion divides DIRECTORY/VERSION and DIRECTORY/versions/VERSION. The version of a mere DIRECTORY is "".
func splitVersion(path string) (dir, version string) {
	path = filepath.Clean(path)
	if _, err := store.CreatedAt(filepath.Base(path)); err != nil {
		return path, ""
	}
	dir, version = filepath.Dir(path), filepath.Base(path)
	if filepath.Base(dir) == "versions" {
		dir = filepath.Dir(dir)
	}
	return dir, version
}

// trainingBefore names the last version before another one that has other clusters.
func trainingBefore(st *store.Store, version string) (string, error) {
	versions, err := st.Versions()
	if err != nil {
		return "", err
	}
	for _, v := range slices.Backward(versions) {
		if v.Name < version && v.Err == nil && v.Clusters > 0 && !st.SameClusters(version, v.Name) {
			return v.Name, nil
		}
	}
	return "", fmt.Errorf("there is no version of another training before %s: name a version or another directory with --against", version)
}

// The most that is printed; --json has more.
const (
	shownChanges  = 20 // groups of a kind of change
	shownMachines = 3  // of a group
)

func (r replayed) write(w io.Writer) error {
	fmt.Fprintf(w, "%d alerts, before by version %s, now by version %s: %d get another verdict\n\n", r.Alerts, r.Against.Version, r.Model.Version, r.Changed)
	rows := [][]string{{"before", "now: alarm", "question", "dismissed"}}
	for i, c := range r.Classes {
		if i%len(drift.Classes) == 0 {
			rows = append(rows, []string{string(c.Before)})
		}
		rows[len(rows)-1] = append(rows[len(rows)-1], strconv.Itoa(c.Alerts))
	}
	if err := report.Table(w, rows); err != nil {
		return err
	}
	for from := 0; from < len(r.Changes); {
		first, to, alerts := r.Changes[from], from, 0
		for to < len(r.Changes) && r.Changes[to].Before.Class == first.Before.Class && r.Changes[to].Now.Class == first.Now.Class {
			alerts += r.Changes[to].Alerts
			to++
		}
		fmt.Fprintf(w, "\n%s → %s: %s\n", first.Before.Class, first.Now.Class, counted(alerts, "alert"))
		for _, c := range r.Changes[from:min(to, from+shownChanges)] {
			writeChange(w, c)
		}
		if more := to - from - shownChanges; more > 0 {
			fmt.Fprintf(w, "  and %d more groups: see --json\n", more)
		}
		from = to
	}
	_, err := io.WriteString(w, replayFootnote)
	return err
}

func writeChange(w io.Writer, c drift.Change) {
	fmt.Fprintf(w, "  %s: %s → %s: %s on %s: %s\n", report.Visible(c.Event), outcomeText(c.Before), outcomeText(c.Now), counted(c.Alerts, "alert"),
		counted(c.MachineCount, "machine"), report.Visible(machinesText(c.Machines, c.MachineCount)))
	if c.Example != nil {
		fmt.Fprintf(w, "    example: %s\n", report.Visible(shortened(c.Example)))
	}
}

// outcomeText is an outcome as "scored 3 (cluster 17)".
func outcomeText(o drift.Outcome) string {
	text := o.Status
	if o.Score != nil {
		text += " " + report.Number(*o.Score)
	}
	if o.Cluster != nil {
		text += fmt.Sprintf(" (cluster %d)", *o.Cluster)
	}
	return text
}

func machinesText(machines []clusterjson.Machine, count int) string {
	var parts []string
	for _, m := range machines[:min(len(machines), shownMachines)] {
		parts = append(parts, fmt.Sprintf("%s × %d", m.Machine, m.Count))
	}
	if more := count - len(parts); more > 0 {
		parts = append(parts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(parts, "; ")
}

const replayFootnote = `
alarm:     a score above 0, of a cluster or of an answer: a person looks at it.
question:  no score: a person has to say what it is.
dismissed: score 0, or muted: nobody looks at it.
`
