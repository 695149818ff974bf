package processor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/configfield"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/model"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/engine"
	"connect-deepcase/model/interpreter"
)

const fieldExplain = "explain"

var (
	fieldCacheSize    = configfield.IntAtLeast("cache_size", 0)
	fieldCacheBytes   = configfield.IntAtLeast("cache_bytes", 0)
	fieldReload       = configfield.DurationAbove0("reload")
	fieldQueryTimeout = configfield.DurationAbove0("query_timeout")
)

func predictSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Stable().
		Version("0.1.0").
		Categories("DeepCASE").
		Summary("Scores each security event in its context: adds the score of the cluster that it belongs to, or says why there is none.").
		Description(`
Reads the context that `+"`deepcase_sequence`"+` wrote at `+"`target`"+` and adds these fields there:

- `+"`status`"+`:
** `+"`scored`"+`: in a cluster that has a score
** `+"`unscored`"+`: in a cluster that nobody has given a score
** `+"`disputed`"+`: in a cluster with a score above 0, but the labels of its events, or those nearest to this one, say benign
** `+"`low_confidence`"+`: the context does not explain the event
** `+"`unknown_event`"+`: training formed no cluster for this event
** `+"`no_cluster`"+`: too far from all clusters of this event
** `+"`no_model`"+`: no version could be loaded yet
** `+"`answered`"+`: the model has no score for it, or the score 0, but a person has answered events like this one with `+"`deepcase_label`"+`
** `+"`muted`"+`: it has a score above 0, but a person lets events like this one pass for a time
- `+"`score`"+`: with `+"`scored`"+`, `+"`answered`"+` and `+"`muted`"+`. With `+"`muted`"+` it is 0
- `+"`cluster`"+`: if the model puts the event into one
- `+"`hourly_max`"+`: with `+"`scored`"+` and the score 0: the highest number of events of that cluster on one machine in one hour of the training, if the model knows it
- `+"`pattern`"+`: 32 hexadecimal digits that stand for the event, the events of its context in any order, and the machine. It does not depend on the model
- `+"`answer`"+`: with `+"`answered`"+` and `+"`muted`"+`: `+"`number`"+`, `+"`kind`"+` (`+"`answer`"+` or `+"`mute`"+`), `+"`scope`"+`, `+"`by`"+` (who), `+"`at`"+`, `+"`score`"+` (of an answer), `+"`until`"+` (when it expires), `+"`due`"+` (when it is asked again), and `+"`verdict`"+`, the status that the event would have without it
- `+"`answered_before`"+`: the same fields, without `+"`verdict`"+`, of an answer that is due again or has expired
- `+"`confidence`"+`: how well the context explains the event, from 0 to 1; `+"`distance`"+`: to the nearest cluster. Both only if they were computed
- `+"`attention`"+`: the share that each event of the context has in explaining the event
- `+"`model`"+`: the version that answered

== Guarantees

No message is dropped. Batches keep their order and size. A message is flagged with an error if it has no context, if the model needs a context of another length, or if the model computes NaN or infinity for it. The rest of its batch goes on. A message that came with an error passes unchanged and keeps that error.

The verdict on an event depends only on the event, its context, its machine, the version of the model and the answers in force, not on what else is asked at the same time. One version answers all messages of a batch.

A new version in the model directory is loaded while the old one serves, and then takes its place without a pause. If it cannot be loaded, the old version goes on serving. A version cannot be loaded if it is damaged, if it has a newer format, or if its network computes NaN or infinity for some test questions.

The status is `+"`no_model`"+` if there is no old version either: the directory is missing or empty, or its version cannot be loaded. This is logged once, and `+"`deepcase_predict`"+` goes on looking for a version.

If `+"`deepcase_template`"+` named the events, it used the templates of a file. A model knows which files named the events of its training. If an event was named by another file, its name may mean nothing to the model: this is logged as a warning, once for each file, and counted. It is normal after the file was extended, until the next training.

== Answers

People answer events that the model is not sure of (`+"`low_confidence`"+`, `+"`no_cluster`"+`, `+"`unknown_event`"+`, `+"`unscored`"+`, `+"`disputed`"+`) with `+"`deepcase_label`"+`. The answers are in the model directory, beside the versions. They hold for every version, also after a training or a rollback, and are in force within `+"`reload`"+`.

- An answer covers, by its scope: the pattern on its machine, the pattern on all machines, the event on its machine, or the event on all machines. The narrowest scope wins, and in one scope the newest answer.
- A benign answer never silences a cluster that has a score above 0. Only another score of the cluster does, or a mute. An answer above 0 to a pattern also counts if the cluster has score 0.
- An answer of score 0 is asked again after `+"`hold`"+`: the event has its own status again, with `+"`answered_before`"+`. Each time that the answer is given again, it holds `+"`hold_growth`"+` times longer, but not longer than `+"`hold_max`"+`.

If the decisions cannot be read, for example because a newer program has written them, those that were read before stay in force. This is logged once. A line that is damaged has no effect, and is logged.

== Metrics

- `+"`deepcase_answers_in_force`"+`, `+"`deepcase_mutes_in_force`"+` (gauges)
- `+"`deepcase_decision_hits`"+` (counter, labels `+"`kind`"+`: `+"`answer`"+` or `+"`mute`"+`, and `+"`scope`"+`): messages that were settled by a decision
- `+"`deepcase_answers_asked_again`"+` (counter, label `+"`scope`"+`): messages with `+"`answered_before`"+`
- `+"`deepcase_decision_reloads_failed`"+` (counter), `+"`deepcase_decisions_damaged`"+` (gauge): lines that cannot be read
- `+"`deepcase_other_templates`"+` (counter): messages whose event was named by other templates than those of the training
- `+"`deepcase_verdicts`"+` (counter, label `+"`status`"+`; `+"`error`"+` for messages without a verdict)
- `+"`deepcase_confidence_sum`"+`, `+"`deepcase_confidence_count`"+` (counters): the sum of the confidences of messages, in units of 1/10000, and their number. Messages with the status `+"`unknown_event`"+` do not count
- `+"`deepcase_model_confidence`"+` (gauge): the mean confidence of the training, in units of 1/10000; 0 if the version does not know it
- `+"`deepcase_verdict_cache_hits`"+`, `+"`deepcase_verdict_cache_misses`"+` (counters): messages whose verdict was remembered, or not
- `+"`deepcase_query_latency_ns`"+` (timer): how long the model takes for the samples of a batch whose verdicts are not remembered
- `+"`deepcase_model_reloads`"+` (counter, label `+"`outcome`"+`: `+"`loaded`"+` or `+"`failed`"+`), `+"`deepcase_model_reload_latency_ns`"+` (timer)
- `+"`deepcase_model_created_seconds`"+` (gauge): when the version that serves was created, in seconds since 1970. Its name is in the log (`+"`Model loaded`"+`) and in each verdict
- `+"`deepcase_model_trained_seconds`"+` (gauge): when its clusters were learnt. Scores that analysts give later make new versions but do not change this
- `+"`deepcase_model_events`"+`, `+"`deepcase_model_clusters`"+`, `+"`deepcase_model_clusters_scored`"+` (gauges)`).
		Fields(
			configfield.ModelField(),
			mapping.TargetField(),
			fieldCacheSize.Field().
				Description(fmt.Sprintf("The most verdicts to remember, one per distinct event with its context. A verdict takes up to %d bytes with a context of 10 events, and %d with one of 1,000. The length of names does not matter. 0 remembers none.", verdictBytes(10), verdictBytes(1000))).
				Default(100_000),
			fieldCacheBytes.Field().
				Description("The most bytes that remembered verdicts may take. If `cache_size` verdicts would take more, fewer are remembered.").
				Advanced().
				Default(128<<20),
			fieldReload.Field().
				Description("How often to look for a new version, and for new answers.").
				Default("10s"),
			fieldQueryTimeout.Field().
				Description("How long the model may take for the samples of a batch whose verdicts are not remembered. If it takes longer, their messages are flagged with an error.").
				Advanced().
				Default("1m"),
			service.NewBoolField(fieldExplain).
				Description("Whether to add `attention`.").
				Default(true),
		).
		Fields(configfield.HoldFields()...).
		Fields(
			ecsField(),
			configfield.DeviceField("cpu"),
		).
		Example("Live scoring", "Alerts get their context, then a verdict. Alerts that an analyst should look at go to one file, the others to another.", `
pipeline:
  threads: 1 # contexts depend on the order of events
  processors:
    - deepcase_sequence:
        machine: ${! json("host.name") }
        event: ${! json("rule.name") }
        timestamp: ${! json("@timestamp") }
    - deepcase_predict:
        model: /var/lib/deepcase

output:
  switch:
    cases:
      - check: this.deepcase.score == 0
        output:
          file:
            path: benign.ndjson
            codec: lines
      - output:
          file:
            path: for-the-analyst.ndjson
            codec: lines
`).
		Example("Elastic Common Schema", "Scores from 0 to 3 become risks from 0 to 100.", `
pipeline:
  threads: 1 # contexts depend on the order of events
  processors:
    - deepcase_sequence:
        machine: ${! json("host.name") }
        event: ${! json("rule.name") }
        timestamp: ${! json("@timestamp") }
    - deepcase_predict:
        model: /var/lib/deepcase
        ecs:
          max_score: 3
`)
}

func init() {
	service.MustRegisterBatchProcessor("deepcase_predict", predictSpec(),
		func(conf *service.ParsedConfig, mgr *service.Resources) (service.BatchProcessor, error) {
			return newPredictFromParsed(conf, mgr)
		})
}

func newPredictFromParsed(conf *service.ParsedConfig, mgr *service.Resources) (*predict, error) {
	target, err := mapping.ParseTarget(conf)
	if err != nil {
		return nil, err
	}
	hold, err := parseHold(conf)
	if err != nil {
		return nil, err
	}
	s := &serving{log: mgr.Logger(), metrics: newServingMetrics(mgr.Metrics()), now: time.Now}
	if s.dir, err = configfield.ParseModel(conf); err != nil {
		return nil, err
	}
	if s.cacheSize, err = fieldCacheSize.Parse(conf); err != nil {
		return nil, err
	}
	if s.cacheBytes, err = fieldCacheBytes.Parse(conf); err != nil {
		return nil, err
	}
	every, err := fieldReload.Parse(conf)
	if err != nil {
		return nil, err
	}
	limit, err := fieldQueryTimeout.Parse(conf)
	if err != nil {
		return nil, err
	}
	p := &predict{
		target:   target,
		serving:  s,
		answers:  newAnswers(s.dir, hold, mgr),
		named:    newNamedBy(mgr),
		limit:    limit,
		verdicts: mgr.Metrics().NewCounter("deepcase_verdicts", "status"),
		hits:     mgr.Metrics().NewCounter("deepcase_verdict_cache_hits"),
		misses:   mgr.Metrics().NewCounter("deepcase_verdict_cache_misses"),
		latency:  mgr.Metrics().NewTimer("deepcase_query_latency_ns"),

		confidences: newConfidences(mgr.Metrics()),
	}
	p.verdicts.Incr(0, "error")
	if p.explain, err = conf.FieldBool(fieldExplain); err != nil {
		return nil, err
	}
	maxScore, err := fieldMaxScore.Parse(conf, fieldECS)
	if err != nil {
		return nil, err
	}
	if maxScore > 0 {
		p.ecs = &annotation.ECS{MaxScore: maxScore}
	}
	name, err := configfield.ParseDevice(conf)
	if err != nil {
		return nil, err
	}
	if s.engine, err = engine.Open(name); err != nil {
		return nil, err
	}
	s.log.With("engine", s.engine.Name(), "why", engine.Why(name)).Info("Engine chosen")
	s.start(every)
	p.answers.start(every)
	return p, nil
}

type predict struct {
	target  annotation.Target
	serving *serving
	answers *answers
	named   *namedBy
	limit   time.Duration // for the unknown samples of a batch
	explain bool
	ecs     *annotation.ECS // nil: off

	verdicts     *service.MetricCounter
	hits, misses *service.MetricCounter
	latency      *service.MetricTimer
	confidences  confidences
	outcome      outcome
}

func (p *predict) ProcessBatch(ctx context.Context, batch service.MessageBatch) ([]service.MessageBatch, error) {
	defer p.outcome.count(batch)()
	v := p.serving.acquire()
	name := ""
	if v != nil {
		defer v.release()
		name = v.name
	}
	raws, room := handed.take(p.target, batch), field.Room{}
	rows := make([]int, 0, len(batch)) // the messages of the batch that subjects are from
	subjects := make([]decisions.Subject, 0, len(batch))
	for i, message := range batch {
		s, err := p.subject(message, &raws[i], &room, v)
		if err != nil {
			p.fail(message, err)
			raws[i] = annotation.Raw{}
			continue
		}
		rows, subjects = append(rows, i), append(subjects, s)
	}
	verdicts, keys, errs := p.ask(ctx, v, subjects)
	p.confidences.add(verdicts, errs)
	given := map[model.Status]int64{}
	results := p.answers.settle(verdicts, keys, errs)
	for i := range results {
		result, message, raw := &results[i], batch[rows[i]], &raws[rows[i]]
		if errs[i] != nil {
			p.fail(message, errs[i])
			*raw = annotation.Raw{}
			continue
		}
		given[result.Settled.Status]++
		if result.Version = name; result.Verdict.Cluster >= 0 {
			result.HourlyMax = v.predictor.Model().Clusters[result.Verdict.Cluster].HourlyMax
		}
		if raw.OK() {
			*raw = raw.WithVerdict(result, p.explain)
			message.SetBytes(raw.Text())
			continue
		}
		document := mapping.Mutable(message)
		p.target.WriteVerdict(document, *result, p.explain)
		if p.ecs != nil {
			p.ecs.Write(document, subjects[i].Event, *result)
		}
	}
	handed.over(p.target, raws)
	for status, n := range given {
		p.verdicts.Incr(n, status.String())
	}
	return []service.MessageBatch{batch}, nil
}

// fail flags a message.
func (p *predict) fail(message *service.Message, err error) {
	p.verdicts.Incr(1, "error")
	message.SetError(err)
}

// ask gives a verdict or an error for each subject, and its keys. Samples whose verdicts are not remembered are asked in one query.
func (p *predict) ask(ctx context.Context, v *version, subjects []decisions.Subject) ([]model.Verdict, [][4]decisions.Key, []error) {
	verdicts, keys, errs := make([]model.Verdict, len(subjects)), make([][4]decisions.Key, len(subjects)), make([]error, len(subjects))
	if v == nil {
		for i, subject := range subjects {
			verdicts[i], keys[i] = model.Verdict{Status: model.NoModel, Cluster: -1}, subject.Keys()
		}
		return verdicts, keys, errs
	}
	var asked []int // the subjects whose verdicts are not remembered
	var unknown []model.Sample
	var unknownKeys []sampleKey
	var buffer []byte
	for i, subject := range subjects {
		sample := model.Sample{Context: subject.Context, Event: subject.Event}
		if v.verdicts != nil {
			key := keyOf(sample, &buffer)
			if known, there := v.verdicts.Get(key); there {
				verdicts[i], keys[i] = known.verdict, subject.KeysLike(known.keys)
				continue
			}
			unknownKeys = append(unknownKeys, key)
		}
		keys[i] = subject.Keys()
		asked, unknown = append(asked, i), append(unknown, sample)
	}
	p.hits.Incr(int64(len(subjects) - len(unknown)))
	p.misses.Incr(int64(len(unknown)))
	if len(unknown) == 0 {
		return verdicts, keys, errs
	}
	started := time.Now()
	ctx, cancel := p.serving.limited(ctx, p.limit)
	defer cancel()
	answers, err := v.predictor.Predict(ctx, unknown)
	p.latency.Timing(time.Since(started).Nanoseconds())
	if partly := (*model.NotFiniteError)(nil); errors.As(err, &partly) {
		for _, row := range partly.Rows {
			errs[asked[row]] = fmt.Errorf("query of model %s: %w", v.name, interpreter.ErrNotFinite)
		}
		err = nil
	}
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		for _, i := range asked {
			errs[i] = fmt.Errorf("query of model %s: %w", v.name, err)
		}
		return verdicts, keys, errs
	}
	for row, i := range asked {
		if errs[i] != nil {
			continue
		}
		verdicts[i] = answers[row]
		if v.verdicts != nil {
			// The attention is part of the memory of the whole query, which a single verdict must not keep.
			kept := remembered{answers[row], keys[i]}
			kept.verdict.Attention = slices.Clone(kept.verdict.Attention)
			v.verdicts.Add(unknownKeys[row], kept)
		}
	}
	return verdicts, keys, errs
}

func (p *predict) Close(context.Context) error {
	p.outcome.report(p.serving.log, "they got an error and no verdict")
	p.answers.close()
	return p.serving.close()
}
