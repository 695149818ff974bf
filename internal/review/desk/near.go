package desk

import (
	"cmp"
	"slices"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/model"
)

// nearest is the nearest scored cluster of an event, if it is near enough; agree of of clusters that near have its score.
func (d *Desk) nearest(of []review.Share, event string, but int) (near *review.Near, agree, all int) {
	if d.serving == nil || len(of) == 0 {
		return nil, 0, 0
	}
	attention := review.Weigh(of)
	var found []review.Near
	for _, c := range d.serving.byEvent[event] {
		score := d.scoreOf(c)
		if c == but || score == nil {
			continue
		}
		if x := attention.Distance(d.serving.after[c]); x <= nearEnough {
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
	attention := review.Weigh(of)
	var found []review.Near
	for _, c := range d.serving.byEvent[event] {
		if c != but {
			found = append(found, review.Near{ID: board.ClusterID(d.serving.generation, c), Cluster: c, Score: d.scoreOf(c), After: top(d.serving.after[c]),
				Distance: attention.Distance(d.serving.after[c])})
		}
	}
	slices.SortFunc(found, func(a, b review.Near) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.Cluster, b.Cluster))
	})
	return found[:min(most, len(found))]
}

// after is what the attention of a cluster is on, the most first.
func after(contexts []model.ClusterContext) []review.Share {
	attention := review.Attention{}
	for _, c := range contexts {
		for i, a := range c.Attention {
			if a > 0 {
				attention[c.Context[i]] += float64(a) * float64(c.Count)
			}
		}
	}
	return attention.Shares()
}

// top are the shares that are worth a word.
func top(all []review.Share) []review.Share {
	n := 0
	for n < len(all) && n < 3 && all[n].Share >= 0.05 {
		n++
	}
	return all[:n]
}
