package train

import (
	"strings"

	"github.com/dustin/go-humanize"
	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/configfield"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
)

const (
	fieldInput      = "input"
	fieldLabel      = "label"
	fieldBenign     = "benign"
	fieldSpool      = "spool"
	fieldKeepScores = "keep_scores"
	fieldReport     = "report"
	fieldStrategy   = "strategy"

	fieldLSTM          = "lstm"
	fieldBidirectional = "bidirectional"
	fieldOptimizer     = "optimizer"
)

var (
	fieldEvery     = configfield.OptionalDuration("every")
	fieldMaxEvents = configfield.IntAtLeast("max_events", 1)
	fieldMaxBytes  = configfield.ByteSize("max_bytes")
	fieldMaxNames  = configfield.IntAtLeast("max_names", 2)
	fieldMaxMemory = configfield.ByteSize("max_memory")

	fieldLength     = configfield.IntBetween("length", 1, 10_000)
	fieldTimeout    = configfield.DurationFrom0("timeout")
	fieldHidden     = configfield.IntBetween("hidden", 1, maxHidden)
	fieldLayers     = configfield.IntBetween("layers", 1, contextbuilder.MaxLayers)
	fieldEpochs     = configfield.IntAtLeast("epochs", 1)
	fieldBatchSize  = configfield.IntAtLeast("batch_size", 1)
	fieldRate       = configfield.FloatAbove0("learning_rate")
	fieldFactor     = configfield.FloatAbove0("factor")
	fieldWarmup     = configfield.IntAtLeast("warmup", 1)
	fieldDelta      = configfield.Share("delta")
	fieldTeachRatio = configfield.Share("teach_ratio")
	fieldDropout    = configfield.Share("dropout")
	fieldSeed       = configfield.IntAtLeast("seed", 0)
	fieldIterations = configfield.IntAtLeast("iterations", 0)
	fieldQueryBatch = configfield.IntAtLeast("query_batch_size", 1)
	fieldEps        = configfield.FloatFrom0("eps")
	fieldMinSamples = configfield.IntAtLeast("min_samples", 1)
	fieldThreshold  = configfield.Share("threshold")
	fieldGuard      = configfield.FloatFrom0("guard")
)

// maxHidden bounds the size of the hidden state, 64 times the paper's: matrices have its square as their size, and memory runs out where
// someone means something else.
const maxHidden = 8192

func spec() *service.ConfigSpec {
	s := service.NewConfigSpec().
		Stable().
		Version("0.1.0").
		Categories("DeepCASE").
		Summary("Learns a model from the events of another input, publishes it to a model directory, and sends one message per cluster.").
		Description(`
Reads events from the messages of the child `+"`input`"+` and keeps them in a spool on disk. When the child ends, or at each interval `+"`every`"+`, it learns a model from the spool and publishes it. Each cluster of the model becomes a message for the analyst:

`+"```"+`json
{"cluster": 17, "event": "sshd: failed password", "size": 240, "score": 3, "model": "20261123T141500Z-3f2a",
 "machine_count": 3, "machines": [{"machine": "web-1", "count": 180}], "first_seen": "2026-11-20T08:02:11Z", "last_seen": "2026-11-22T23:40:00Z", "hourly_max": 31,
 "context_count": 4, "attended": {"sshd: invalid user": 0.91},
 "contexts": [{"count": 12, "context": [null, "sshd: invalid user"], "attention": [0, 0.93], "attended": {"sshd: invalid user": 0.93}}],
 "examples": [{"host": "web-1", "message": "…", "rule": {"mitre": {"id": ["T1110"]}}}],
 "techniques": [{"technique": "T1110", "count": 1}]}
`+"```"+`

- `+"`score`"+`: only if labels, the model before, or answers give one
- `+"`mixed`"+`: only if the labels of its events disagree: how many events have which, as in `+"`[{\"score\": 0, \"count\": 87}, {\"score\": 1, \"count\": 2}]`"+`
- `+"`hourly_max`"+`: the most events that a machine had of it within an hour by the clock, if times are known
- `+"`contexts`"+`: of all `+"`context_count`"+` contexts, the 10 most frequent
- `+"`attention`"+`: the share of each position of a context
- `+"`attended`"+`: the share of each event name, in one context or, for the cluster, in all listed contexts
- `+"`machines`"+`: of all `+"`machine_count`"+` machines, the 10 with the most events
- `+"`examples`"+`: up to 8 documents that represent the cluster, in order of time: the first, the last, and others by how frequent their context, machine and day are. There are fewer if the cluster has fewer, or if they would take more than 1 MiB
- `+"`techniques`"+`: only if its examples name techniques of MITRE ATT&CK: which, and how many of the examples name them. The page docs/events.md says where documents name them

`+"`deepcase_label`"+` takes these messages once a score is added.

The page docs/events.md has the rules for machine, event, time, id, label and paths. Documents that `+"`deepcase_sequence`"+` annotated (an object with a context at `+"`target`"+`) keep that context, and do not need `+"`machine` and `event`. `id` and `timestamp`"+` are read from all documents; those with a context need no `+"`timestamp`"+`.

== Guarantees

**Acknowledgement.** A message is acknowledged to the source when its event is on disk (`+"`fsync`"+`). After a crash or a stop at any point, the spooled events are part of the next training: no event is lost. If the spool cannot be written to (for example, the disk is full), this is logged and the source waits. An event that the source delivers again counts twice, unless it has an `+"`id`"+`. Events of a machine with the same `+"`id`"+`, name and time count as one. If they have no `+"`timestamp`"+`, their contexts are compared instead of their times.

**The spool.** Without `+"`every`"+`, the spool is emptied when all clusters have been delivered. After a crash before that, the training is repeated. With `+"`every`"+`, the spool holds the last `+"`max_events`"+` events, and each training learns from all of them.

**Failures.** A version is published completely or not at all. If a training fails (for example, there are too few events, or no clusters), this is logged at level error and counted, and nothing is published. The events stay in the spool and are part of the next training, which logs how many events are from earlier runs. If you do not want them, remove the spool. Without `+"`every`"+`, the input then ends, and the process with it. Its exit status is 0, because Redpanda Connect does not let an input set it. A script should check the output, which has a message for each training that failed:

`+"```"+`json
{"status": "failed", "error": "no clusters in 12 events of 6 types (0 more came twice): need more events, or a smaller min_samples", "events": 12}
`+"```"+`

Clusters have no `+"`status`. With `report: true`"+`, each training that did not fail sends one more message after the clusters. It says what became of the scores of the model before: how many clusters inherited one, how many have one by answers (`+"`answered`"+`, if any), how many are new and have none, and which scored clusters were lost:

`+"```"+`json
{"status": "published", "model": "20261123T141500Z-3f2a", "events": 24012, "names": 61, "clusters": 73, "clustered": 0.966,
 "scores": {"before": "20261122T141500Z-11c0", "inherited": 70, "new": 3, "lost": [{"cluster": 8, "event": "sshd: failed password", "size": 12, "score": 3}]}}
`+"```"+`

A training that has diverged fails (most often its learning rate is too high). It has diverged if a weight is not a finite number. It has also diverged if its loss, measured on up to 10,000 of its events, is more than 1 above ln of the number of names, which is the loss of a network that has learnt nothing. A network is published with a warning if it predicts no more events than the answer "always the most frequent one" would. Error and warning have the figures.

A training that is stopped publishes nothing; with `+"`every`"+`, it is due at once after a restart. If the process was killed in the middle of a training (for example, by the kernel for lack of memory), that training is not tried again after a restart: the process would be killed again and again. Events are still collected, and each training fails with an error that says what to do: change a setting (`+"`max_memory`, `max_names`, `max_events`"+`), or remove the file `+"`training`"+` from the spool.

**What is set aside.** If no event can be read from a message, or if it arrives with an error, it is counted, logged, acknowledged, and written to the file `+"`rejected.ndjson`"+` in the spool. The same happens to an event whose names, with those of its context, have more than 8 MiB. The file keeps the last 32 to 64 MiB of such messages, with the first 64 KiB of each. Each event in the spool has a checksum. An event that was damaged on disk is left out of the training, counted, logged as a warning, and written to the file `+"`damaged.ndjson`"+` in the spool.

**Memory.** Messages that wait for the disk take at most 64 MiB of memory, plus one batch of the child. A document of more than 16 KiB is not kept as an example but replaced by `+"`{\"deepcase_omitted\": …, \"bytes\": 4194375, \"begins\": \"…\"}`"+`.

**Scores.** What people decided is kept (`+"`keep_scores`"+`). A new cluster whose events have no labels gets the highest score of the old clusters whose contexts now belong to it. If there are none, answers to patterns count as labels of the events that they cover, if they are in force (by the default times of `+"`hold`"+` in `+"`deepcase_predict`"+`) and do not expire. A cluster gets the score 0 by answers only if benign answers cover at least half of its events, and none if a label of its events was refused.

**Labels that disagree.** A cluster with attacks and benign events keeps its labels, and says so in `+"`mixed`"+`. `+"`deepcase_predict`"+` then disputes its score for events that the labels speak against (`+"`guard`, `strategy: nearest`"+`). docs/tuning.md has the rule.

== Metrics

- `+"`deepcase_train_events`"+` (counter, label `+"`outcome`: `spooled` or `rejected`"+`)
- `+"`deepcase_train_spooled`"+` (gauge): events in the spool
- `+"`deepcase_train_spool_latency_ns`"+` (timer)
- `+"`deepcase_train_damaged`"+` (gauge): events in the spool that the last training could not read
- `+"`deepcase_train_rare_names`"+` (gauge): names that the last training left out (`+"`max_names`"+`)
- `+"`deepcase_train_refused_labels`"+` (counter): events whose label was refused
- `+"`deepcase_trainings`"+` (counter, label `+"`outcome`: `published`, `failed` or `cancelled`), `deepcase_training_latency_ns`"+` (timer)
- `+"`deepcase_train_epoch`, `deepcase_train_loss`"+` (gauges): progress of the current training
- `+"`deepcase_train_clusters`"+` (gauge): clusters of the last published version`).
		Fields(
			service.NewInputField(fieldInput).
				Description("Where the events come from."),
			configfield.ModelField().Description("The model directory. It is created if it does not exist."),
		).
		Fields(mapping.Fields()...).
		Fields(
			service.NewInterpolatedStringField(fieldLabel).
				Description("What is already known about the event: a score ≥ 0, `true` (score 1) or `false` (score 0), or nothing (empty, `null` or -1). Other texts need `benign`. If a label is refused, the event is learnt without it, because the contexts of other events need the event. It is logged and counted, and its cluster gets no score from labels, because the label may have meant an attack. Spaces around a label are ignored.").
				Example(`${! json("label") }`).
				Default(""),
			service.NewStringField(fieldBenign).
				Description("If labels are texts: the text that means benign, in upper or lower case. Such a label has the score 0. Any other text is the name of an attack and has the score 1. Texts such as `Normal` or `FP`, which do not name an attack, are refused unless they are this text. If it is `true`, `false` has the score 1.").
				Example("-").
				Example("BENIGN").
				Default(""),
			mapping.TargetField(),
			fieldEvery.Field().
				Description("How often to learn a new model from the spool. If it is empty: once, when the child input ends.").
				Example("24h").
				Default(""),
			service.NewStringField(fieldSpool).
				Description("The directory of the spool. Only one process can use it at a time. If it is empty: `spool` in the model directory.").
				Default(""),
			fieldMaxEvents.Field().Description("Events to keep in the spool, approximately. If there are more, the oldest are removed.").Default(10_000_000),
			fieldMaxBytes.Field().Description("Disk space that the spool may take, such as `500MiB`. If it takes more, the oldest events are removed, with a warning.").Default("16GiB"),
			fieldMaxNames.Field().Description("How many event names to learn, the most frequent first. The network grows with the square of their number. Events with other names are left out, with a warning: contexts have `null` in their place, and `deepcase_predict` answers `unknown_event`.").Default(model.DefaultMaxNames),
			fieldMaxMemory.Field().Description("Memory that a training may take. If its estimate is higher, the training fails before it starts, and the error has the figures.").Default(strings.ReplaceAll(humanize.IBytes(model.DefaultMaxMemory), " ", "")),
			service.NewBoolField(fieldKeepScores).
				Description("Whether new clusters without a score inherit one from the model before, or get one by answers to patterns.").
				Default(true),
			service.NewBoolField(fieldReport).
				Description("Whether a message with the `status` `published` follows the clusters of a training. A failed training always sends one with the `status` `failed`.").
				Default(false),
			configfield.RetainField(),
			configfield.DeviceField("auto"),
		).
		Fields(hyperparameterFields()...)
	return s.
		Example("From a file", "Reads a csv file with labels. The clusters go to a file for the analyst.", `
input:
  deepcase_train:
    input:
      deepcase_files:
        paths: [ ./alerts.csv ]
    model: /var/lib/deepcase
    machine: ${! json("machine") }
    event: ${! json("event") }
    timestamp: ${! json("timestamp") }
    label: ${! json("label") }

output:
  file:
    path: clusters.ndjson
    codec: lines
`).
		Example("Every night, from a stream", "Listens for alerts, and learns from the last two million of them once a day.", `
input:
  deepcase_train:
    input:
      http_server:
        address: 127.0.0.1:8090
        path: /alerts
    model: /var/lib/deepcase
    machine: ${! json("host.name") }
    event: ${! json("rule.name") }
    timestamp: ${! json("@timestamp") }
    id: ${! json("event.id") }
    every: 24h
    max_events: 2000000

output:
  stdout: {}
`)
}

// hyperparameterFields are the settings of the original, with its defaults.
func hyperparameterFields() []*service.ConfigField {
	d := model.DefaultParams()
	return []*service.ConfigField{
		fieldLength.Field().Description("The number of events in a context.").Default(d.Length),
		fieldTimeout.Field().
			Description("The maximum age of an event in a context, counted back from the event that the context belongs to.").
			Default(d.Timeout.String()),
		fieldEpochs.Field().Description("How many times to go through all events.").Default(d.Training.Epochs),
		fieldHidden.Field().Description("Size of the network's hidden state.").Default(d.Hidden).Advanced(),
		service.NewBoolField(fieldLSTM).Description("Whether to use LSTM cells in place of GRU cells.").Default(d.LSTM).Advanced(),
		fieldLayers.Field().Description("How many recurrent layers encoder and decoder have, one on top of the other.").Default(d.Layers).Advanced(),
		service.NewBoolField(fieldBidirectional).
			Description("Whether each layer also has a second direction, which reads the context from the newest event to the oldest. " +
				"This is slower, because contexts that begin with the same events no longer share work.").
			Default(d.Bidirectional).Advanced(),
		fieldBatchSize.Field().Description("Events per step of the training.").Default(d.Training.BatchSize).Advanced(),
		service.NewStringAnnotatedEnumField(fieldOptimizer, map[string]string{
			"sgd": "Stochastic gradient descent.", "adam": "Adam.", "varadam": "Adam with a warm-up.",
		}).Description("The method that turns gradients into steps.").Default(string(d.Training.Optimizer)).Advanced(),
		fieldRate.Field().Description("Size of the steps. `varadam` does not use it.").Default(d.Training.LearningRate).Advanced(),
		fieldFactor.Field().Description("Factor of the learning rate; `varadam` only.").Default(d.Training.Factor).Advanced(),
		fieldWarmup.Field().Description("Steps until the learning rate reaches its maximum; `varadam` only.").Default(d.Training.Warmup).Advanced(),
		fieldDelta.Field().Description("Label smoothing: the share of the target that is spread over all event names.").Default(d.Training.Delta).Advanced(),
		fieldTeachRatio.Field().Description("Share of the steps whose next input is the true event instead of the predicted one.").Default(d.Training.TeachRatio).Advanced(),
		fieldDropout.Field().Description("Share of the decoder's input that is dropped in training.").Default(d.Training.Dropout).Advanced(),
		fieldSeed.Field().
			Description("The same seed, events and engine give the same model.").
			Default(int(d.Training.Seed)).Advanced(),
		fieldIterations.Field().Description("Steps of the search for attention.").Default(d.Query.Iterations).Advanced(),
		fieldQueryBatch.Field().Description("Number by which the gradient is divided in the search for attention.").Default(d.Query.BatchSize).Advanced(),
		fieldEps.Field().Description("Maximum distance (L1) between neighbours in a cluster.").Default(d.Interpreter.Eps),
		fieldMinSamples.Field().Description("How many events within `eps` make a cluster.").Default(d.Interpreter.MinSamples),
		fieldThreshold.Field().Description("Minimum confidence of an event that is clustered or scored.").Default(d.Interpreter.Threshold),
		service.NewStringAnnotatedEnumField(fieldStrategy, map[string]string{
			"max": "The highest.", "min": "The lowest.", "avg": "The mean.",
			"nearest": "The highest. But a new event for which the labels dispute it gets the highest score of the labels nearest to it (`guard`).",
		}).Description("Which score a cluster gets from the labels of its events.").Default("max"),
		fieldGuard.Field().Description("If the labels of a cluster disagree, its score is disputed for a new event if all labels within this distance (L1) of it are benign. If there are none, the nearest ones count, up to `eps`.").Default(d.Interpreter.Guard).Advanced(),
	}
}
