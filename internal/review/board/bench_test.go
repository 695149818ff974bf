package board

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"connect-deepcase/internal/review/database"
	"connect-deepcase/model"
)

// stream invents alerts as deepcase_case writes them: of 10,000 clusters and patterns, on 200 machines, with contexts of 10 events.
func stream(n, from int) []document {
	all := make([]document, n)
	for i := range all {
		k := from + i
		about := (k * 7919) % 10_000
		d := document{At: start.Add(time.Duration(k) * 100 * time.Millisecond), Machine: fmt.Sprintf("host-%03d.example.org", k%200), Event: fmt.Sprintf("Suricata: ET rule number %d", about%300)}
		for j := range 10 {
			d.Context = append(d.Context, fmt.Sprintf("Suricata: ET rule number %d", (about*31+j*j)%300))
			d.Attention = append(d.Attention, 0)
		}
		d.Attention[about%10], d.Attention[(about/10)%10] = 0.3, 0.6
		switch {
		case k%10 < 6:
			score := 0.0
			d.Status, d.Score, d.Cluster = model.Scored.String(), &score, &about
		case k%10 < 8:
			d.Status, d.Cluster = model.Unscored.String(), &about
		default:
			d.Status, d.Case, d.Kind = model.NoCluster.String(), fmt.Sprintf("case-%d", k%200), "new"
		}
		all[i] = d
	}
	return all
}

// BenchmarkIntake reads documents and commits them, a thousand at a time, on one core.
func BenchmarkIntake(b *testing.B) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	board := open(b, b.TempDir(), Options{})
	var texts [][]byte
	var times []time.Time
	for _, d := range stream(20_000, 0) {
		texts, times = append(texts, d.bytes()), append(times, d.At)
	}
	b.ResetTimer()
	var batch []Alert
	for i := 0; b.Loop(); i++ {
		n := i % len(texts)
		a, err := Read(target, texts[n], times[n].Add(time.Duration(i/len(texts))*2000*time.Second))
		if err != nil {
			b.Fatal(err)
		}
		if batch = append(batch, a); len(batch) == 1000 {
			if err := board.Add(b.Context(), batch); err != nil {
				b.Fatal(err)
			}
			batch = nil
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "alerts/s")
}

// BenchmarkMillion takes up a million alerts of 10,000 questions, and opens the store again.
func BenchmarkMillion(b *testing.B) {
	for b.Loop() {
		dir := b.TempDir()
		db, err := database.Open(dir)
		if err != nil {
			b.Fatal(err)
		}
		o := Options{Generation: func(string) string { return "g" }}
		board, err := Open(b.Context(), db, o)
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		for from := 0; from < 1_000_000; from += 5000 {
			var alerts []Alert
			for _, d := range stream(5000, from) {
				alerts = append(alerts, d.alert(b))
			}
			if err := board.Add(b.Context(), alerts); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/million")
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		runtime.GC()
		if db, err = database.Open(dir); err != nil {
			b.Fatal(err)
		}
		began = time.Now()
		if board, err = Open(b.Context(), db, o); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(time.Since(began).Seconds(), "s/restart")
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		b.ReportMetric(float64(m.HeapAlloc)/1e6, "MB-heap")
		b.ReportMetric(resident(b)/1e6, "MB-resident")
		board.View(func(v View) { b.ReportMetric(float64(len(v.Questions())), "questions") })
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// resident is what the process has in memory now, 0 if the system does not say.
func resident(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(text), "VmRSS:")
	kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
	if err != nil {
		b.Fatal(err)
	}
	return kb * 1024
}
