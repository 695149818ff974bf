package processor

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/interpreter"
)

// read gives what each message asks for.
func (l *label) read(batch service.MessageBatch) []*request {
	values := fieldValues{}
	for name, field := range l.fields {
		values[name] = batch.InterpolationExecutor(field)
	}
	requests := make([]*request, len(batch))
	for i, message := range batch {
		r := &request{}
		requests[i] = r
		if r.err = message.GetError(); r.err == nil { // a message that failed before keeps its error
			r.err = l.readRequest(r, message, values, i)
		}
	}
	return requests
}

func (l *label) readRequest(r *request, message *service.Message, values fieldValues, i int) (err error) {
	if r.recent, err = values.flag(fieldRecent, i); err != nil || r.recent {
		return err
	}
	texts := map[string]string{}
	for _, name := range []string{fieldCluster, fieldScope, fieldBy, fieldReason, fieldExpires, fieldUndo} {
		if texts[name], err = values.text(name, i); err != nil {
			return err
		}
	}
	mute, err := values.flag(fieldMute, i)
	if err != nil {
		return err
	}
	scope := decisions.Scope(texts[fieldScope])
	if scope != "" && scope != scopeCluster {
		if _, err := decisions.ParseScope(string(scope)); err != nil {
			return fmt.Errorf("%s: %s, need %s or one of %s", fieldScope, excerpt.Quote(string(scope)), scopeCluster, scopeNames)
		}
	}
	who := decisions.Decision{By: texts[fieldBy], Reason: texts[fieldReason]}
	switch cluster := texts[fieldCluster]; {
	case texts[fieldUndo] != "":
		score, err := values.text(fieldScore, i)
		if err != nil {
			return err
		}
		return readUndo(r, who, texts[fieldUndo], cluster != "" || mute || score != "")
	case cluster != "" && (mute || scope != "" && scope != scopeCluster):
		return fmt.Errorf("%s: %s is scored as a whole: for an answer or a mute leave %s out, and give the document of an event", fieldCluster, excerpt.Quote(cluster), fieldCluster)
	case cluster != "":
		number, err := readNumber(cluster)
		if err != nil {
			return fmt.Errorf("%s: %s, need the number of a cluster", fieldCluster, excerpt.Quote(cluster))
		}
		who.Cluster = number
		return readScoring(r, &scoring{Decision: who}, texts[fieldExpires], values, i)
	}
	d, err := l.readDocument(message)
	if err != nil {
		return err
	}
	if d.verdict.Audited() && !mute {
		r.audited = d.verdict.Case
	}
	if scope == "" {
		scope = scopeCluster
		if mute || r.audited != "" || d.verdict.Pattern != "" && (d.verdict.Cluster == nil || d.verdict.Underlying() == model.Disputed.String()) {
			scope = decisions.PatternOnMachine
		}
	}
	switch {
	case scope != scopeCluster:
		return readAnswering(r, who, d, scope, mute, texts[fieldExpires], values, i)
	case mute:
		return fmt.Errorf("%s: %s, need one of %s for a mute", fieldScope, excerpt.Quote(string(scope)), scopeNames)
	}
	who.Cluster = -1
	return readScoring(r, &scoring{Decision: who, sample: model.Sample{Context: d.subject.Context, Event: d.subject.Event}}, texts[fieldExpires], values, i)
}

var scopeNames = func() string {
	var names []string
	for _, s := range decisions.Scopes {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}()

// fieldValues are the interpolated fields for a batch.
type fieldValues map[string]*service.MessageBatchInterpolationExecutor

// text is what a field has for a message, "" if it has nothing.
func (v fieldValues) text(name string, index int) (string, error) {
	text, err := v[name].TryString(index)
	switch {
	case err != nil:
		return "", fmt.Errorf("%s: %w", name, err)
	case text == "null" || strings.TrimSpace(text) == "":
		return "", nil
	case len(text) > field.MaxName:
		return "", fmt.Errorf("%s: %s has %d bytes, need at most %d", name, excerpt.Quote(text), len(text), field.MaxName)
	case !utf8.ValidString(text):
		return "", fmt.Errorf("%s: %s: want UTF-8", name, excerpt.Quote(text))
	}
	return text, nil
}

func (v fieldValues) flag(name string, index int) (bool, error) {
	text, err := v.text(name, index)
	if err != nil {
		return false, err
	}
	switch {
	case text == "" || strings.EqualFold(text, "false"):
		return false, nil
	case strings.EqualFold(text, "true"):
		return true, nil
	}
	return false, fmt.Errorf("%s: %s, need true or false", name, excerpt.Quote(text))
}

// withdrawal is the score that removes the score of a cluster.
const withdrawal = "none"

func (v fieldValues) score(index int) (float64, error) {
	text, err := v.text(fieldScore, index)
	if err != nil {
		return 0, err
	}
	if text == "" {
		return 0, fmt.Errorf("%s: empty or missing, need a number ≥ 0, or %s to withdraw a score", fieldScore, withdrawal)
	}
	if strings.EqualFold(text, withdrawal) {
		return interpreter.NoScore, nil
	}
	score, err := strconv.ParseFloat(text, 64)
	if err != nil || !(score >= 0) || math.IsInf(score, 0) {
		return 0, fmt.Errorf("%s: %s, need a number ≥ 0, or %s to withdraw a score", fieldScore, excerpt.Quote(text), withdrawal)
	}
	return score, nil
}

// readNumber reads the number of a cluster or a decision. csv and spreadsheets write 17 as 17.0, too.
func readNumber(text string) (int, error) {
	number, err := strconv.ParseFloat(text, 64)
	if err != nil || number != math.Trunc(number) || number < 0 || number > math.MaxInt32 {
		return 0, errors.New("not a number")
	}
	return int(number), nil
}

func readUndo(r *request, who decisions.Decision, text string, more bool) error {
	number, err := readNumber(text)
	if err != nil || number == 0 {
		return fmt.Errorf("%s: %s, need the number of an answer or a mute", fieldUndo, excerpt.Quote(text))
	}
	if more {
		return fmt.Errorf("%s: %d, need it without %s, %s and %s: a message is one decision", fieldUndo, number, fieldCluster, fieldScore, fieldMute)
	}
	who.Kind, who.Undoes = decisions.Undo, uint64(number)
	r.undoing = &undoing{Decision: who}
	return nil
}

func readScoring(r *request, s *scoring, expires string, values fieldValues, i int) (err error) {
	if s.Score, err = values.score(i); err != nil {
		return err
	}
	if expires != "" {
		return fmt.Errorf("%s: %s, but the score of a cluster does not expire: need it empty", fieldExpires, excerpt.Quote(expires))
	}
	if s.seen, err = values.text(fieldVersion, i); err != nil {
		return err
	}
	s.Kind = decisions.Cluster
	r.scoring = s
	return nil
}

// document is an annotated event that is decided about.
type document struct {
	target  annotation.Target
	subject decisions.Subject
	keys    [4]decisions.Key
	verdict annotation.Verdict // without a status if there is none
}

func (l *label) readDocument(message *service.Message) (d document, err error) {
	content, err := mapping.Document(message)
	if err != nil {
		return d, err
	}
	sequence, err := l.target.Sequence(content)
	if errors.Is(err, annotation.ErrNoSequence) {
		return d, fmt.Errorf("%s: empty or missing, and there is no event with its context at %s", fieldCluster, l.target)
	} else if err != nil {
		return d, err
	}
	d = document{target: l.target, subject: sequence.Subject(), keys: sequence.Subject().Keys()}
	raw, err := message.AsBytes()
	if err != nil {
		return d, fmt.Errorf("document: %w", err)
	}
	if d.verdict, err = l.target.JSONVerdict(raw); err != nil && !errors.Is(err, annotation.ErrNoAnnotation) {
		return d, err
	}
	if pattern := d.keys[0].String(); d.verdict.Pattern != "" && d.verdict.Pattern != pattern {
		return d, fmt.Errorf("document: %s.pattern is %s, but the event, context and machine there have the pattern %s: need the document as deepcase_predict wrote it",
			l.target, excerpt.Quote(d.verdict.Pattern), pattern)
	}
	return d, nil
}

func readAnswering(r *request, who decisions.Decision, d document, scope decisions.Scope, mute bool, expires string, values fieldValues, i int) (err error) {
	a := &answering{Decision: who, document: d}
	a.Kind, a.Scope, a.Key, a.Subject = decisions.Answer, scope, d.subject.Key(scope), d.subject.In(scope)
	if mute {
		a.Kind = decisions.Mute
	}
	if a.confirm, err = values.flag(fieldConfirm, i); err != nil {
		return err
	}
	if err := a.readExpiry(expires); err != nil {
		return err
	}
	if err := a.readScore(values, i); err != nil {
		return err
	}
	if err := a.checkEffect(); err != nil {
		return err
	}
	r.answering = a
	return nil
}

// readExpiry reads a duration or a time. Whether the time is in the past is known when the decision is written.
func (a *answering) readExpiry(text string) (err error) {
	if text == "" {
		return nil
	}
	if a.lasts, err = time.ParseDuration(text); err == nil {
		if a.lasts <= 0 {
			return fmt.Errorf("%s: %s is in the past, need a duration such as 72h, or a time to come", fieldExpires, excerpt.Quote(text))
		}
		return nil
	}
	if a.Until, err = time.Parse(time.RFC3339, text); err == nil && a.Until.IsZero() { // which stands for no expiry in a decision
		return fmt.Errorf("%s: %s is in the past, need a duration such as 72h, or a time to come", fieldExpires, excerpt.Quote(text))
	} else if err != nil {
		return fmt.Errorf("%s: %s, need a duration such as 72h, or a time such as 2026-03-05T09:00:00Z", fieldExpires, excerpt.Quote(text))
	}
	return nil
}

func (a *answering) readScore(values fieldValues, i int) (err error) {
	if a.Kind == decisions.Mute {
		if text, err := values.text(fieldScore, i); err != nil {
			return err
		} else if text != "" && text != "0" {
			return fmt.Errorf("%s: %s, but a mute has no score: need it empty", fieldScore, excerpt.Quote(text))
		}
		if a.Reason == "" || a.lasts == 0 && a.Until.IsZero() {
			return fmt.Errorf("%s: need %s and %s", fieldMute, fieldReason, fieldExpires)
		}
		return nil
	}
	if a.Score, err = values.score(i); err == nil && a.Score == interpreter.NoScore {
		return fmt.Errorf("%s: %s withdraws the score of a cluster: to take an answer back, need its number in %s", fieldScore, withdrawal, fieldUndo)
	}
	return err
}

// checkEffect refuses a decision that would change nothing about the event that it is about.
func (a *answering) checkEffect() error {
	v := a.document.verdict
	muted, above0 := v.Status == model.Muted.String(), v.Score != nil && *v.Score > 0
	switch {
	case v.Status == "", v.Audited() && a.Kind == decisions.Answer && !above0 && (a.Score == 0 || muted):
		return nil // that an audited event is benign changes nothing, and is what the audit asks
	case a.Kind == decisions.Mute:
		if muted || above0 {
			return nil
		}
		return fmt.Errorf("%s: the event has no score above 0 (%s), so there is nothing to mute: need an answer", fieldMute, v.Status)
	case v.Underlying() != model.Scored.String() || v.Answer != nil && !muted:
	case above0 || muted:
		return fmt.Errorf("document: the cluster of the event has a score above 0, which an answer does not change: score the cluster (%s %s), or mute the event (%s)",
			fieldScope, scopeCluster, fieldMute)
	case a.Score == 0 || a.Scope.OfEvent():
		return fmt.Errorf("document: the cluster of the event has score 0, which only an answer above 0 to a pattern changes: score the cluster (%s %s)", fieldScope, scopeCluster)
	}
	return nil
}
