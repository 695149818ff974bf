package demo

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"
	"time"
)

// WriteNDJSON writes one JSON object per line.
func WriteNDJSON(w io.Writer, alerts []Alert) error {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	for i := range alerts {
		if err := e.Encode(&alerts[i]); err != nil {
			return err
		}
	}
	return b.Flush()
}

// WriteCSV writes a header with the names of the JSON fields, and one row per alert.
func WriteCSV(w io.Writer, alerts []Alert) error {
	c := csv.NewWriter(w)
	_ = c.Write([]string{"timestamp", "id", "machine", "event", "source_ip", "user", "message", "label", "attack"})
	for _, a := range alerts {
		_ = c.Write([]string{a.Timestamp.Format(time.RFC3339Nano), a.ID, a.Machine, a.Event, a.SourceIP, a.User, a.Message,
			strconv.Itoa(a.Label), a.Attack})
	}
	c.Flush()
	return c.Error()
}
