package examples_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// ticketSystem is a webhook that keeps what it accepts.
type ticketSystem struct {
	mu      sync.Mutex
	tickets []ticket
	refuse  func(n int, t ticket) int // the status of the nth request; 0 to accept it
	asked   int
}

type ticket struct {
	Key, Kind, Title, Machine string
	First                     struct{ Deepcase map[string]any }
}

func (s *ticketSystem) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var t ticket
	if err := json.NewDecoder(r.Body).Decode(&t); err != nil || r.Method != http.MethodPost {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	s.asked++
	if s.refuse != nil {
		if status := s.refuse(s.asked, t); status != 0 {
			w.WriteHeader(status)
			return
		}
	}
	s.tickets = append(s.tickets, t)
}

// grouped is a document with a case.
type grouped struct {
	Deepcase struct {
		Machine, Event, Status, Case string
		Score                        *float64
		Kind                         string `json:"case_kind"`
		Opened                       bool   `json:"case_opened"`
		Send                         *bool
	}
}

// Alarms, new things and audits become one ticket per case, and every event is in one of the two files.
func TestATicketForEachCase(t *testing.T) {
	dir := t.TempDir()
	events := filepath.Join(dir, "events.ndjson")
	const extra = `{"machine":"web-2","event":"never seen","timestamp":"2026-06-01T00:00:00Z"}` + "\n" + // 2 cases
		`{"machine":"web-2","event":"never seen","timestamp":"2026-06-01T00:30:00Z"}` + "\n" +
		`{"machine":"web-2","event":"never seen","timestamp":"2026-06-01T02:00:00Z"}` + "\n" +
		`{"machine":"","event":"never seen","timestamp":"2026-06-01T02:00:00Z"}` + "\n"
	require.NoError(t, os.WriteFile(events, []byte(history(40)), 0o644))
	training := outputs(t)
	training["INPUT"], training["MODEL"], training["BENIGN"], training["EPOCHS"] = events, filepath.Join(dir, "model"), "-", "30"
	training["CLUSTERS"] = filepath.Join(dir, "clusters")
	run(t, "train_from_files.yaml", training)
	require.NoError(t, os.WriteFile(events, []byte(history(40)+extra), 0o644))

	system := &ticketSystem{}
	server := httptest.NewServer(system)
	defer server.Close()
	score := func() map[string]string {
		variables := outputs(t)
		for name, file := range map[string]string{"CASES": "cases", "DISMISSED": "dismissed", "FAILED_TICKETS": "failed"} {
			variables[name] = filepath.Join(t.TempDir(), file+".ndjson")
		}
		variables["INPUT"], variables["MODEL"], variables["TICKETS"], variables["TICKETS_RETRY"] = events, training["MODEL"], server.URL, "1ms"
		variables["AUDIT"] = "0.02"
		system.tickets, system.asked = nil, 0
		run(t, "score_to_tickets.yaml", variables)
		return variables
	}
	variables := score()
	sent, dismissed := lines[grouped](t, variables["CASES"]), lines[grouped](t, variables["DISMISSED"])
	require.Equal(t, 1703, len(sent)+len(dismissed))
	require.Len(t, lines[annotated](t, variables["DEAD_LETTERS"]), 1)
	require.NoFileExists(t, variables["FAILED_TICKETS"])
	cases, kinds := map[string]int{}, map[string]int{}
	for _, d := range sent {
		require.True(t, *d.Deepcase.Send)
		cases[d.Deepcase.Case]++
		if d.Deepcase.Opened {
			kinds[d.Deepcase.Kind]++
		}
	}
	for _, d := range dismissed {
		require.False(t, *d.Deepcase.Send)
		require.Equal(t, "scored", d.Deepcase.Status)
		require.Zero(t, *d.Deepcase.Score)
	}
	t.Logf("%d events, %d sent in %d cases: %v", len(sent)+len(dismissed), len(sent), len(cases), kinds)
	require.GreaterOrEqual(t, kinds["alarm"], 20)
	require.GreaterOrEqual(t, kinds["new"], 2)
	require.Positive(t, kinds["audit"])
	tickets := map[string]bool{}
	for _, ticket := range system.tickets {
		require.False(t, tickets[ticket.Key], "two tickets for %s", ticket.Key)
		tickets[ticket.Key] = true
		require.Positive(t, cases[ticket.Key], ticket.Key)
		require.Contains(t, ticket.Title, " on "+ticket.Machine)
		require.Equal(t, ticket.Key, ticket.First.Deepcase["case"])
	}
	require.Len(t, tickets, len(cases))

	// The system has a bad moment, refuses one for good, and has one already: nothing stops, and the refused one is kept.
	refused, there := system.tickets[5].Key, system.tickets[7].Key // by key, since requests run at the same time
	system.refuse = func(n int, t ticket) int {
		switch {
		case t.Key == refused:
			return http.StatusUnprocessableEntity
		case t.Key == there:
			return http.StatusConflict
		case n == 2, n == 3:
			return http.StatusServiceUnavailable
		}
		return 0
	}
	variables = score()
	require.Len(t, system.tickets, len(cases)-2)
	require.Len(t, lines[grouped](t, variables["CASES"]), len(sent))
	failed := lines[struct {
		Error  string
		Ticket ticket
	}](t, variables["FAILED_TICKETS"])
	require.Len(t, failed, 1)
	require.Equal(t, refused, failed[0].Ticket.Key)
	require.Contains(t, failed[0].Error, "422")
}
