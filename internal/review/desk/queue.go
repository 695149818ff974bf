package desk

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"connect-deepcase/internal/attack"
	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/board"
)

const (
	shownFirst    = 3
	shownMachines = 20
	shownOfAttack = 12
	curvePoints   = 200
)

// Queue finds questions and cases.
func (d *Desk) Queue(who string, query review.Query) (r review.Queue) {
	if query.Limit <= 0 {
		query.Limit = 100
	}
	decided, mine := d.decidedToday(who)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.o.Board.View(func(v board.View) {
		p := d.picture(v)
		questions, cases := p.questions, p.cases
		r = p.summary
		r.Decided, r.ByMe = decided, mine
		list := questions
		switch query.View {
		case review.Cases:
			list = cases
		case review.All:
			list = slices.Concat(questions, cases)
		}
		matches := filter(query.Text)
		list = slices.DeleteFunc(slices.Clone(list), func(x *item) bool { return !x.in(query.View) || !matches(x) })
		if query.Sort != "" || query.View == review.Cases || query.View == review.All { // else they are in order
			order(list, query.Sort)
		}
		r.Matching = len(list)
		byWork := query.Sort == "" && (query.View == review.Open || query.View == review.Unsure || query.View == review.Clusters)
		most := 0.0
		for _, x := range list {
			most = max(most, x.perDay)
		}
		var first []*item
		if byWork && query.From == 0 {
			first = slices.DeleteFunc(slices.Clone(list), func(x *item) bool { return x.urgent == "" })
			if query.View == review.Open {
				for _, x := range cases {
					if x.open && x.urgent != "" && matches(x) {
						first = append(first, x)
					}
				}
			}
			slices.SortStableFunc(first, func(a, b *item) int { return cmp.Compare(a.rank(), b.rank()) })
			first = first[:min(shownFirst, len(first))]
			list = slices.DeleteFunc(list, func(x *item) bool { return slices.Contains(first, x) })
		}
		list = list[min(query.From, len(list)):]
		list = list[:min(query.Limit, len(list))]
		r.First, r.Items = d.show(v, first, most), d.show(v, list, most)
	})
	return r
}

// rank is the order of what to look at first: what was never seen comes before what is close to something bad.
func (x *item) rank() int {
	switch {
	case x.question != nil && x.question.Unknown:
		return 0
	case x.kind == review.CaseKind:
		return 1
	}
	return 2
}

// in tells whether an item is in a view.
func (x *item) in(view string) bool {
	switch view {
	case review.Open:
		return x.open && x.kind != review.CaseKind
	case review.Clusters:
		return x.open && x.kind == review.ClusterKind
	case review.Unsure:
		return x.open && x.kind == review.PatternKind
	case review.Scored:
		return x.state.score != nil && x.snooze == nil
	case review.Snoozed:
		return x.snooze != nil
	case review.Cases:
		return x.open
	}
	return true
}

// summary counts what is open. The questions are in the order of work. It gives each open question its share of the work.
func (d *Desk) summary(v board.View, questions, cases []*item) (r review.Queue) {
	r.Counts = map[string]int{review.All: len(questions) + len(cases)}
	var open []*item
	dayAgo := v.Now().Add(-24 * time.Hour)
	for _, x := range questions {
		for _, view := range []string{review.Open, review.Clusters, review.Unsure, review.Scored, review.Snoozed} {
			if x.in(view) {
				r.Counts[view]++
			}
		}
		if x.open {
			open = append(open, x)
			r.Waiting += x.perDay
			if x.first.Before(dayAgo) {
				r.OverADay++
			}
		} else if x.kind == review.PatternKind && x.state.undecided > 0 && x.snooze == nil {
			r.Rare++
			r.RareAlerts += x.question.Alerts
		}
	}
	for _, x := range cases {
		if x.open {
			r.Counts[review.Cases]++
		}
	}
	sum, total := 0.0, max(r.Waiting, 1e-9)
	step := max(1, (len(open)+curvePoints-1)/curvePoints)
	for i, x := range open {
		sum += x.perDay
		x.sum = sum / total
		if r.For80 == 0 && x.sum >= 0.8 && r.Waiting > 0 {
			r.For80 = i + 1
		}
		if i%step == step-1 || i == len(open)-1 {
			r.Curve = append(r.Curve, x.sum)
		}
	}
	days, since := liveDays(v), v.Now().Add(-7*24*time.Hour).Unix()/3600
	for n, h := range v.Hours() {
		if n < since {
			continue
		}
		for outcome, alerts := range h.Outcomes {
			r.PerDay += float64(alerts) / days
			if review.Outcome(outcome) == review.Benign {
				r.Spared += float64(alerts) / days
			}
		}
	}
	return r
}

// order sorts items. Equal ones come in the order of their IDs, so that pages agree.
func order(list []*item, by string) {
	slices.SortFunc(list, func(a, b *item) int {
		c := 0
		switch by {
		case "recent":
			c = b.last.Compare(a.last)
		case "new":
			c = b.first.Compare(a.first)
		case "machines":
			c = b.hosts - a.hosts
		case "event":
			c = strings.Compare(a.event, b.event)
		}
		return cmp.Or(c, cmp.Compare(b.perDay, a.perDay), b.alerts()-a.alerts(), strings.Compare(a.id, b.id))
	})
}

// show completes items. v is of a View, and mu is held.
func (d *Desk) show(v board.View, list []*item, most float64) []review.Item {
	all := make([]review.Item, len(list))
	for i, x := range list {
		all[i] = d.item(v, x)
		if most > 0 {
			all[i].Share = x.perDay / most
		}
	}
	return all
}

func (d *Desk) item(v board.View, x *item) review.Item {
	out := review.Item{ID: x.id, Rev: d.revOf(v, x), Kind: x.kind, Event: x.event, Cluster: x.cluster, Urgent: x.urgent, Hosts: x.hosts, First: x.first, Last: x.last,
		Alerts: x.alerts(), PerDay: x.perDay, Sum: x.sum, Near: x.state.near, Score: x.state.score, By: x.state.by, At: x.state.at,
		Patterns: x.state.listed, Undecided: x.state.undecided, Techniques: x.techniques()}
	out.Techniques = out.Techniques[:min(shownOfAttack, len(out.Techniques))]
	if !x.open {
		out.Sum = 0
	}
	if x.snooze != nil {
		out.Snoozed = x.snooze.until - x.alerts()
	}
	if q := x.question; q != nil {
		out.Bins, out.Machines, out.After, out.Why = q.Bins.Until(v.Now()), board.Busiest(q.Machines, shownMachines), top(q.After), q.Status.String()
	}
	switch x.kind {
	case review.ClusterKind:
		c := d.serving.model.Clusters[x.cluster]
		out.Size, out.After, out.Why = c.Size, top(d.serving.after[x.cluster]), "unscored"
		if out.Score != nil {
			out.Why = "scored"
		}
		if x.question == nil {
			for _, m := range c.Machines[:min(shownMachines, len(c.Machines))] {
				out.Machines = append(out.Machines, review.Count{Name: m.Machine, N: m.Count})
			}
		}
	case review.CaseKind:
		out.Why, out.Bins, out.Machines = x.one.Kind, x.one.Bins.Until(v.Now()), board.Busiest(x.one.Machines, shownMachines)
	}
	return out
}

// openCount counts the open questions. Each decision is answered with it, so it draws no picture: that takes longer than the decision.
func (d *Desk) openCount() (n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.o.Board.View(func(v board.View) {
		if d.isDrawn(v) {
			n = d.drawn.summary.Counts[review.Open]
			return
		}
		d.eachQuestion(v, func(x *item) {
			if x.in(review.Open) {
				n++
			}
		})
	})
	return n
}

// term is a part of a query.
type term struct{ field, value string }

// in tells whether a text contains the term.
func (t term) in(text string) bool { return strings.Contains(strings.ToLower(text), t.value) }

// terms divides a query at spaces outside of quotes. A term may begin with a field.
func terms(text string) (all []term) {
	quoted := false
	for _, word := range strings.FieldsFunc(text, func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return r == ' ' && !quoted
	}) {
		field, value, has := strings.Cut(word, ":")
		if !has || !slices.Contains(queryFields, field) {
			field, value = "", word
		}
		if value = strings.ToLower(strings.ReplaceAll(value, `"`, "")); value != "" {
			all = append(all, term{field, value})
		}
	}
	return all
}

var queryFields = []string{"event", "machine", "after", "status", "kind", "score", "cluster", "case", "by", "state", "scope", "technique"}

// filter is what a query matches.
func filter(text string) func(*item) bool {
	all := terms(text)
	return func(x *item) bool {
		for _, t := range all {
			if !x.matches(t) {
				return false
			}
		}
		return true
	}
}

func (x *item) matches(t term) bool {
	machine := func() bool {
		var machines map[string]int
		if x.question != nil {
			machines = x.question.Machines
		} else if x.one != nil {
			machines = x.one.Machines
		}
		for name := range machines {
			if t.in(name) {
				return true
			}
		}
		return false
	}
	follows := func() bool {
		return x.question != nil && slices.ContainsFunc(x.question.After, func(s review.Share) bool { return s.Share >= 0.05 && t.in(s.Name) })
	}
	switch t.field {
	case "event":
		return t.in(x.event)
	case "machine":
		return machine()
	case "after":
		return follows()
	case "cluster":
		return x.kind == review.ClusterKind && strconv.Itoa(x.cluster) == t.value
	case "kind":
		return string(x.kind) == t.value || x.one != nil && x.one.Kind == t.value
	case "case":
		return x.one != nil && t.in(x.one.Name)
	case "status":
		return x.question != nil && x.question.Status.String() == t.value || x.kind == review.ClusterKind && x.state.score == nil && t.value == "unscored" ||
			x.state.score != nil && t.value == "scored"
	case "score":
		return x.state.score != nil && trim(*x.state.score) == t.value || x.state.score == nil && t.value == "none"
	case "by":
		return t.in(x.state.by)
	case "technique":
		whole := strings.ToUpper(t.value)
		return slices.ContainsFunc(x.techniques(), func(id string) bool { return attack.Within(id, whole) })
	}
	return t.in(x.event) || machine() || follows()
}

// techniques are those that alerts of the item name, the most frequent first, and then those of the training.
func (x *item) techniques() (ids []string) {
	var live map[string]int
	if x.question != nil {
		live = x.question.Techniques
	} else if x.one != nil {
		live = x.one.Techniques
	}
	for _, c := range board.Busiest(live, len(live)) {
		ids = append(ids, c.Name)
	}
	for _, id := range x.learnt {
		if !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

func trim(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// decidedToday counts what people decided in the last 24 hours.
func (d *Desk) decidedToday(who string) (all, mine int) {
	row := d.o.DB.Read().QueryRow("SELECT count(*), coalesce(sum(by = ?), 0) FROM decision WHERE at >= ? AND kind <> 'undo'", who, d.o.Now().Add(-24*time.Hour).UnixMicro())
	d.tell("counting", row.Scan(&all, &mine))
	return all, mine
}
