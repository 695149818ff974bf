package main

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
)

// score says how well groups of lines are the true ones.
type score struct {
	accuracy float64 // share of the lines whose group is exactly a true one (grouping accuracy)
	f1       float64 // of groups: harmonic mean of the shares of found groups that are true, and of true groups that are found
	groups   int
	truth    int
}

func judge(truth, found []string) score {
	type pair struct{ truth, found string }
	inTruth, inFound, inBoth := map[string]int{}, map[string]int{}, map[pair]int{}
	for i, f := range found {
		inTruth[truth[i]]++
		inFound[f]++
		inBoth[pair{truth[i], f}]++
	}
	lines, groups := 0, 0
	for p, n := range inBoth {
		if inTruth[p.truth] == n && inFound[p.found] == n {
			lines += n
			groups++
		}
	}
	return score{
		accuracy: float64(lines) / float64(len(found)), f1: 2 * float64(groups) / float64(len(inTruth)+len(inFound)),
		groups: len(inFound), truth: len(inTruth),
	}
}

// average is that of accuracy and F1.
func average(scores []score) (mean score) {
	for _, s := range scores {
		mean.accuracy += s.accuracy / float64(len(scores))
		mean.f1 += s.f1 / float64(len(scores))
	}
	return mean
}

// wrong prints the true groups that were not found, biggest first, with what they became.
func wrong(truth, found []string) {
	size, became := map[string]int{}, map[string]map[string]int{}
	for i, f := range found {
		size[f]++
		if became[truth[i]] == nil {
			became[truth[i]] = map[string]int{}
		}
		became[truth[i]][f]++
	}
	lines := func(group string) (n int) {
		for _, k := range became[group] {
			n += k
		}
		return n
	}
	groups := slices.SortedFunc(maps.Keys(became), func(a, b string) int { return cmp.Or(lines(b)-lines(a), cmp.Compare(a, b)) })
	for _, g := range groups {
		parts := slices.Sorted(maps.Keys(became[g]))
		if len(parts) == 1 && size[parts[0]] == lines(g) {
			continue
		}
		fmt.Printf("%s: %d lines\n", g, lines(g))
		for _, f := range parts {
			fmt.Printf("    %d of %d %s\n", became[g][f], size[f], f)
		}
	}
}
