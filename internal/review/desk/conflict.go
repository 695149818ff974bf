package desk

import (
	"connect-deepcase/internal/review"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
)

// conflicts are items that somebody else decided about since they were seen.
func (d *Desk) conflicts(r *request, look decisions.Look) []review.Conflict {
	all := d.asideConflicts(r)
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range r.targets {
		conflict := review.Conflict{ID: x.id, Event: x.event, Rev: x.rev(look.Last(), x.aside)}
		if x.cluster >= 0 && !x.answers() {
			if last, there := d.serving.decided[x.cluster]; there && last.number > x.seen.journal && !x.moved {
				conflict.By, conflict.At, conflict.Why = last.by, last.at, last.why
				if last.score != interpreter.NoScore {
					conflict.Score = &last.score
				}
				conflict.What = "scored " + scoreText(last.score)
				all = append(all, conflict)
			}
			continue
		}
		for _, s := range x.subjects {
			if found := newest(look, s.keys, x.seen.journal); found != nil {
				conflict.By, conflict.At, conflict.Score = found.By, found.At, &found.Score
				conflict.What = "answered " + scoreText(found.Score)
				all = append(all, conflict)
				break
			}
		}
	}
	return all
}

// newest is a decision about a subject that was made after another one, nil if there is none.
func newest(look decisions.Look, keys [4]decisions.Key, after uint64) *decisions.Found {
	for _, kind := range []decisions.Kind{decisions.Answer, decisions.Mute} {
		for _, k := range keys {
			if found, _ := look.On(kind, k); found != nil && found.Number > after {
				return found
			}
		}
	}
	return nil
}

// asideConflicts are items that somebody put off or closed since they were seen.
func (d *Desk) asideConflicts(r *request) (all []review.Conflict) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, x := range r.targets {
		if x.aside != x.seen.aside {
			v := d.verdicts[x.id]
			what := "put off or asked again"
			if v.closed {
				what = "closed"
			}
			all = append(all, review.Conflict{ID: x.id, Event: x.event, Rev: x.rev(d.known, x.aside), What: what, Score: v.score, By: v.by, At: v.at})
		}
	}
	return all
}
