package processor

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/cases"
	"connect-deepcase/internal/configfield"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/mapping"
)

var (
	fieldGap        = configfield.DurationFrom0("gap")
	fieldAlarmGap   = configfield.DurationFrom0("alarm_gap")
	fieldByMachine  = "by_machine"
	fieldBurst      = configfield.FloatFrom0("burst")
	fieldBurstFloor = configfield.IntAtLeast("burst_floor", 0)
	fieldAudit      = configfield.Share("audit")
)

func caseSpec() *service.ConfigSpec {
	defaults := cases.DefaultOptions()
	return service.NewConfigSpec().
		Stable().
		Version("0.1.0").
		Categories("DeepCASE").
		Summary("Groups alerts into cases, which are what a person opens, and says which alerts nobody needs to look at.").
		Description(`
Reads what `+"`deepcase_sequence`"+` and `+"`deepcase_predict`"+` wrote at `+"`target`"+`, and adds these fields there:

- `+"`send`"+`: whether a person should look at the alert. It is always written
- `+"`case`"+`: the id of its case. This and the fields below are written only if `+"`send`"+` is true
- `+"`case_kind`"+`:
** `+"`alarm`"+`: the score is above 0, by a cluster or by an answer
** `+"`new`"+`: no model and no answer says what it is. The status is `+"`low_confidence`"+`, `+"`no_cluster`"+`, `+"`unknown_event`"+`, `+"`disputed`"+` or `+"`no_model`"+`
** `+"`unscored`"+`: it is in a cluster that nobody has scored
** `+"`burst`"+`: the score is 0, but there are far more such alerts than the training saw
** `+"`audit`"+`: the alert is dismissed, and drawn at random to find out what is missed
- `+"`case_opened`"+`: whether the alert is the first one of the case on its machine. Then a ticket has to be created
- `+"`case_techniques`"+`: the techniques of MITRE ATT&CK that alerts of the case on this machine have named, up to this one, as in `+"`[\"T1110\", \"T1110.001\"]`"+`: at most 32, sorted. It is missing if there are none. The page docs/events.md says where documents name them

An alert is dismissed if its score is 0, by a cluster or by an answer, or if it is muted. All other alerts are sent. That includes all alerts before the first model is published: nothing says that they are benign. They make one case on each machine.

== What makes a case

Cases are made for each machine. All alerts of one kind with no pause of more than `+"`gap`"+` are one case. For alarms and unscored clusters it is `+"`alarm_gap`"+`, because an attack that goes on for days is one case. In addition:

- alarms and bursts of different clusters are different cases. So are alarms of different events, if their score comes from an answer. With `+"`by_machine: true`"+`, alarms of a machine are one case, and alerts of the kind `+"`new`"+` belong to it, as `+"`alarm`"+`, if they come no later than `+"`gap`"+` after its last alert
- the alerts of an unscored cluster are one case on all machines: there is one thing to decide. `+"`case_opened`"+` is true on each machine, and again after a pause of more than `+"`alarm_gap`"+`. Let the ticket system recognise the id
- an audited alert is a case of its own

A burst begins at the first alert that makes more than `+"`burst`"+` times the highest hourly count of its cluster on one machine in the training, and at least `+"`burst_floor`"+`, in one hour of the clock (UTC). The alerts before it are dismissed, so look at the whole hour of that cluster on that machine. Models of older versions do not know the hourly counts: their clusters have no bursts.

== Guarantees

No message is dropped. Batches keep their order and size. A message that came with an error passes unchanged and keeps that error. A message is flagged with an error if it has no verdict, or if its time cannot be read. The rest of its batch goes on.

The case of an alert depends only on the alerts of its machine that came before it. With `+"`pipeline.threads: 1`"+` they are taken in the order of the source. Ids are the same in every process. An alert that comes late joins the case that its time is near enough to. It never joins two open cases into one.

An alert that has the `+"`id`"+`, event and time of one of the last `+"`late`"+` alerts of its machine that have an id is that alert again. It gets the same fields as before, even if its verdict has changed, and changes nothing else. Only `+"`case_techniques`"+` has what came meanwhile, too. So a message with an id can be delivered again after a failure or a restart without harm. An alert without an id counts twice in its hour if it comes again.

Whether an alert is audited depends on its machine, event, time and id alone, so all processes draw the same alerts.

== What is forgotten

A closed case is forgotten when it is no longer possible that an alert joins it. Of one machine, at most 1,000 cases and 1,000 hourly counts are held. Above `+"`max_machines`"+` or `+"`max_bytes`"+`, machines are forgotten in this order:

. machines without an open case
. new machines, which have had fewer than 10 alerts, while they take more than a quarter of the budget. So a flood of invented names displaces itself, not the machines that are known
. known machines

Within each group, the machines that have been silent for longest go first. With a `+"`cache`"+`, a forgotten machine is read back when its next alert comes. Without one, its next alerts open cases again.

== Cases that survive a restart

Cases live in memory and are lost at a restart, unless `+"`cache`"+` names a cache resource. This works as in `+"`deepcase_sequence`"+`: each batch reads the machines from there and writes them back before its messages go on, processes that share a cache can take over each other's machines, and a failing cache is tried for `+"`cache_retry`"+`. Both can use the same cache resource, because the keys differ.

== Metrics

- `+"`deepcase_case_alerts`"+` (counter, label `+"`kind`"+`: a `+"`case_kind`"+`, `+"`none`"+` for dismissed alerts, or `+"`error`"+`)
- `+"`deepcase_cases_opened`"+` (counter, label `+"`kind`"+`): alerts with `+"`case_opened`"+`. They count again if they are delivered again
- `+"`deepcase_cases_open`"+` (gauge): cases in memory that an alert could still join. It is counted at most every 10 seconds, while alerts come
- `+"`deepcase_case_machines`"+`, `+"`deepcase_case_machines_bytes`"+` (gauges): machines held in memory, and their bytes, as `+"`max_bytes`"+` counts them
- `+"`deepcase_case_machines_evicted`"+` (counter, label `+"`outcome`"+`): machines that were forgotten because of `+"`max_machines`"+` or `+"`max_bytes`"+`: `+"`lost`"+` if they had an open case, `+"`expired`"+` if not, `+"`cached`"+` if their cases are in the `+"`cache`"+`
- `+"`deepcase_cache_failures`"+` (counter): reads and writes of the cache that failed, including those that were tried again`).
		Fields(mapping.TimeFields()...).
		Fields(
			fieldGap.Field().
				Description("The longest pause between two alerts of a case of the kind `new` or `burst`. With `4h`, cases of the kind `new` are about half as many, and each twice as large.").
				Default("1h"),
			fieldAlarmGap.Field().
				Description("The same for cases of the kind `alarm` or `unscored`.").
				Default("24h"),
			service.NewBoolField(fieldByMachine).
				Description("Whether all alarms of a machine are one case, which also takes what is new there while the pause is at most `gap`. There are fewer cases, and each tells more of the story. docs/choices.md has the measurements.").
				Default(defaults.ByMachine),
			fieldBurst.Field().
				Description("A burst has more alerts in an hour than this many times the highest hourly count of the training. 0 for no bursts.").
				Default(defaults.Burst),
			fieldBurstFloor.Field().
				Description("The fewest alerts in an hour that make a burst.").
				Default(defaults.BurstFloor),
			fieldAudit.Field().
				Description("The share of the dismissed alerts that is sent all the same, from 0 to 1. What people decide about them says how much is missed: see docs/tuning.md.").
				Default(defaults.Audit),
			fieldLate.Field().
				Description("The number of alerts of a machine that are remembered, so that they change nothing if they come again. It should exceed the number of alerts that one machine has in batches that are not acknowledged yet.").
				Advanced().
				Default(defaults.Late),
			fieldMaxMachines.Field().
				Description("The most machines to hold in memory. Above this, machines are forgotten.").
				Default(100_000),
			fieldMaxBytes.Field().
				Description("The most bytes that cases may take in memory. Above this, machines are forgotten. The process takes up to twice as much, because of Go's garbage collector.").
				Default(256<<20),
			configfield.CacheField().
				Description("The label of a cache resource that keeps the cases, such as a `redis` or `deepcase_file` cache. Its entries should live at least as long as `alarm_gap` plus the longest outage."),
			service.NewStringField(fieldCachePrefix).
				Description("The beginning of each key in the cache, before the machine. Processors that share a cache but see different alerts need different prefixes, and no prefix may begin with another one.").
				Advanced().
				Default("deepcase_case-"),
			fieldCacheRetry.Field().
				Description("How long to try a failing cache again before messages are flagged with an error. A single access fails if it takes longer than this, or than a second if that is longer. 0 means one attempt.").
				Advanced().
				Default("30s"),
			mapping.TargetField(),
		).
		Example("A ticket for each case", "The first alert of a case creates a ticket. Alerts that nobody needs to look at go to one file. All others go to another, including those that have an error.", `
pipeline:
  threads: 1 # contexts and cases depend on the order of alerts
  processors:
    - deepcase_sequence:
        machine: ${! json("host.name") }
        event: ${! json("rule.name") }
        timestamp: ${! json("@timestamp") }
        id: ${! json("event.id") }
    - deepcase_predict:
        model: /var/lib/deepcase
    - deepcase_case:
        timestamp: ${! json("@timestamp") }
        id: ${! json("event.id") }

output:
  switch:
    cases:
      - check: this.deepcase.case_opened == true
        continue: true
        output:
          http_client:
            url: http://tickets.example.org/api/tickets
            verb: POST
          processors:
            - mapping: |
                root.key = this.deepcase.case
                root.title = this.deepcase.event + " on " + this.deepcase.machine
      - check: this.deepcase.send == false
        output:
          file:
            path: dismissed.ndjson
            codec: lines
      - output:
          file:
            path: for-the-analyst.ndjson
            codec: lines
`)
}

func init() {
	service.MustRegisterBatchProcessor("deepcase_case", caseSpec(),
		func(conf *service.ParsedConfig, mgr *service.Resources) (service.BatchProcessor, error) {
			return newGroupingFromParsed(conf, mgr)
		})
}

func newGroupingFromParsed(conf *service.ParsedConfig, mgr *service.Resources) (*grouping, error) {
	times, err := mapping.NewTimes(conf, mgr.Logger())
	if err != nil {
		return nil, err
	}
	target, err := mapping.ParseTarget(conf)
	if err != nil {
		return nil, err
	}
	var opts cases.Options
	if opts.Gap, err = fieldGap.Parse(conf); err != nil {
		return nil, err
	}
	if opts.AlarmGap, err = fieldAlarmGap.Parse(conf); err != nil {
		return nil, err
	}
	if opts.ByMachine, err = conf.FieldBool(fieldByMachine); err != nil {
		return nil, err
	}
	if opts.Burst, err = fieldBurst.Parse(conf); err != nil {
		return nil, err
	}
	if opts.BurstFloor, err = fieldBurstFloor.Parse(conf); err != nil {
		return nil, err
	}
	if opts.Audit, err = fieldAudit.Parse(conf); err != nil {
		return nil, err
	}
	if opts.Late, err = fieldLate.Parse(conf); err != nil {
		return nil, err
	}
	var limits cases.Limits
	if limits.MaxMachines, err = fieldMaxMachines.Parse(conf); err != nil {
		return nil, err
	}
	if limits.MaxBytes, err = fieldMaxBytes.Parse(conf); err != nil {
		return nil, err
	}
	machines, err := cases.NewMachines(opts, limits)
	if err != nil {
		return nil, err
	}
	g := &grouping{
		times:    times,
		target:   target,
		machines: machines,
		now:      time.Now,
		alerts:   mgr.Metrics().NewCounter("deepcase_case_alerts", "kind"),
		opened:   mgr.Metrics().NewCounter("deepcase_cases_opened", "kind"),
		open:     mgr.Metrics().NewGauge("deepcase_cases_open"),
		log:      mgr.Logger(),
	}
	for _, kind := range cases.Kinds {
		g.opened.Incr(0, kind.String())
	}
	g.alerts.Incr(0, "error")
	g.memory = newMemory(mgr, "deepcase_case_machines", func(machines, bytes int) string {
		return fmt.Sprintf("Machines are forgotten although they had open cases, and their next alerts open cases again: %d machines are held, of at most %d (`%s`), in %d bytes, of at most %d (`%s`). "+
			"Check whether someone invents names of machines. If all are real, raise these limits or set a `%s` (further machines are only counted)",
			machines, limits.MaxMachines, fieldMaxMachines, bytes, limits.MaxBytes, fieldMaxBytes, configfield.FieldCache)
	})
	g.kept, err = shareStates(conf, mgr, "case state", cases.SnapshotArrived)
	return g, err
}

type grouping struct {
	times    *mapping.Mapping
	target   annotation.Target
	machines *cases.Machines
	kept     *sharedStates // cases in a cache; nil if they are only in memory

	now     func() time.Time
	counted time.Time   // when the open cases were counted
	busy    atomic.Bool // somebody looks at counted
	memory  *memory

	alerts, opened *service.MetricCounter
	open           *service.MetricGauge
	log            *service.Logger
	outcome        outcome
	complained     atomic.Bool // logged: an alert without a case
}

// placed is a message's alert on its way to a case.
type placed struct {
	alert cases.Alert
	c     cases.Case
	err   error
}

func (g *grouping) ProcessBatch(ctx context.Context, batch service.MessageBatch) ([]service.MessageBatch, error) {
	defer g.outcome.count(batch)()
	raws, room := handed.take(g.target, batch), field.Room{} // the documents that need not be decoded
	reader := g.times.OverRaw(batch, raws)
	alerts := make([]placed, len(batch))
	for i, message := range batch {
		j := &alerts[i]
		if j.err = message.GetError(); j.err == nil { // a message that failed before keeps its error
			j.alert, j.err = g.read(reader, i, message, &raws[i], &room)
		}
	}
	if g.kept != nil {
		g.addShared(ctx, alerts)
	} else {
		for i := range alerts {
			if j := &alerts[i]; j.err == nil {
				j.c = g.machines.Add(j.alert)
			}
		}
	}
	given, opened := map[cases.Kind]int64{}, map[cases.Kind]int64{}
	for i := range alerts {
		j := &alerts[i]
		if j.err != nil {
			g.fail(batch[i], j.err)
			continue
		}
		if raws[i].OK() && !batch[i].HasStructured() {
			to := raws[i].WithCase(&j.c)
			batch[i].SetBytes(to.Text())
		} else {
			g.target.WriteCase(mapping.Mutable(batch[i]), j.c)
		}
		given[j.c.Kind]++
		if j.c.Opened {
			opened[j.c.Kind]++
		}
	}
	for kind, n := range given {
		g.alerts.Incr(n, kind.String())
	}
	for kind, n := range opened {
		g.opened.Incr(n, kind.String())
	}
	live, expired := g.machines.TakeEvicted()
	g.memory.watch(g.machines.Len(), g.machines.Bytes(), live, expired, g.kept != nil)
	g.countOpen()
	return []service.MessageBatch{batch}, nil
}

// read reads the alert of a message. raw is its document if that is known, or empty; after the call, it is there unless the message had to be decoded.
func (g *grouping) read(reader mapping.Reader, i int, message *service.Message, raw *annotation.Raw, room *field.Room) (a cases.Alert, err error) {
	if a, err = g.verdict(message, raw, room); err != nil {
		return a, err
	}
	if a.ID, err = reader.ID(i); err != nil {
		return a, err
	}
	a.At, err = reader.Time(i)
	return a, err
}

// verdict reads the verdict of a message, and gives its document as read does.
func (g *grouping) verdict(message *service.Message, raw *annotation.Raw, room *field.Room) (a cases.Alert, err error) {
	if !raw.OK() {
		*raw, _ = mapping.Raw(message, g.target, room)
	}
	if raw.OK() {
		if a, ok := raw.Alert(); ok {
			return a, nil
		}
	}
	*raw = annotation.Raw{}
	document, err := mapping.Document(message)
	if err != nil {
		return a, err
	}
	return g.target.Alert(document)
}

// addShared puts each alert without an error into its case, by the machines in the cache, or gives it an error: all alerts of a machine or
// none.
func (g *grouping) addShared(ctx context.Context, alerts []placed) {
	machines := map[string][]*placed{}
	for i := range alerts {
		if j := &alerts[i]; j.err == nil {
			machines[j.alert.Machine] = append(machines[j.alert.Machine], j)
		}
	}
	updateEach(ctx, g.kept, g.machines.Update, machines, func(m *cases.Machine, j *placed) {
		j.c = m.Add(g.machines.Options(), j.alert)
	}, func(j *placed, err error) {
		j.err = fmt.Errorf("cases of machine %q: %w", j.alert.Machine, err)
	})
}

// fail flags a message. Why is logged once: if the mapping is wrong, all alerts are refused, and the pipeline goes on all the same.
func (g *grouping) fail(message *service.Message, err error) {
	g.alerts.Incr(1, "error")
	if message.GetError() == nil && !g.complained.Swap(true) {
		g.log.Warnf("An alert gets an error and no case: %v (further alerts are only counted)", err)
	}
	message.SetError(err)
}

// countEvery is how often open cases are counted at most, because that looks at all machines.
const countEvery = 10 * time.Second

func (g *grouping) countOpen() {
	if g.busy.Swap(true) {
		return
	}
	defer g.busy.Store(false)
	if now := g.now(); now.Sub(g.counted) >= countEvery {
		g.counted = now
		g.open.Set(int64(g.machines.Open()))
	}
}

func (g *grouping) Close(context.Context) error {
	g.outcome.report(g.log, "they got an error and no case")
	return nil
}
