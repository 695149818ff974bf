package desk

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"time"

	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/model"
	"connect-deepcase/model/bundle"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/model/store"
)

// pending is the score of a cluster that is in the journal, and in no version yet.
type pending struct {
	number  uint64
	cluster int
	version string // whose cluster it is
	score   float64
	by      string
}

// waiting are the scores of clusters among decisions.
func (d *Desk) waiting(written []decisions.Decision) (all []pending) {
	for _, x := range written {
		if x.Kind == decisions.Cluster {
			all = append(all, pending{x.Number, x.Cluster, x.Version, x.Score, x.By})
		}
	}
	return all
}

func putPending(tx *sql.Tx, all []pending) error {
	for _, p := range all {
		if _, err := tx.Exec("INSERT OR REPLACE INTO pending (cluster, version, number, score, by) VALUES (?, ?, ?, ?, ?)", p.cluster, p.version, p.number, p.score, p.by); err != nil {
			return err
		}
	}
	return nil
}

func (d *Desk) loadPending(ctx context.Context) (map[place]pending, error) {
	rows, err := d.o.DB.Read().QueryContext(ctx, "SELECT cluster, version, number, score, by FROM pending ORDER BY number")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := map[place]pending{}
	for rows.Next() {
		var p pending
		if err := rows.Scan(&p.cluster, &p.version, &p.number, &p.score, &p.by); err != nil {
			return nil, err
		}
		all[d.place(p)] = p
	}
	if len(all) > 0 {
		d.oldest, d.newest = d.o.Now(), d.o.Now()
	}
	return all, rows.Err()
}

// wait puts scores among those that are to be published; mu is held.
func (d *Desk) wait(all []pending) {
	if len(all) == 0 {
		return
	}
	if len(d.pending) == 0 {
		d.oldest = d.o.Now()
	}
	d.newest = d.o.Now()
	for _, p := range all {
		d.pending[d.place(p)] = p
	}
}

func (d *Desk) place(p pending) place { return place{d.generation(p.version), p.cluster} }

// due tells whether it is time to publish.
func (d *Desk) due() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := d.o.Now()
	return len(d.pending) > 0 && (now.Sub(d.newest) >= d.o.Rest || now.Sub(d.oldest) >= d.o.AtMost)
}

// recover finds scores in the journal that a process which was killed did not publish: they are later than all versions. mu is held.
func (d *Desk) recover(ctx context.Context) error {
	if d.serving == nil {
		return nil
	}
	s, err := store.Open(d.o.Model, false)
	if err != nil {
		return err
	}
	versions, err := s.Versions()
	if err != nil {
		return err
	}
	var newest time.Time
	for _, v := range versions {
		if v.Created.After(newest) {
			newest = v.Created
		}
	}
	var found []pending
	for cluster, last := range d.serving.decided {
		if d.pending[place{d.serving.generation, cluster}].number == last.number {
			continue // the database knows
		}
		if last.at.After(newest) && cluster < len(d.serving.model.Clusters) && d.serving.model.Clusters[cluster].Score != last.score {
			found = append(found, pending{last.number, cluster, d.serving.version, last.score, last.by})
		}
	}
	d.wait(found)
	return d.o.DB.Write(ctx, func(tx *sql.Tx) error { return putPending(tx, found) })
}

// Publish makes the scores that wait a version of the model, now. It returns the version that serves then.
func (d *Desk) Publish(ctx context.Context) (string, error) {
	if err := d.publishNow(ctx); err != nil {
		return "", writeError(err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.serving == nil {
		return "", fmt.Errorf("%w: there is no model yet", review.ErrNotFound)
	}
	return d.serving.version, nil
}

// publish is for Run. If it fails, it is tried again after Rest.
func (d *Desk) publish(ctx context.Context) {
	err := d.publishNow(ctx)
	if err != nil {
		d.mu.Lock()
		d.newest, d.oldest = d.o.Now(), d.o.Now()
		d.mu.Unlock()
		err = fmt.Errorf("the scores of clusters are not published yet: %w", err)
	}
	d.tell("publishing", err)
}

func (d *Desk) publishNow(ctx context.Context) error {
	d.deciding.Lock()
	defer d.deciding.Unlock()
	d.mu.Lock()
	all := maps.Clone(d.pending)
	d.mu.Unlock()
	if len(all) == 0 {
		return nil
	}
	models, err := store.Open(d.o.Model, false, store.Retain(d.o.Retain))
	if err != nil {
		return err
	}
	waiting, cancel := context.WithTimeout(ctx, lockWait) // decisions wait, too
	defer cancel()
	var lost, late []string
	_, err = models.Update(waiting, func(version string, current *model.Model) (*model.Model, error) {
		if err := d.refresh(ctx, false); err != nil { // no other writer comes before the version is published
			return nil, err
		}
		others, err := d.lastScores(models.Clustering(version))
		if err != nil {
			return nil, err
		}
		scores := map[int]float64{}
		for _, p := range slices.SortedFunc(maps.Values(all), func(a, b pending) int { return cmp.Compare(a.number, b.number) }) {
			cluster := p.cluster
			if models.Clustering(version) != d.generation(p.version) || cluster >= len(current.Clusters) {
				// A training came in between: the cluster is looked up by its contexts.
				if cluster, err = d.moved(ctx, p, current); err != nil {
					return nil, err
				}
			}
			name := fmt.Sprintf("cluster %d of version %s", p.cluster, p.version)
			if cluster < 0 {
				lost = append(lost, name)
			} else if x := others[cluster]; x.number > p.number {
				late = append(late, fmt.Sprintf("%s (%s by %s)", name, scoreText(x.score), cmp.Or(x.by, "another program")))
			} else {
				scores[cluster] = p.score
			}
		}
		for c, score := range scores {
			if current.Clusters[c].Score == score && current.Clusters[c].Labels == nil {
				delete(scores, c)
			}
		}
		if len(scores) == 0 {
			return current, nil
		}
		return current.WithScores(scores)
	})
	if err != nil {
		return err
	}
	if err := d.o.DB.Write(ctx, func(tx *sql.Tx) error {
		for _, p := range all {
			if _, err := tx.Exec("DELETE FROM pending WHERE number = ?", p.number); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		return err
	}
	d.mu.Lock()
	for c, p := range all {
		if d.pending[c].number == p.number {
			delete(d.pending, c)
			d.rev++
		}
	}
	d.mu.Unlock()
	if len(lost) > 0 {
		d.o.Log("A training came before these scores were published, and their events are in other clusters now, which are asked again: %v", lost)
	}
	if len(late) > 0 {
		d.o.Log("These clusters got another score before theirs was published, and keep that one: %v", late)
	}
	d.tell("reading", d.refresh(ctx, false))
	return nil
}

// moved is the cluster of a newer model that has all contexts of a cluster of an earlier version; −1 if there is none.
func (d *Desk) moved(ctx context.Context, p pending, current *model.Model) (int, error) {
	before, err := d.clustersOf(p.version)
	damaged := (*bundle.DamagedError)(nil)
	if errors.Is(err, fs.ErrNotExist) || errors.As(err, &damaged) || err == nil && p.cluster >= len(before.Clusters) {
		return -1, nil // nobody knows what it was about
	} else if err != nil {
		return -1, err
	}
	return d.foundOne(ctx, before.Clusters[p.cluster], current)
}

// clustersOf gives a model that has the clusters of a version, also if the version was removed since it served here.
func (d *Desk) clustersOf(version string) (*model.Model, error) {
	generation := d.generation(version)
	d.mu.Lock()
	known := []*serving{d.serving, d.previous}
	d.mu.Unlock()
	for _, s := range known {
		if s != nil && s.generation == generation {
			return s.model, nil
		}
	}
	models, err := store.Open(d.o.Model, false)
	if err != nil {
		return nil, err
	}
	return models.Load(version)
}

// found is, for each cluster, the one of a model that has all its contexts; −1 if there is none.
func (d *Desk) found(ctx context.Context, clusters []model.Cluster, in *model.Model) ([]int, error) {
	places := slices.Repeat([]int{-1}, len(clusters))
	var samples []model.Sample
	var of []int
	for i, c := range clusters {
		for _, context := range c.Contexts {
			if len(context.Context) == in.Params.Length { // else it is of none: all contexts of a model have its length
				samples, of = append(samples, model.Sample{Context: context.Context, Event: c.Event}), append(of, i)
			}
		}
	}
	if len(samples) == 0 || len(in.Clusters) == 0 {
		return places, nil
	}
	verdicts, err := d.predict(ctx, in, samples)
	if err != nil {
		return nil, err
	}
	for k, v := range verdicts {
		if i := of[k]; k == 0 || of[k-1] != i {
			places[i] = v.Cluster
		} else if places[i] != v.Cluster {
			places[i] = -1
		}
	}
	return places, nil
}

func (d *Desk) foundOne(ctx context.Context, c model.Cluster, in *model.Model) (int, error) {
	places, err := d.found(ctx, []model.Cluster{c}, in)
	if err != nil {
		return -1, err
	}
	return places[0], nil
}

// movedTarget finds a cluster of the model before in the model that serves now, by its contexts. If there is none, the item is gone. mu is held.
func (d *Desk) movedTarget(ctx context.Context, id string, seen revision) (*target, *review.Conflict, error) {
	cluster := d.previousCluster(id)
	if cluster == nil {
		return nil, nil, fmt.Errorf("item %s: %w", id, review.ErrNotFound)
	}
	now, err := d.foundOne(ctx, *cluster, d.serving.model)
	if err != nil {
		return nil, nil, err
	}
	if now < 0 {
		return nil, &review.Conflict{ID: id, Event: cluster.Event, What: "a new training put its events into other clusters: look at the new questions of the event"}, nil
	}
	return &target{id: id, seen: seen, kind: review.ClusterKind, event: cluster.Event, cluster: now, old: d.scoreOf(now), aside: seen.aside, moved: true}, nil, nil
}

// previousCluster is the cluster of an ID in the model before the last training, nil if it is of none. mu is held.
func (d *Desk) previousCluster(id string) *model.Cluster {
	if d.previous == nil || d.serving == nil {
		return nil
	}
	for i := range d.previous.model.Clusters {
		if board.ClusterID(d.previous.generation, i) == id {
			return &d.previous.model.Clusters[i]
		}
	}
	return nil
}

func noScore(score *float64) float64 {
	if score == nil {
		return interpreter.NoScore
	}
	return *score
}
