// Package processor holds DeepCASE's processors: deepcase_template, deepcase_sequence, deepcase_predict, deepcase_case and deepcase_label.
package processor

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/configfield"
	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/sequencer"
)

var (
	fieldLength      = configfield.IntBetween("length", 1, 10_000)
	fieldTimeout     = configfield.DurationFrom0("timeout")
	fieldMaxMachines = configfield.IntAtLeast("max_machines", 1)
	fieldMaxBytes    = configfield.IntAtLeast("max_bytes", sequencer.MinWindowBytes)
	fieldMaxFuture   = configfield.DurationFrom0("max_future")
	fieldLate        = configfield.IntAtLeast("late", 0)
	fieldCacheRetry  = configfield.DurationFrom0("cache_retry")
)

const fieldCachePrefix = "cache_prefix"

func sequenceSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Stable().
		Version("0.1.0").
		Categories("DeepCASE").
		Summary("Gives each security event its context: the events that came before it on the same machine.").
		Description(`
Writes an object with `+"`machine`"+`, `+"`event`"+` and `+"`context`"+` into the document, at `+"`target`"+`. The context is a list of `+"`length`"+` event names, oldest first. It has `+"`null`"+` where there is no event, or only one that is more than `+"`timeout`"+` older. The rest of the document does not change. If `+"`deepcase_template`"+` is in the same pipeline and named events by a file of templates, the object also has `+"`templates`"+`, the beginning of that file's checksum.

== Guarantees

No message is dropped. Batches keep their order and size.

The page docs/events.md says what a machine, an event, a time and an id may be, and what a path means. A message that is not a JSON object, or whose machine, event or time breaks these rules, is flagged with an error that names the field and what was found there. Such a message enters no window, and the rest of its batch goes on. A message that came with an error enters no window either, and keeps its error.

The context of an event depends only on the events of its machine that came before it. With `+"`pipeline.threads: 1`"+` events are taken in the order of the source. With more threads (the default is one per core) batches overtake each other, and contexts become random. A late event is put in its place by its timestamp if at most `+"`late`"+` events of its machine are younger.

An event with the `+"`id`"+`, name and time of an earlier event of its machine is that event again: it gets the same context and changes no window. So a message with an id can be delivered again after a failure or a restart without harm. Without an id it counts twice. It also counts twice if its `+"`timestamp`"+` changes with each delivery (`+"`now()`"+`).

An `+"`id`"+` should not be that of a rule or of a file. Two things are signs of such an `+"`id`"+`:

- an event has the `+"`id`"+`, name and time of an earlier event, but another document. It is taken for the earlier event
- an event has the `+"`id`"+` of an earlier event, but another name or time. It is an event of its own

Both are counted in `+"`deepcase_sequence_reused_ids`"+`, and the first event of each kind is logged.

== What is logged once

The log warns once about each of these, and says what to do. The metrics go on counting:

- batches overlap (`+"`pipeline.threads`"+`)
- an event came later than `+"`late`"+` allows
- the source goes back in time: 16 events in a row are more than a minute older than the newest event of their machine. Of a file (metadata `+"`path`"+`) that was read after another one, three events at its beginning are enough. This happens if files are read newest first, if a later file begins at an earlier time, or if a source is read again while the windows still hold its end
- machines were forgotten that had events within `+"`timeout`"+`

== What is forgotten

Above `+"`max_machines`"+` or `+"`max_bytes`"+`, machines are forgotten in this order:

. machines whose events are all older than `+"`timeout`"+`
. new machines, which have had fewer than `+"`length`"+` events, while they take more than a quarter of the budget. So a flood of invented names displaces itself, not the machines that are known
. known machines

Within each group, the machines that have been silent for longest go first. With a `+"`cache`"+`, a forgotten machine is read back when its next event comes. Without one, its context begins empty.

== Windows that survive a restart

Windows live in memory and are lost at a restart, unless `+"`cache`"+` names a cache resource. With a cache, each batch reads the windows of its machines from there and writes them back before its messages go on. So processes that share a cache can take over each other's machines.

The source must give each machine to one process at a time, as a Kafka topic does that is keyed by machine. A process that has lost a machine may still write a window, for events that it was working on. If events have ids, that does no harm (the page docs/operations.md has one exception): each machine has two keys in the cache, so the old process does not replace what the new one wrote, and the later window of the two counts.

If the cache fails, the batch waits for up to `+"`cache_retry`"+` after the last access that succeeded. Then the messages of all machines whose windows are not written yet are flagged with an error. These windows stay as they were, so the messages can be sent again.

== Metrics

- `+"`deepcase_sequence_events`"+` (counter, label `+"`outcome`"+`: `+"`sequenced`"+` or `+"`error`"+`)
- `+"`deepcase_sequence_reused_ids`"+` (counter): events that had the `+"`id`"+` of an event with another name, time or document
- `+"`deepcase_sequence_late`"+` (counter, label `+"`outcome`"+`): events that came after younger events of their machine: `+"`placed`"+` if at most `+"`late`"+` events were younger, else `+"`beyond`"+`, and then contexts may be too short
- `+"`deepcase_sequence_overlapping_calls`"+` (counter): batches that began while another batch was in this processor
- `+"`deepcase_sequence_future`"+` (counter): events that were refused because of `+"`max_future`"+`
- `+"`deepcase_windows`"+`, `+"`deepcase_windows_bytes`"+` (gauges): machines held in memory, and the bytes of their windows, as `+"`max_bytes`"+` counts them
- `+"`deepcase_windows_evicted`"+` (counter, label `+"`outcome`"+`): machines that were forgotten because of `+"`max_machines`"+` or `+"`max_bytes`"+`: `+"`lost`"+` if they had events within `+"`timeout`"+`, `+"`expired`"+` if not, `+"`cached`"+` if their windows are in the `+"`cache`"+`
- `+"`deepcase_cache_failures`"+` (counter): reads and writes of the cache that failed, including those that were tried again`).
		Fields(mapping.Fields()...).
		Fields(
			fieldLength.Field().
				Description("The number of events in a context. It must be the length that the model was trained with.").
				Default(10),
			fieldTimeout.Field().
				Description("The maximum age of an event in a context, counted back from the event that the context belongs to.").
				Default("24h"),
			fieldMaxMachines.Field().
				Description("The most machines to hold in memory. Above this, machines are forgotten.").
				Default(100_000),
			fieldMaxBytes.Field().
				Description("The most bytes that windows may take in memory, including names. Above this, machines are forgotten. The default is enough for 100,000 machines with names of usual length and the default of `late`. The process takes up to twice as much, because of Go's garbage collector.").
				Default(sequencer.DefaultWindowOptions().MaxBytes),
			fieldMaxFuture.Field().
				Description("How far in the future an event may be. The message of a later event is flagged with an error, and the event enters no window: it would empty the contexts of its machine until as many events have come as a window holds. The default is more than the error of any wrong time zone. 0 accepts any time. Events of the past are always accepted.").
				Default("24h"),
			fieldLate.Field().
				Description("The number of events that a window holds in addition to a context, so that late and repeated events find their place. It should exceed the number of events that one machine has in batches that are not acknowledged yet. If the clock of a machine jumps back by more than this, its contexts may be empty for its next `length` + 1 + `late` events. After that they are right again.").
				Advanced().
				Default(32),
			configfield.CacheField().
				Description("The label of a cache resource that keeps the windows, such as a `redis` or `deepcase_file` cache. Its entries should live at least as long as `timeout` plus the longest outage."),
			service.NewStringField(fieldCachePrefix).
				Description("The beginning of each key in the cache, before the machine. Sequencers that share a cache but read different events need different prefixes, and no prefix may begin with another one.").
				Advanced().
				Default("deepcase-"),
			fieldCacheRetry.Field().
				Description("How long to try a failing cache again before messages are flagged with an error. A single access fails if it takes longer than this, or than a second if that is longer. 0 means one attempt.").
				Advanced().
				Default("30s"),
			mapping.TargetField(),
		).
		Example("Alerts of one source", "Alerts whose host, rule and time have the field names of the Elastic Common Schema.", `
pipeline:
  threads: 1 # contexts depend on the order of events
  processors:
    - deepcase_sequence:
        machine: ${! json("host.name") }
        event: ${! json("rule.name") }
        timestamp: ${! json("@timestamp") }
        id: ${! json("event.id") }
`).
		Example("Windows in a cache", "Windows survive a restart, and all processes of a consumer group share them. This example has a `memory` cache: use `redis` in its place. For processes on one machine, `deepcase_file` is enough.", `
pipeline:
  threads: 1 # contexts depend on the order of events
  processors:
    - deepcase_sequence:
        machine: ${! json("machine") }
        event: ${! json("event") }
        timestamp: ${! json("timestamp") }
        id: ${! meta("kafka_partition") }/${! meta("kafka_offset") }
        cache: windows

cache_resources:
  - label: windows
    memory:
      default_ttl: 72h
`)
}

func init() {
	service.MustRegisterBatchProcessor("deepcase_sequence", sequenceSpec(),
		func(conf *service.ParsedConfig, mgr *service.Resources) (service.BatchProcessor, error) {
			return newSequenceFromParsed(conf, mgr)
		})
}

func newSequenceFromParsed(conf *service.ParsedConfig, mgr *service.Resources) (*sequence, error) {
	events, err := mapping.New(conf, mgr.Logger())
	if err != nil {
		return nil, err
	}
	target, err := mapping.ParseTarget(conf)
	if err != nil {
		return nil, err
	}
	var opts sequencer.WindowOptions
	if opts.Length, err = fieldLength.Parse(conf); err != nil {
		return nil, err
	}
	if opts.Timeout, err = fieldTimeout.Parse(conf); err != nil {
		return nil, err
	}
	if opts.MaxMachines, err = fieldMaxMachines.Parse(conf); err != nil {
		return nil, err
	}
	if opts.MaxBytes, err = fieldMaxBytes.Parse(conf); err != nil {
		return nil, err
	}
	if opts.Late, err = fieldLate.Parse(conf); err != nil {
		return nil, err
	}
	maxFuture, err := fieldMaxFuture.Parse(conf)
	if err != nil {
		return nil, err
	}
	windows, err := sequencer.NewWindows(opts)
	if err != nil {
		return nil, err
	}
	s := &sequence{
		mapping:   events,
		target:    target,
		windows:   windows,
		maxFuture: maxFuture,
		now:       time.Now,
		order:     newOrder(mgr, opts.Late),
		memory:    newMemory(mgr, "deepcase_windows", windowsForgotten(opts)),
		events:    mgr.Metrics().NewCounter("deepcase_sequence_events", "outcome"),
		reused:    mgr.Metrics().NewCounter("deepcase_sequence_reused_ids"),
		future:    mgr.Metrics().NewCounter("deepcase_sequence_future"),
		log:       mgr.Logger(),
	}
	s.reused.Incr(0)
	s.future.Incr(0)
	s.kept, err = shareStates(conf, mgr, "window", sequencer.SnapshotArrived)
	return s, err
}

type sequence struct {
	mapping *mapping.Mapping
	target  annotation.Target
	windows *sequencer.Windows
	kept    *sharedStates // windows in a cache; nil if they are only in memory

	maxFuture time.Duration // 0: no bound
	now       func() time.Time
	order     *order
	memory    *memory

	events *service.MetricCounter
	reused *service.MetricCounter
	future *service.MetricCounter
	log    *service.Logger

	warned, warnedOther, complained atomic.Bool // logged: a reused id, one with another document, a refused event
	outcome                         outcome
}

// pending is a message's event on its way to a context.
type pending struct {
	event   sequencer.Event
	context []string
	how     sequencer.Arrival
	err     error
	path    string // of the file that it comes from, if it does
}

func (s *sequence) ProcessBatch(ctx context.Context, batch service.MessageBatch) ([]service.MessageBatch, error) {
	defer s.order.call()()
	raws := make([]annotation.Raw, len(batch)) // the documents that need not be decoded
	reader, now := s.mapping.OverRaw(batch, raws), s.now()
	room := make(field.Room, 0, 16*len(batch))
	events := make([]pending, len(batch))
	for i, message := range batch {
		p := &events[i]
		p.err = message.GetError() // a message that failed before keeps its error, and may not be what the mapping expects
		if p.err == nil {
			if raws[i], p.err = s.check(message, &room); p.err == nil {
				if p.event, p.err = reader.Event(i); p.err == nil {
					p.event.Content = s.content(message, &raws[i], p.event.ID)
					p.err = s.checkTime(p.event.Time, now)
					p.path, _ = message.MetaGet("path")
				}
			}
			s.complain(p.err)
		}
	}
	if s.kept != nil {
		s.addShared(ctx, events)
	} else {
		for i := range events {
			if p := &events[i]; p.err == nil {
				p.context, p.how = s.windows.Add(p.event)
			}
		}
	}
	sequenced, reused := 0, 0
	sequences := make([]annotation.Sequence, len(batch))
	for i := range events {
		p, raw, sequence := &events[i], &raws[i], &sequences[i]
		if p.err != nil {
			batch[i].SetError(p.err)
			*raw = annotation.Raw{}
			continue
		}
		*sequence = annotation.Sequence{Machine: p.event.Machine, Event: p.event.Name, Context: p.context, Templates: mapping.Templates(batch[i])}
		if raw.OK() && !batch[i].HasStructured() {
			*raw = raw.WithSequence(sequence)
			batch[i].SetBytes(raw.Text())
		} else {
			*raw = annotation.Raw{}
			s.target.WriteSequence(mapping.Mutable(batch[i]), *sequence)
		}
		sequenced++
		if p.how.Reused || p.how.Other {
			reused++
			s.warn(p.event, p.how)
		}
	}
	handed.over(s.target, raws)
	s.outcome.add(len(batch), len(batch)-sequenced)
	s.events.Incr(int64(sequenced), "sequenced")
	s.events.Incr(int64(len(batch)-sequenced), "error")
	s.reused.Incr(int64(reused))
	s.order.watch(events)
	live, expired := s.windows.TakeEvicted()
	s.memory.watch(s.windows.Len(), s.windows.Bytes(), live, expired, s.kept != nil)
	return []service.MessageBatch{batch}, nil
}

// warn logs an id that another event had, once: if the mapping is wrong, all ids are like this.
func (s *sequence) warn(e sequencer.Event, how sequencer.Arrival) {
	if how.Other && !s.warnedOther.Swap(true) {
		s.log.With("machine", e.Machine, "event", e.Name, "time", e.Time).Warnf(
			"%s: %s came before with the same name and time and another document. This event and others like it are taken for events that come again. If they "+
				"are different events, this is the id of something else, such as a rule: need an id that no other event of the machine has, or none", mapping.FieldID, excerpt.Quote(e.ID))
	}
	if !how.Reused || s.warned.Swap(true) {
		return
	}
	s.log.With("machine", e.Machine, "event", e.Name, "time", e.Time).Warnf(
		"%s: %s was that of an event with another name or time before: need an id that no other event of the machine has, or none. "+
			"This event and others like it count as events of their own", mapping.FieldID, excerpt.Quote(e.ID))
}

// complain logs why an event was refused, once: if the mapping is wrong, all events are refused, and the pipeline goes on all the same.
func (s *sequence) complain(err error) {
	if err != nil && !s.complained.Swap(true) {
		s.log.Warnf("An event gets an error and no context: %v (further events are only counted)", err)
	}
}

// check says whether the document can be annotated. It decodes it only if that is needed.
func (s *sequence) check(message *service.Message, room *field.Room) (annotation.Raw, error) {
	if raw, ok := mapping.Raw(message, s.target, room); ok {
		return raw, nil
	}
	document, err := mapping.Document(message)
	if err != nil {
		return annotation.Raw{}, err
	}
	return annotation.Raw{}, s.target.Check(document)
}

// content is a hash of the document of an event with an id. It is 0 without an id, and if the document was annotated before: then the event
// comes again, and the annotation makes its document another one.
func (s *sequence) content(message *service.Message, raw *annotation.Raw, id string) uint64 {
	if id == "" {
		return 0
	}
	var annotated bool
	switch {
	case message.HasStructured():
		document, _ := message.AsStructured()
		annotated = field.Find(document, s.target.String()) != nil
	case len(s.target) == 1 && raw.OK():
		annotated = raw.Annotated()
	default:
		document, _ := message.AsBytes()
		annotated = field.FindJSON(document, s.target.String()) != nil
	}
	if annotated {
		return 0
	}
	bytes, _ := message.AsBytes() // never fails
	return xxhash.Sum64(bytes)
}

// checkTime refuses an event that is too far in the future.
func (s *sequence) checkTime(at, now time.Time) error {
	if s.maxFuture == 0 || !at.After(now.Add(s.maxFuture)) {
		return nil
	}
	s.future.Incr(1)
	return fmt.Errorf("%s: %s is later than now (%s) by more than %s (%s): is it the right unit and zone, and are both clocks right?",
		mapping.FieldTimestamp, at.UTC().Format(time.RFC3339), now.UTC().Format(time.RFC3339), fieldMaxFuture, s.maxFuture)
}

func (s *sequence) Close(context.Context) error {
	s.outcome.report(s.log, "they got an error and no context")
	return nil
}
