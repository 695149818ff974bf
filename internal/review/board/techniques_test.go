package board

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
	"github.com/stretchr/testify/require"

	"connect-deepcase/internal/attack"
	"connect-deepcase/internal/snapshot"
)

// Techniques of questions and cases are counted as a simple program counts them.
func TestTechniquesOfQuestionsAndCases(t *testing.T) {
	b := open(t, t.TempDir(), Options{})
	clusters, inCase := map[string]map[string]int{}, map[string]map[string]int{}
	add := func(to map[string]map[string]int, id string, d document) {
		for _, x := range d.Techniques {
			if to[id] == nil {
				to[id] = map[string]int{}
			}
			to[id][x]++
		}
	}
	var alerts []Alert
	for _, d := range invented(rand.New(rand.NewPCG(5, 6)), 2000) {
		a := d.alert(t)
		alerts = append(alerts, a)
		if a.clustered() && a.asks() {
			add(clusters, ClusterID("g-v1", a.Cluster), d)
		}
		if a.Case != "" {
			add(inCase, caseID(a.Case), d)
		}
	}
	require.NoError(t, b.Add(t.Context(), alerts))
	require.NotEmpty(t, clusters)
	b.View(func(v View) {
		for id, want := range clusters {
			require.Equal(t, want, v.Questions()[id].Techniques, id)
		}
		for id, c := range v.Cases() {
			require.Equal(t, inCase[id], c.Techniques, id)
		}
	})
}

func TestTechniquesOfAQuestionAreBounded(t *testing.T) {
	b := open(t, t.TempDir(), Options{})
	cluster := 1
	var alerts []Alert
	for i := range 100 {
		alerts = append(alerts, document{At: start.Add(time.Duration(i) * time.Second), Machine: "m", Event: "e", Context: []string{""}, Status: "unscored", Cluster: &cluster,
			Techniques: []string{fmt.Sprintf("T%04d", i)}}.alert(t))
	}
	require.NoError(t, b.Add(t.Context(), alerts))
	b.View(func(v View) { require.Len(t, v.Questions()[ClusterID("g-v1", 1)].Techniques, attack.Most) })
}

// The techniques of a document that is cut are those of all of it, also after a crash.
func TestTechniquesOfALongDocument(t *testing.T) {
	d := document{At: start, Machine: strings.Repeat("m", maxBody), Event: "e", Context: []string{""}, Status: "no_cluster", Techniques: []string{"T1110"}}
	a := d.alert(t)
	require.True(t, a.Cut)
	require.NotContains(t, string(a.Body), "T1110")
	packed := a.append(binary.AppendUvarint(binary.AppendVarint([]byte{intakeVersion}, 0), 1))
	_, again, err := unpackAlerts(s2.Encode(nil, snapshot.Seal(packed)))
	require.NoError(t, err)
	require.Equal(t, []string{"T1110"}, again[0].Techniques)
}

// What an earlier program left when it crashed is taken up, with the techniques that its documents name.
func TestRowsOfTheEarlierVersionAreRead(t *testing.T) {
	a := document{At: start, Machine: "m", Event: "e", Context: []string{""}, Status: "no_cluster", Techniques: []string{"T1110"}}.alert(t)
	a.Techniques = nil
	packed := binary.AppendUvarint(binary.AppendVarint([]byte{earlierVersion}, 0), 2)
	for range 2 {
		packed = a.append(packed)
		packed = packed[:len(packed)-1] // the number of techniques, which it did not write
	}
	_, again, err := unpackAlerts(s2.Encode(nil, snapshot.Seal(packed)))
	require.NoError(t, err)
	require.Len(t, again, 2)
	require.Equal(t, []string{"T1110"}, again[1].Techniques)
	require.Equal(t, a.Body, again[1].Body)
}
