//go:build browser

package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"connect-deepcase/model/decisions"
	"connect-deepcase/model/store"
)

var row = regexp.MustCompile(`<tr[^>]*\bdata-key="([^"]+)"[^>]*\bdata-rev="([^"]*)"`)

// acknowledged is a decision that the page has said is made.
type acknowledged struct {
	why   string
	score float64
}

// The page publishes, a labeller scores, and a training replaces the model, again and again and all in the same directory. Meanwhile 200 decisions
// come by HTTP, and the page is killed twice. Nothing that was acknowledged is lost.
func TestPageLabellerAndTrainingAtOnce(t *testing.T) {
	folder := copied(t, plain)
	arguments := []string{"--by", "ann", "--store", "store"}
	s := serve(t, folder, append(arguments, "--annotated", "annotated.ndjson")...)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var labelled, trained atomic.Int64
	others := make(chan error, 2)
	go func() { others <- again(ctx, &labelled, func(n int) error { return label(folder, n) }) }()
	go func() { others <- again(ctx, &trained, func(n int) error { return train(folder, n) }) }()
	var made []acknowledged
	refused := map[int]int{}
	began, kills := time.Now(), 0
	for n := 0; len(made) < 200 || labelled.Load() < 5 || trained.Load() < 2; n++ {
		require.Less(t, time.Since(began), 3*time.Minute, "%d decisions, %d labelled, %d trained; refused: %v", len(made), labelled.Load(), trained.Load(), refused)
		if a := decideOne(t, s, n, refused); a != nil {
			made = append(made, *a)
		}
		if n%25 == 24 {
			status, text := s.do(t, "POST", "/api/publish", "{}", "Content-Type", "application/json")
			require.Contains(t, []int{200, 409, 422, 423, 429}, status, text)
		}
		if kills < 2 && len(made) >= 70*(kills+1) {
			s.kill()
			kills++
			s = serve(t, folder, arguments...)
		}
	}
	stop()
	for range 2 {
		require.NoError(t, <-others)
	}
	// What was scored since the last training, and is in no version yet when the page is killed, is published after its next start.
	for n := range 45 {
		if a := decideOne(t, s, 10_000+n, refused); a != nil {
			made = append(made, *a)
		}
	}
	s.kill()
	s = serve(t, folder, arguments...)
	status, text := s.do(t, "POST", "/api/publish", "{}", "Content-Type", "application/json")
	t.Logf("%d decisions in %s, while %d files were labelled and %d models learnt; refused by status: %v; the last publish: %d %s", len(made),
		time.Since(began).Round(time.Second), labelled.Load(), trained.Load(), refused, status, text)

	models, err := store.Open(filepath.Join(folder, "model"), false)
	require.NoError(t, err)
	current, err := models.Read((*store.Store).Current)
	require.NoError(t, err)
	byReason, last := map[string]decisions.Decision{}, map[int]decisions.Decision{}
	damage, err := models.Decisions(decisions.DefaultHold).Each(func(d decisions.Decision) error {
		byReason[d.Reason] = d
		if d.Kind == decisions.Cluster && models.SameClusters(current.Version, d.Version) {
			last[d.Cluster] = d
		}
		return nil
	})
	require.NoError(t, err)
	require.Zero(t, damage)
	for _, a := range made {
		require.Contains(t, byReason, a.why, "an acknowledged decision is not in the journal")
		require.InDelta(t, a.score, byReason[a.why].Score, 0)
		require.Equal(t, "ann", byReason[a.why].By)
	}
	require.NotEmpty(t, last)
	for cluster, d := range last {
		require.InDelta(t, d.Score, current.Model.Clusters[cluster].Score, 0, "cluster %d of %s: the last decision is number %d, by %s", cluster, current.Version, d.Number, d.By)
	}
}

// again does something until the end, and counts how often.
func again(ctx context.Context, count *atomic.Int64, what func(n int) error) error {
	for n := 0; ctx.Err() == nil; n++ {
		if err := what(n); err != nil {
			return err
		}
		count.Add(1)
	}
	return nil
}

// label scores three clusters of the current model from a file, as another analyst does.
func label(folder string, n int) error {
	version, err := os.ReadFile(filepath.Join(folder, "model", "CURRENT"))
	if err != nil {
		return err
	}
	rows := "cluster,score,model\n"
	for i := range 3 {
		rows += fmt.Sprintf("%d,%d,%s\n", (7*n+13*i)%50, n%3, bytes.TrimSpace(version))
	}
	file := fmt.Sprintf("scores-%d.csv", n)
	if err := os.WriteFile(filepath.Join(folder, file), []byte(rows), 0o600); err != nil {
		return err
	}
	return program(folder, []string{"MODEL=model", "INPUT=" + file, fmt.Sprintf("OUTPUT=applied-%d.ndjson", n), fmt.Sprintf("DEAD_LETTERS=refused-%d.ndjson", n)},
		"run", example("label_from_csv.yaml"))
}

// train learns a new model from the same alerts, as every night. From the second on its settings differ, so that its clusters do.
func train(folder string, n int) error {
	return program(folder, []string{"MODEL=model", "INPUT=alerts-train.ndjson", "ID_FIELD=id", "LABEL_FIELD=none", fmt.Sprintf("CLUSTERS=night-%d", n), fmt.Sprintf("SPOOL=spool-%d", n),
		fmt.Sprintf("EPOCHS=%d", 5+n%3), fmt.Sprintf("TRAININGS=nights-%d.ndjson", n)}, "run", example("train_from_files.yaml"))
}

// decideOne scores the first open question of a view of the queue. It returns nil if somebody was faster.
func decideOne(t testing.TB, s *server, n int, refused map[int]int) *acknowledged {
	t.Helper()
	status, page := s.do(t, "GET", "/queue?view="+[]string{"clusters", "unsure", "scored"}[n%3], "")
	if status == http.StatusTooManyRequests {
		refused[status]++
		time.Sleep(100 * time.Millisecond)
		return nil
	}
	require.Equal(t, 200, status, page)
	found := row.FindAllStringSubmatch(page, -1)
	if len(found) == 0 {
		return nil
	}
	item := found[n%min(len(found), 10)]
	a := acknowledged{why: fmt.Sprintf("decision %d of the test", n), score: float64(n % 4)}
	body, err := json.Marshal(map[string]any{
		"items": []any{map[string]string{"id": item[1], "rev": item[2]}}, "action": "score", "score": a.score, "why": a.why, "confirm": true,
	})
	require.NoError(t, err)
	status, answer := s.do(t, "POST", "/api/decisions", string(body), "Content-Type", "application/json")
	if status == http.StatusOK {
		return &a
	}
	// Decided meanwhile, gone with its model, locked for long, too fast.
	require.Contains(t, []int{404, 409, 423, 429}, status, answer)
	refused[status]++
	time.Sleep(50 * time.Millisecond)
	return nil
}
