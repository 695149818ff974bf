package processor

import (
	"context"
	"fmt"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/configfield"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/decisions"
	"connect-deepcase/model/engine"
	"connect-deepcase/model/store"
)

const (
	fieldCluster    = "cluster"
	fieldScore      = "score"
	fieldVersion    = "version"
	fieldScope      = "scope"
	fieldBy         = "by"
	fieldReason     = "reason"
	fieldExpires    = "expires"
	fieldMute       = "mute"
	fieldUndo       = "undo"
	fieldConfirm    = "confirm"
	fieldRecent     = "recent"
	fieldRecentFile = "recent_file"
)

// scopeCluster is the scope of a document whose score is that of its cluster.
const scopeCluster = "cluster"

// labelFields are the interpolated fields of deepcase_label.
var labelFields = []string{fieldCluster, fieldScore, fieldVersion, fieldScope, fieldBy, fieldReason, fieldExpires, fieldMute, fieldUndo, fieldConfirm, fieldRecent}

// decisionField is a field that was not there in the first version: a message without JSON has nothing there.
func decisionField(name string) *service.ConfigField {
	return service.NewInterpolatedStringField(name).Default(fmt.Sprintf(`${! json("%s").catch("") }`, name))
}

func labelSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Stable().
		Version("0.1.0").
		Categories("DeepCASE").
		Summary("Takes the decisions of analysts: scores of clusters, answers to single events, mutes, and what is taken back.").
		Description(`
Each message is one decision:

- With `+"`cluster`"+`, it scores a cluster of the model.
- A document that `+"`deepcase_predict`"+` annotated, with `+"`score`"+` and `+"`scope`"+`, answers events like it: the pattern (the event, the events of its context in any order, and the machine), or more with a wider scope. With the scope `+"`cluster`"+` it scores the cluster that its event and context belong to in the current model.
- With `+"`mute`"+`, a document mutes events like it: they pass although they have a score above 0.
- With `+"`undo`"+`, and without a score, it takes an answer or a mute back.

If a document has no scope, its annotation tells what is decided. If `+"`deepcase_predict`"+` named no cluster, or called the event `+"`disputed`"+`, its pattern on its machine is answered. So is that of an audited event (`+"`case_kind`"+` `+"`audit`"+`), and a mute is of the pattern on its machine, too. In all other cases the cluster is scored. That includes documents without a verdict, and those of an older program, which have no `+"`pattern`"+`.

The message becomes the reply. For a cluster:

`+"```"+`json
{"cluster": 17, "event": "sshd: failed password", "size": 240, "old": null, "new": 3, "model": "20261123T141500Z-3f2a"}
`+"```"+`

`+"`old`"+` is the score before (`+"`null`"+` if there was none), `+"`new`"+` the score now, and `+"`model`"+` the version that has it. The score `+"`none`"+` withdraws the score of the cluster: the cluster is `+"`unscored`"+` again, and `+"`new`"+` is `+"`null`"+`.

For an answer or a mute:

`+"```"+`json
{"number": 12, "kind": "answer", "scope": "pattern_on_machine", "pattern": "5d1f7f0c8a4be2b1c9a0d37e6f42a815", "event": "sshd: failed password", "machine": "web-1",
 "score": 0, "by": "ann", "reason": "known scanner", "at": "2026-03-02T09:14:07Z", "due": "2026-03-02T21:14:07Z", "old": null, "changed": true,
 "replay": {"recent": 51200, "settled": 1204, "attacks": 3, "machines": 12}}
`+"```"+`

`+"`number`"+` is what `+"`undo`"+` needs. `+"`until`"+` is there if it expires, and `+"`due`"+` if it is asked again. `+"`old`"+` is the decision that it replaces. `+"`replay`"+` is there if there are recent documents. For an undo: `+"`number`"+`, `+"`kind`"+`, `+"`undoes`"+`, `+"`by`"+`, `+"`reason`"+`, `+"`at`"+` and `+"`changed`"+`.

== Answers

Of two answers to one pattern, the one that was written later counts, whatever the clocks of the writers say.

An answer settles events that the model is not sure of, now and after every later training: `+"`deepcase_predict`"+` says how. All decisions are kept in the model directory, with who, when and why.

An answer of score 0 is asked again after `+"`hold`"+`. Give `+"`hold`"+`, `+"`hold_growth`"+` and `+"`hold_max`"+` the values that `+"`deepcase_predict`"+` has. The same answer of the same person changes nothing until it is due, so a message that is delivered again does no harm. To change when an answer or a mute ends, give another duration or a time.

A wide decision is easily too wide. If there are recent annotated documents, each answer and mute is first replayed on them: `+"`replay`"+` says how many there are, how many of them it would have settled, on how many machines, and how many of those are attacks. An attack is a document that has a score above 0, or is in a case (`+"`deepcase_case`"+`) with such a document. Recent documents come from `+"`recent_file`"+`, and from messages of the same batch that `+"`recent`"+` marks.

== Guarantees

All scores of a batch are published as one version, or none of them. A version has the size of the whole model on the disk, so scores that belong together should be one batch, such as a file that is read whole (see the example). The processor keeps the version that it published last in memory, because the next one differs little. `+"`retain`"+` bounds the number of versions. All answers, mutes and undos of a batch are written together, or none of them, and are on the disk when their messages go on. Several scorers may run at the same time: they do not lose each other's decisions. If nothing changes, nothing is written, so a message that is delivered again does no harm.

No message is dropped. Batches keep their order and size. A message that is flagged with an error changes nothing, and the rest of its batch goes on. A message is flagged if

- its score is neither a number ≥ 0 nor `+"`none`"+`
- it names no cluster of the current model
- another message of the batch decides differently about the same cluster, pattern or event
- `+"`version`"+` names a version whose clusters are not those of the current version
- its scope is none of those of the field `+"`scope`"+`, its expiry is in the past, or it has no event with its context
- it answers an event whose cluster has a score. Score the cluster instead (scope `+"`cluster`"+`), or mute the event. One answer is possible there: above 0 and to a pattern, if the cluster has score 0
- it mutes without reason or expiry, or mutes an event without a score above 0
- it is not confirmed (`+"`confirm`"+`). Each answer and mute with a scope wider than `+"`pattern_on_machine`"+` needs that, and an answer of score 0 that would have settled an attack
- it takes back anything but an answer or a mute. To take back the score of a cluster, give the cluster its old score

== Metrics

- `+"`deepcase_labels`"+` (counter, label `+"`outcome`"+`: `+"`changed`"+`, `+"`unchanged`"+` or `+"`error`"+`)
- `+"`deepcase_audit_decided`"+`, `+"`deepcase_audit_attacks`"+` (gauges): audited events (`+"`case_kind`"+` `+"`audit`"+`) that were given a score since the start of the process, each once, and those of them with a score above 0
- `+"`deepcase_audit_miss_ppm`"+` (gauge): what that says about all dismissed events: at most so many of a million are attacks, with a confidence of 95 %. `+"`deepcase summary`"+` says the same of documents, also by cluster`).
		Fields(
			configfield.ModelField(),
			service.NewInterpolatedStringField(fieldCluster).
				Description("The number of a cluster. If it is empty or `null`, the document at `target` says what is decided about.").
				Default(`${! json("cluster") }`),
			service.NewInterpolatedStringField(fieldScore).
				Description("The score: a number ≥ 0, or `none` to withdraw the score of the cluster. 0 means benign; the analysts decide what other scores mean.").
				Default(`${! json("score") }`),
			service.NewInterpolatedStringField(fieldVersion).
				Description("The version of the model in which the analyst saw the cluster, as `deepcase_train` and `deepcase_predict` name it. Empty or `null` is the current version. For documents it does not matter.").
				Default(`${! json("model") }`),
			decisionField(fieldScope).
				Description("What a document decides about: `cluster`, or from narrow to wide `pattern_on_machine`, `pattern` (on all machines), `event_on_machine` (after any events) or `event`. If it is empty, see above."),
			decisionField(fieldBy).
				Description("Who decides. It is kept with the decision."),
			decisionField(fieldReason).
				Description("Why. A mute needs it."),
			decisionField(fieldExpires).
				Description("When an answer or a mute ends: a duration such as `72h`, which counts from now, or a time such as `2026-03-05T09:00:00Z`. A mute needs it."),
			decisionField(fieldMute).
				Description("`true` for a mute."),
			decisionField(fieldUndo).
				Description("The number of an answer or a mute that is taken back."),
			decisionField(fieldConfirm).
				Description("`true` if the analyst knows how much the decision covers."),
			decisionField(fieldRecent).
				Description("`true` marks an annotated document that decides nothing. Decisions of its batch are replayed on it, and it passes unchanged."),
			service.NewStringField(fieldRecentFile).
				Description("A file of recent annotated documents, one per line (it may be compressed). Decisions are replayed on them. It is read again when it has changed. Empty for none.").
				Advanced().
				Default(""),
		).
		Fields(configfield.HoldFields()...).
		Fields(
			mapping.TargetField(),
			configfield.RetainField(),
			configfield.DeviceField("cpu"),
		).
		Example("From a file that an analyst filled in", "A csv file with the columns `model`, `cluster` and `score`. Rows without a score are left out. Prints each score that was applied, and each row that was not, with the reason.", `
input:
  deepcase_files:
    paths: [ ./clusters.csv ]
    # The whole file as one batch, so that its scores become one version of the model.
    batch_size: 1000000

pipeline:
  processors:
    - mapping: root = if !errored() && this.score == "" { deleted() }
    - deepcase_label:
        model: /var/lib/deepcase
    - mapping: 'root = if errored() { {"error": error(), "document": content().string()} }'

output:
  stdout: {}
`).
		Example("Answers over HTTP", "Each request answers one alert, such as from a button of a ticket system: the annotated document, with `score`, `by` and `reason` beside it. The reply to the request says what was decided, or why not.", `
input:
  http_server:
    address: 127.0.0.1:4196
    path: /answer
    allowed_verbs: [ POST ]

pipeline:
  processors:
    - deepcase_label:
        model: /var/lib/deepcase
        scope: pattern_on_machine
    - mapping: 'root = if errored() { {"error": error()} }'

output:
  sync_response: {}
`)
}

func init() {
	service.MustRegisterBatchProcessor("deepcase_label", labelSpec(),
		func(conf *service.ParsedConfig, mgr *service.Resources) (service.BatchProcessor, error) {
			return newLabelFromParsed(conf, mgr)
		})
}

func newLabelFromParsed(conf *service.ParsedConfig, mgr *service.Resources) (*label, error) {
	l := &label{
		fields: map[string]*service.InterpolatedString{},
		log:    mgr.Logger(),
		labels: mgr.Metrics().NewCounter("deepcase_labels", "outcome"),
	}
	l.labels.Incr(0, "error")
	l.audits = newAudits(mgr.Metrics())
	var err error
	if l.dir, err = configfield.ParseModel(conf); err != nil {
		return nil, err
	}
	if l.target, err = mapping.ParseTarget(conf); err != nil {
		return nil, err
	}
	for _, name := range labelFields {
		if l.fields[name], err = conf.FieldInterpolatedString(name); err != nil {
			return nil, err
		}
	}
	if l.recentFile, err = conf.FieldString(fieldRecentFile); err != nil {
		return nil, err
	}
	if l.hold, err = parseHold(conf); err != nil {
		return nil, err
	}
	if l.retain, err = configfield.ParseRetain(conf); err != nil {
		return nil, err
	}
	name, err := configfield.ParseDevice(conf)
	if err != nil {
		return nil, err
	}
	if l.engine, err = engine.Open(name); err != nil {
		return nil, err
	}
	return l, nil
}

type label struct {
	dir        string
	target     annotation.Target
	fields     map[string]*service.InterpolatedString // by labelFields
	recentFile string                                 // "" for none
	hold       decisions.Hold
	retain     int // versions to keep, 0 for all
	engine     contextbuilder.Engine
	log        *service.Logger
	labels     *service.MetricCounter
	audits     *audits
	outcome    outcome

	mu      sync.Mutex         // guards what follows
	models  *store.Store       // nil until the model directory is there
	journal *decisions.Journal // likewise
	recent  recentDocuments
}

// request is what a message asks for: exactly one of scoring, answering, undoing and recent, unless there is an error.
type request struct {
	scoring   *scoring
	answering *answering
	undoing   *undoing
	recent    bool
	audited   string // the case of the event, if that was audited

	err     error
	reply   map[string]any
	changed bool
}

func (l *label) ProcessBatch(ctx context.Context, batch service.MessageBatch) ([]service.MessageBatch, error) {
	defer l.outcome.count(batch)()
	requests := l.read(batch)
	l.answer(ctx, batch, requests)
	version := l.score(ctx, requests)
	changed, refused := 0, 0
	for i, r := range requests {
		outcome := "unchanged"
		switch {
		case r.err != nil:
			if refused++; refused == 1 {
				l.log.Warnf("A decision is refused: %v (further decisions of this batch are only counted)", r.err)
			}
			batch[i].SetError(r.err)
			outcome = "error"
		case r.recent:
			continue
		default:
			if r.changed {
				outcome = "changed"
				changed++
			}
			batch[i].SetStructuredMut(r.reply)
			l.audits.take(r)
		}
		l.labels.Incr(1, outcome)
	}
	l.log.With("model", l.dir, "version", version, "decisions", len(batch), "changed", changed, "refused", refused).Info("Decisions taken")
	return []service.MessageBatch{batch}, nil
}

func (l *label) Close(context.Context) error {
	l.outcome.report(l.log, "they got an error and change nothing")
	return nil
}
