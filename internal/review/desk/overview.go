package desk

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"connect-deepcase/internal/cases"
	"connect-deepcase/internal/drift"
	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
)

const (
	quarters   = 32 // of a day, in eight days
	quarter    = 6  // hours
	quietSize  = 12 // samples of a cluster that is missed
	overviewed = 10 * time.Minute
)

// Overview says how the work goes.
func (d *Desk) Overview() (o review.Overview, err error) {
	retrain, err := d.retrain()
	if err != nil {
		return o, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.o.Board.View(func(v board.View) {
		p := d.picture(v)
		questions, cases, queue := p.questions, p.cases, p.summary
		o.PerDay, o.Spared, o.Waiting, o.OpenItems = queue.PerDay, queue.Spared, queue.Waiting, queue.Counts[review.Open]
		if o.PerDay > 0 {
			o.NoLook = o.Spared / o.PerDay
		}
		o.Needed, o.Trained = math.NaN(), math.NaN()
		if s := d.serving; s != nil {
			o.Needed, o.Clusters, o.Known = s.model.Params.Interpreter.Threshold, len(s.model.Clusters), len(s.model.Names)
			if c := s.model.Confidence; c != nil {
				o.Trained = c.Mean()
			}
		}
		o.Scored = o.Clusters - queue.Counts[review.Clusters]
		overTime(v, &o)
		o.Wait = waits(v, questions)
		d.unlearnt(v, questions, &o)
		d.quiet(v, questions, &o)
		d.caseFigures(cases, &o)
	})
	o.Retrain = retrain
	return o, nil
}

// overTime fills in what became of the alerts of each quarter of a day.
func overTime(v board.View, o *review.Overview) {
	first := v.Now().Unix()/3600/quarter - quarters + 1
	o.Start = time.Unix(first*quarter*3600, 0).UTC()
	o.Quarters, o.Confidence = make([][review.Outcomes]int, quarters), make([]float64, quarters)
	counts := make([]int, quarters)
	opened := map[string]int{}
	for n, h := range v.Hours() {
		q := n/quarter - first
		if q < 0 || q >= quarters {
			continue
		}
		for outcome, alerts := range h.Outcomes {
			o.Quarters[q][outcome] += alerts
		}
		o.Confidence[q] += h.ConfidenceSum
		counts[q] += h.ConfidenceN
		for _, n2 := range h.Opened {
			opened[time.Unix(n*3600, 0).UTC().Format(time.DateOnly)] += n2
		}
	}
	for q := range o.Confidence {
		o.Confidence[q] /= float64(counts[q]) // NaN if there was none
	}
	for day := range quarters * quarter / 24 {
		name := o.Start.AddDate(0, 0, day).Format(time.DateOnly)
		o.CasesPerDay = append(o.CasesPerDay, review.Count{Name: name, N: opened[name]})
	}
}

// outcomeOf is what an alert of a question counts as, as things stand.
func outcomeOf(x *item) review.Outcome {
	switch {
	case x.state.score != nil:
		return review.OutcomeOf(model.Scored, *x.state.score)
	case x.kind == review.ClusterKind:
		return review.Unscored
	}
	return review.OutcomeOf(x.question.Status, 0)
}

// waits tells where alerts wait, by event.
func waits(v board.View, questions []*item) (all []review.EventWait) {
	events := map[string]*review.EventWait{}
	for _, x := range questions {
		if x.question == nil {
			continue
		}
		alerts := x.question.Bins.Since(v.Now(), rateBins)
		w := events[x.event]
		if w == nil {
			w = &review.EventWait{Event: x.event}
			events[x.event] = w
		}
		w.Parts[outcomeOf(x)] += alerts
		w.Live += alerts
		if x.open {
			w.Wait += int(math.Round(float64(alerts) * x.state.share))
		}
	}
	for _, w := range events {
		if w.Wait > 0 {
			all = append(all, *w)
		}
	}
	slices.SortFunc(all, func(a, b review.EventWait) int { return cmp.Or(b.Wait-a.Wait, strings.Compare(a.Event, b.Event)) })
	return all[:min(7, len(all))]
}

// unlearnt are the events that training did not know.
func (d *Desk) unlearnt(v board.View, questions []*item, o *review.Overview) {
	var list []*item
	for _, x := range questions {
		if x.question != nil && x.question.Unknown && (d.serving == nil || !d.serving.learnt[x.event]) {
			list = append(list, x)
		}
	}
	order(list, "")
	o.Unknowns = len(list)
	o.Unknown = d.show(v, list[:min(5, len(list))], 0)
}

// quiet are the clusters that came in the training, and did not come in the last seven days.
func (d *Desk) quiet(v board.View, questions []*item, o *review.Overview) {
	if d.serving == nil || v.Now().Sub(v.Totals().First) < 24*time.Hour {
		return
	}
	var first, last time.Time
	for _, c := range d.serving.model.Clusters {
		if !c.FirstSeen.IsZero() && (first.IsZero() || c.FirstSeen.Before(first)) {
			first = c.FirstSeen
		}
		if c.LastSeen.After(last) {
			last = c.LastSeen
		}
	}
	days := last.Sub(first).Hours() / 24
	if days <= 0 {
		return
	}
	var list []*item
	for _, x := range questions {
		if x.kind == review.ClusterKind && d.serving.model.Clusters[x.cluster].Size >= quietSize && (x.question == nil || x.question.Bins.Since(v.Now(), rateBins) == 0) {
			list = append(list, x)
		}
	}
	slices.SortFunc(list, func(a, b *item) int {
		return cmp.Or(d.serving.model.Clusters[b.cluster].Size-d.serving.model.Clusters[a.cluster].Size, a.cluster-b.cluster)
	})
	o.Quiets = len(list)
	for _, x := range list[:min(5, len(list))] {
		o.Quiet = append(o.Quiet, review.Quiet{Item: d.item(v, x), WasPerDay: float64(d.serving.model.Clusters[x.cluster].Size) / days})
	}
}

// caseFigures counts open cases, and what people decided about audited ones.
func (d *Desk) caseFigures(all []*item, o *review.Overview) {
	kinds := map[string]int{}
	for _, x := range all {
		if x.open {
			kinds[x.one.Kind]++
		}
	}
	for _, k := range cases.Kinds {
		if n := kinds[k.String()]; n > 0 {
			o.CasesByKind = append(o.CasesByKind, review.Count{Name: k.String(), N: n})
		}
	}
	audited := cases.Audited{}
	for _, x := range d.verdicts {
		if x.kind == cases.Audit.String() && x.closed && x.score != nil {
			audited.Decided++
			if *x.score > 0 {
				audited.Attacks++
			}
		}
	}
	o.Audit = review.Audit{Decided: audited.Decided, Attacks: audited.Attacks, MissRate: audited.MissRate(), Open: kinds[cases.Audit.String()]}
}

// retrained is an answer of retrain that is still right.
type retrained struct {
	version string
	at      time.Time
	answer  review.Retrain
}

// retrain applies the rule of `deepcase drift` to the alerts that were drawn in the last days.
func (d *Desk) retrain() (review.Retrain, error) {
	d.mu.Lock()
	s, known, journal := d.serving, d.retrained, d.journal
	d.mu.Unlock()
	if s == nil || journal == nil {
		return review.Retrain{Sentence: "There is no model yet."}, nil
	}
	if now := d.o.Now(); known.version == s.version && now.Sub(known.at) < overviewed && now.After(known.at) {
		return known.answer, nil
	}
	samples := d.samples(s.model.Params.Length)
	verdicts, err := d.predict(context.Background(), s.model, asSamples(samples))
	if err != nil {
		return review.Retrain{}, err
	}
	figures := drift.New(s.model)
	journal.Read(func(l decisions.Look) {
		for i, x := range samples {
			keys := decisions.Subject{Event: x.Event, Context: x.Context, Machine: x.Machine}.Keys()
			figures.Add(drift.Alert{Event: x.Event, Machine: x.Machine, At: x.At, Keys: keys, Verdict: drift.Verdict{Verdict: verdicts[i], Settled: l.Settle(verdicts[i], keys)}})
		}
	})
	report := figures.Report()
	answer := review.Retrain{Pays: report.Retrain.Pays, Sentence: report.Retrain.Sentence}
	reason := func(format string, arguments ...any) {
		answer.Reasons = append(answer.Reasons, fmt.Sprintf(format, arguments...))
	}
	reason("This is by %d alerts of the last 7 days, drawn at random.", len(samples))
	if report.Unknown > 0 {
		reason("%.1f %% of them are events that the training did not know.", 100*float64(report.Unknown))
	}
	if now, then := float64(report.Mean.Now), float64(report.Mean.Training); !math.IsNaN(now) && !math.IsNaN(then) {
		reason("The mean confidence is %.2f; in the training it was %.2f.", now, then)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.retrained = retrained{s.version, d.o.Now(), answer}
	return answer, nil
}

// samples are the alerts that were drawn, with contexts of a length.
func (d *Desk) samples(length int) (all []board.Sample) {
	d.o.Board.View(func(v board.View) { all = v.Samples() })
	return slices.DeleteFunc(all, func(s board.Sample) bool { return len(s.Context) != length })
}

func asSamples(all []board.Sample) []model.Sample {
	out := make([]model.Sample, len(all))
	for i, s := range all {
		out[i] = model.Sample{Event: s.Event, Context: s.Context}
	}
	return out
}
