package processor

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/configfield"
	"connect-deepcase/internal/excerpt"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/engine"
	"connect-deepcase/model/interpreter"
)

const (
	fieldCluster = "cluster"
	fieldScore   = "score"
	fieldVersion = "version"
)

func labelSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Stable().
		Version("0.1.0").
		Categories("DeepCASE").
		Summary("Gives clusters of a model the scores that an analyst decided on, and publishes a version of the model that has them.").
		Description(`
Each message scores a cluster or a sample (an event with its context). If `+"`cluster`"+` is empty, the event and context that `+"`deepcase_sequence`"+` wrote at `+"`target`"+` are looked up in the current model, and the cluster that they belong to gets the score.

The message becomes the answer:

`+"```"+`json
{"cluster": 17, "event": "sshd: failed password", "size": 240, "old": null, "new": 3, "model": "20261123T141500Z-3f2a"}
`+"```"+`

`+"`old`"+` is the score before (`+"`null`"+` if there was none), `+"`new`"+` the score now, and `+"`model`"+` the version that has it. The score `+"`none`"+` withdraws the score of the cluster: the cluster is `+"`unscored`"+` again, and `+"`new`"+` is `+"`null`"+`.

== Guarantees

All scores of a batch are published as one version, or none of them. A version has the size of the whole model, so scores that belong together should be one batch, such as a file that is read whole (see the example). `+"`retain`"+` bounds the number of versions. Several scorers may run at the same time: they do not lose each other's scores. If nothing changes, nothing is published, so a message that is delivered again does no harm.

No message is dropped. Batches keep their order and size. A message that is flagged with an error changes nothing, and the rest of its batch goes on. A message is flagged if

- its score is neither a number ≥ 0 nor `+"`none`"+`
- it names no cluster of the current model
- another message of the batch gives the same cluster another score
- `+"`version`"+` names a version whose clusters are not those of the current version

== Metrics

- `+"`deepcase_labels`"+` (counter, label `+"`outcome`"+`: `+"`changed`"+`, `+"`unchanged`"+` or `+"`error`"+`)`).
		Fields(
			configfield.ModelField(),
			service.NewInterpolatedStringField(fieldCluster).
				Description("The number of a cluster. If it is empty or `null`, the sample at `target` says which cluster it is.").
				Default(`${! json("cluster") }`),
			service.NewInterpolatedStringField(fieldScore).
				Description("The score: a number ≥ 0, or `none` to withdraw the score of the cluster. 0 means benign; the analysts decide what other scores mean.").
				Default(`${! json("score") }`),
			service.NewInterpolatedStringField(fieldVersion).
				Description("The version of the model in which the analyst saw the cluster, as `deepcase_train` and `deepcase_predict` name it. Empty or `null` is the current version. For samples it does not matter.").
				Default(`${! json("model") }`),
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
		log:    mgr.Logger(),
		labels: mgr.Metrics().NewCounter("deepcase_labels", "outcome"),
	}
	l.labels.Incr(0, "error")
	var err error
	if l.dir, err = configfield.ParseModel(conf); err != nil {
		return nil, err
	}
	if l.target, err = mapping.ParseTarget(conf); err != nil {
		return nil, err
	}
	if l.cluster, err = conf.FieldInterpolatedString(fieldCluster); err != nil {
		return nil, err
	}
	if l.score, err = conf.FieldInterpolatedString(fieldScore); err != nil {
		return nil, err
	}
	if l.version, err = conf.FieldInterpolatedString(fieldVersion); err != nil {
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
	dir                     string
	target                  annotation.Target
	cluster, score, version *service.InterpolatedString
	retain                  int // versions to keep, 0 for all
	engine                  contextbuilder.Engine
	log                     *service.Logger
	labels                  *service.MetricCounter
	outcome                 outcome
}

// decision is what a message wants: a score for a cluster.
type decision struct {
	cluster int // −1: the cluster of sample
	sample  model.Sample
	version string // "": the current version
	score   float64
	old     float64 // the score before
	err     error
}

func (l *label) ProcessBatch(ctx context.Context, batch service.MessageBatch) ([]service.MessageBatch, error) {
	defer l.outcome.count(batch)()
	decisions := make([]*decision, len(batch))
	cluster, score := batch.InterpolationExecutor(l.cluster), batch.InterpolationExecutor(l.score)
	version := batch.InterpolationExecutor(l.version)
	for i, message := range batch {
		d := &decision{cluster: -1, err: message.GetError()} // a message that failed before keeps its error
		decisions[i] = d
		if d.err != nil {
			continue
		}
		if d.score, d.err = readScore(score, i); d.err != nil {
			continue
		}
		if d.version, d.err = interpolated(fieldVersion, version, i); d.err != nil {
			continue
		}
		d.cluster, d.sample, d.err = l.readCluster(message, cluster, i)
	}
	published, m, err := l.publish(ctx, decisions)
	if err != nil {
		l.log.With("model", l.dir).Errorf("%d labels not published: %v", len(batch), err)
		for i, d := range decisions {
			if d.err == nil { // a message that was refused keeps its reason
				d.err = fmt.Errorf("labels not published: %w", err)
			}
			batch[i].SetError(d.err)
			l.labels.Incr(1, "error")
		}
		return []service.MessageBatch{batch}, nil
	}
	changed, refused := 0, 0
	for i, d := range decisions {
		outcome := "unchanged"
		switch {
		case d.err != nil:
			if refused++; refused == 1 {
				l.log.Warnf("A label is refused: %v (further labels of this batch are only counted)", d.err)
			}
			batch[i].SetError(d.err)
			outcome = "error"
		default:
			c := m.Clusters[d.cluster]
			answer := map[string]any{
				"cluster": int64(c.ID), "event": c.Event, "size": int64(c.Size), "old": scoreOrNil(d.old), "new": scoreOrNil(d.score), "model": published,
			}
			if d.old != d.score {
				outcome = "changed"
				changed++
			}
			batch[i].SetStructuredMut(answer)
		}
		l.labels.Incr(1, outcome)
	}
	l.log.With("model", l.dir, "version", published, "labels", len(batch), "changed", changed, "refused", refused).Info("Labels taken")
	return []service.MessageBatch{batch}, nil
}

// withdrawal is the score that removes the score of a cluster.
const withdrawal = "none"

// scoreOrNil is nil if there is no score.
func scoreOrNil(score float64) any {
	if score == interpreter.NoScore {
		return nil
	}
	return score
}

// interpolated is the text that an interpolated field has for a message, "" if it has none.
func interpolated(name string, x *service.MessageBatchInterpolationExecutor, index int) (string, error) {
	text, err := x.TryString(index)
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

func readScore(x *service.MessageBatchInterpolationExecutor, index int) (float64, error) {
	text, err := interpolated(fieldScore, x, index)
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

// readCluster reads the number of a cluster, or −1 and the sample that is in its place.
func (l *label) readCluster(message *service.Message, x *service.MessageBatchInterpolationExecutor, index int) (int, model.Sample, error) {
	text, err := interpolated(fieldCluster, x, index)
	if err != nil {
		return -1, model.Sample{}, err
	}
	if text != "" {
		cluster, err := strconv.ParseFloat(text, 64) // csv and spreadsheets write 17 as 17.0, too
		if err != nil || cluster != math.Trunc(cluster) || cluster < 0 || cluster > math.MaxInt32 {
			return -1, model.Sample{}, fmt.Errorf("%s: %s, need the number of a cluster", fieldCluster, excerpt.Quote(text))
		}
		return int(cluster), model.Sample{}, nil
	}
	document, err := mapping.Document(message)
	if err != nil {
		return -1, model.Sample{}, err
	}
	sequence, err := l.target.Sequence(document)
	if errors.Is(err, annotation.ErrNoSequence) {
		err = fmt.Errorf("%s: empty or missing, and there is no event with its context at %s", fieldCluster, l.target)
	}
	return -1, model.Sample{Context: sequence.Context, Event: sequence.Event}, err
}

func (l *label) Close(context.Context) error {
	l.outcome.report(l.log, "they got an error and change no score")
	return nil
}
