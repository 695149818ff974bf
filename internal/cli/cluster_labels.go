package cli

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"connect-deepcase/internal/cell"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/textfile"
	"connect-deepcase/model"
	"connect-deepcase/model/interpreter"
)

// clusterLabels are labels of clusters that a file gives.
type clusterLabels struct {
	path      string
	clusters  []int32
	labels    []float64         // NoScore if there is none
	withdrawn map[int]bool      // clusters whose score is withdrawn
	rows      *model.Assignment // of the events, if they were clustered; nil if only clusters are known
	perEvent  bool              // one row per event (columns clusters, labels), not one per cluster (cluster, score)
	version   string            // of the model that has these clusters; "" if the file does not say
	ignored   []string          // unknown columns
}

// withdrawal is written in the column score to withdraw a score.
const withdrawal = "none"

func loadClusters(path string) (clusterLabels, error) {
	f, err := os.Open(path)
	if err != nil {
		return clusterLabels{}, err
	}
	defer f.Close()
	l, err := readClusters(f)
	l.path = path
	if err != nil {
		return l, fmt.Errorf("%s: %w", path, err)
	}
	return l, nil
}

func readClusters(in io.Reader) (clusterLabels, error) {
	var l clusterLabels
	b, err := textfile.NewReader(in)
	if err != nil {
		return l, err
	}
	bounded := &boundedRecords{in: b}
	r := csv.NewReader(bounded)
	if r.Comma = ','; semicolons(b) {
		r.Comma = ';'
	}
	header, err := r.Read()
	if errors.Is(err, io.EOF) {
		return l, errors.New("the file is empty, need a header")
	} else if err != nil {
		return l, err
	}
	for i, name := range header {
		header[i] = strings.TrimSpace(name)
		if slices.Contains(header[:i], header[i]) && header[i] != "" {
			return l, fmt.Errorf("column %q comes twice, need one", header[i])
		}
	}
	l.perEvent = slices.Contains(header, "clusters")
	names := []string{"cluster", "score"}
	if l.perEvent {
		names = []string{"clusters", "labels"}
	}
	columns := [2]int{slices.Index(header, names[0]), slices.Index(header, names[1])}
	if columns[0] < 0 || columns[1] < 0 {
		return l, fmt.Errorf("columns are %s, need clusters,labels (one row per event) or cluster,score (one row per cluster)", strings.Join(header, ","))
	}
	version := slices.Index(header, "model")
	for _, name := range header {
		if l.perEvent && !slices.Contains([]string{"clusters", "labels", "model"}, name) || !l.perEvent && !slices.Contains(clusterColumns, name) {
			l.ignored = append(l.ignored, strconv.Quote(name))
		}
	}
	given := map[int32]string{} // by cluster
	for {
		bounded.used = r.InputOffset()
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			return l, nil
		} else if err != nil {
			return l, err
		}
		wrong := func(i int, want string) error {
			line, _ := r.FieldPos(columns[i])
			return fmt.Errorf("line %d: %s: %q is not %s", line, names[i], row[columns[i]], want)
		}
		for i, text := range row {
			row[i] = cell.Unquote(text) // a quote of ours, or of a user who told a spreadsheet that it is text
		}
		cluster, err := strconv.ParseFloat(row[columns[0]], 64) // a spreadsheet may have written 3.0
		if err != nil || cluster != float64(int32(cluster)) || cluster < -1 {
			return l, wrong(0, "the number of a cluster, or -1 for none")
		}
		text := strings.TrimSpace(row[columns[1]])
		if !l.perEvent && text != "" {
			switch before, again := given[int32(cluster)]; {
			case cluster < 0:
				return l, wrong(0, "the number of a cluster: a score needs one")
			case again && before != text:
				return l, wrong(1, fmt.Sprintf("%q, the score of the cluster in an earlier row", before))
			}
			given[int32(cluster)] = text
		}
		if strings.EqualFold(text, withdrawal) && !l.perEvent {
			if l.withdrawn == nil {
				l.withdrawn = map[int]bool{}
			}
			l.withdrawn[int(cluster)] = true
			text = ""
		}
		if r.Comma == ';' {
			text = strings.ReplaceAll(text, ",", ".")
		}
		label, err := field.Label(text, "")
		if err != nil || !(label >= 0 && label <= maxScore || label == interpreter.NoScore) {
			want := "a score of at least 0, or none to withdraw the score"
			if l.perEvent {
				want = "a label of at least 0, or -1 for none"
			}
			return l, wrong(1, want)
		}
		if version >= 0 && row[version] != "" {
			if l.version != "" && l.version != row[version] {
				line, _ := r.FieldPos(version)
				return l, fmt.Errorf("line %d: model: %q after %q: all rows must be of one version", line, row[version], l.version)
			}
			l.version = row[version]
		}
		l.clusters, l.labels = append(l.clusters, int32(cluster)), append(l.labels, label)
	}
}

// boundedRecords fails when a csv reader makes no progress: when a record is longer than textfile.MaxRecord.
type boundedRecords struct {
	in   io.Reader
	read int64
	used int64 // bytes of earlier records
}

func (b *boundedRecords) Read(p []byte) (int, error) {
	if b.read-b.used > textfile.MaxRecord {
		return 0, textfile.LongError{Most: textfile.MaxRecord}
	}
	n, err := b.in.Read(p)
	b.read += int64(n)
	return n, err
}

// semicolons reports whether the file comes from a spreadsheet of a country with decimal commas.
func semicolons(b *bufio.Reader) bool {
	start, _ := b.Peek(200)
	header, _, _ := bytes.Cut(start, []byte("\n"))
	return bytes.ContainsRune(header, ';') && !bytes.ContainsRune(header, ',')
}

const maxScore = 1e15 // keeps nonsense out

// check compares the clusters in the file with those that were found.
func (l clusterLabels) check(clusters []int32) error {
	if !l.perEvent {
		return nil
	}
	if len(l.clusters) != len(clusters) {
		return fmt.Errorf("%s: %d rows, need %d: one per event", l.path, len(l.clusters), len(clusters))
	}
	for row, c := range clusters {
		if l.clusters[row] != c {
			return fmt.Errorf("%s: row %d says cluster %d, but the event is in cluster %d: the file belongs to another clustering", l.path, row+1, l.clusters[row], c)
		}
	}
	return nil
}

// score gives m's clusters their scores. A cluster without a label or score in the file keeps its score. If there is one row per event, a
// strategy makes the scores of the labels, and each cluster must have as many rows as it has events in m.
func (l clusterLabels) score(m *model.Model, strategy interpreter.Strategy) (*model.Model, error) {
	if l.perEvent && len(l.clusters) != m.Samples {
		return nil, fmt.Errorf("%s: %d rows, but the interpreter was made from %d events", l.path, len(l.clusters), m.Samples)
	}
	sizes := make([]int, len(m.Clusters))
	for row, c := range l.clusters {
		if int(c) >= len(sizes) {
			return nil, fmt.Errorf("%s: row %d: cluster %d is not one of %d", l.path, row+1, c, len(sizes))
		}
		if c >= 0 {
			sizes[c]++
		}
	}
	for i, c := range m.Clusters {
		if l.perEvent && sizes[i] != c.Size {
			return nil, fmt.Errorf("%s: %d rows of cluster %d, which has %d events: the file belongs to another clustering", l.path, sizes[i], i, c.Size)
		}
	}
	scored, err := l.give(m, strategy)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", l.path, err)
	}
	return scored, nil
}

func (l clusterLabels) give(m *model.Model, strategy interpreter.Strategy) (*model.Model, error) {
	if l.perEvent {
		rows := l.rows
		if rows == nil {
			rows = &model.Assignment{Clusters: l.clusters}
		}
		return m.WithLabels(rows, l.labels, strategy)
	}
	scores := map[int]float64{}
	for row, c := range l.clusters {
		if l.labels[row] != interpreter.NoScore && l.labels[row] != m.Clusters[c].Score { // the file has all scores, also those of labels
			scores[int(c)] = l.labels[row]
		}
	}
	for c := range l.withdrawn {
		scores[c] = interpreter.NoScore
	}
	return m.WithScores(scores)
}
