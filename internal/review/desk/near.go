package desk

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/model"
)

// nearest is the nearest scored cluster of an event, if it is near enough; agree of of clusters that near have its score.
func (d *Desk) nearest(of []review.Share, event string, but int) (near *review.Near, agree, all int) {
	if d.serving == nil || len(of) == 0 {
		return nil, 0, 0
	}
	weights := weigh(of)
	var found []review.Near
	for _, c := range d.serving.byEvent[event] {
		score := d.scoreOf(c)
		if c == but || score == nil {
			continue
		}
		if x := distance(weights, d.serving.after[c]); x <= nearEnough {
			found = append(found, review.Near{ID: board.ClusterID(d.serving.generation, c), Cluster: c, Score: score, After: d.serving.after[c], Distance: x})
		}
	}
	for i := range found {
		if near == nil || found[i].Distance < near.Distance {
			near = &found[i]
		}
	}
	for _, n := range found {
		if *n.Score == *near.Score {
			agree++
		}
	}
	return near, agree, len(found)
}

// allNear are the nearest clusters of an event, scored or not.
func (d *Desk) allNear(of []review.Share, event string, but, most int) []review.Near {
	if d.serving == nil || len(of) == 0 {
		return nil
	}
	weights := weigh(of)
	var found []review.Near
	for _, c := range d.serving.byEvent[event] {
		if c != but {
			found = append(found, review.Near{ID: board.ClusterID(d.serving.generation, c), Cluster: c, Score: d.scoreOf(c), After: top(d.serving.after[c]),
				Distance: distance(weights, d.serving.after[c])})
		}
	}
	slices.SortFunc(found, func(a, b review.Near) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Cluster, b.Cluster))
	})
	return found[:min(most, len(found))]
}

func weigh(of []review.Share) map[string]float64 {
	weights := make(map[string]float64, len(of))
	for _, s := range of {
		weights[s.Name] = s.Share
	}
	return weights
}

// distance is the L1 distance of shares, 0 to 2.
func distance(weights map[string]float64, of []review.Share) float64 {
	sum, common := 0.0, 0.0
	for _, s := range of {
		w := weights[s.Name]
		sum += math.Abs(s.Share - w)
		common += w
	}
	total := 0.0
	for _, w := range weights {
		total += w
	}
	return sum + total - common
}

// after is what the attention of a cluster is on, the most first.
func after(contexts []model.ClusterContext) []review.Share {
	weights, sum := map[string]float64{}, 0.0
	for _, c := range contexts {
		for i, a := range c.Attention {
			if w := float64(a) * float64(c.Count); w > 0 {
				weights[c.Context[i]] += w
				sum += w
			}
		}
	}
	all := make([]review.Share, 0, len(weights))
	for name, w := range weights {
		all = append(all, review.Share{Name: name, Share: w / sum})
	}
	slices.SortFunc(all, func(a, b review.Share) int {
		return cmp.Or(cmp.Compare(b.Share, a.Share), strings.Compare(a.Name, b.Name))
	})
	return all
}

// top are the shares that are worth a word.
func top(all []review.Share) []review.Share {
	n := 0
	for n < len(all) && n < 3 && all[n].Share >= 0.05 {
		n++
	}
	return all[:n]
}
