package processor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/configfield"
	"connect-deepcase/internal/field"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/sequencer/template"
)

const (
	fieldText      = "text"
	fieldTemplates = "templates"
	fieldUnknown   = "unknown"
	fieldKeep      = "keep"
)

var (
	fieldLearn        = configfield.IntAtLeast("learn", 0)
	fieldMinMessages  = configfield.IntAtLeast("min_messages", 1)
	fieldMaxShapes    = configfield.IntAtLeast("max_shapes", 100)
	fieldMaxTemplates = configfield.IntBetween("max_templates", 1, 100_000)
)

// The statuses of a message.
const (
	templateKnown    = "known"
	templateUnknown  = "unknown"
	templateLearning = "learning"
	templateNone     = "no_templates"
)

func templateSpec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Stable().
		Version("0.1.0").
		Categories("DeepCASE").
		Summary("Names the event of a raw log message: finds the template that the message was made of.").
		Description(`
DeepCASE needs the type of each event. Alerts have one, such as the name of a rule. For raw log messages this processor gives one, without patterns written by hand: "Failed password for bob from 192.0.2.7" has the template `+"`Failed password for <*> from <*>`"+`. Templates are learnt once and kept in a file. The processor writes an object at `+"`target`"+`:

- `+"`status`"+`:
** `+"`known`"+`: the message has a template
** `+"`unknown`"+`: it has none of the file
** `+"`learning`"+`: templates are being learnt from this message and others (`+"`learn`"+`)
** `+"`no_templates`"+`: there is no file yet
- `+"`name`"+`: with `+"`known`"+` the template's text after its scope, such as `+"`sshd: Failed password for <*> from <*>`"+`, or the name that an analyst gave to the template in the file. With `+"`unknown`"+` the scope and the text of the field `+"`unknown`, such as `sshd: unknown`"+`. There is no `+"`name`"+` with the other statuses, because it would change later. So an event that is named by it alone gets an error from `+"`deepcase_sequence`"+` until there are templates

== Guarantees

The name depends only on the scope, the text and the file. It is the same in each thread, in each process that has the file, and after a restart. Scoring never changes a template.

No message is dropped. Batches keep their order and size. A message is flagged with an error if it is not a JSON object, or has no `+"`text`"+` or no `+"`scope`"+`. The rest of its batch goes on. A message that came with an error passes unchanged and keeps that error.

Numbers, addresses and paths are never part of a name. Only the first line of a message counts, and of it some 1 KiB.

== Where templates come from

The command `+"`connect-deepcase deepcase templates`"+` learns them from files, and extends a file by what has been added to the logs since, without a change to names that are known.

Or this processor learns them: with `+"`learn: 100000`"+` and no file, it learns from the first 100,000 messages, writes the file, and then names messages by it. These first messages have the status `+"`learning`"+`. If the process stops before, nothing is written, the log says so, and the next start begins anew: names from too few messages would stay for good. If several processes start at once, the first one that is finished creates the file, and all others load that file. For this they must share the folder. Processes on several machines without a shared folder would each learn names of their own: learn the file once, and give each of them a copy. If there is a file, nothing is learnt.

A file that cannot be read is an error at the start, which names the line. A file that appears later is loaded within `+"`reload`"+`. A file that changes or vanishes while it is in use is logged as a warning, and takes effect at the next start: names must not change under a model.

The model remembers which file its events were named by. `+"`deepcase_sequence`"+` writes the checksum of the file beside the context, `+"`deepcase_train`"+` into the model, and `+"`deepcase_predict`"+` logs a warning if it comes with events of another file. For this, `+"`deepcase_sequence`"+` must be in the same pipeline as this processor: the checksum travels to it as metadata (`+"`"+mapping.MetaTemplates+"`"+`).

== Metrics

- `+"`deepcase_template_messages`"+` (counter, label `+"`status`"+`; `+"`error`"+` for messages that were flagged)
- `+"`deepcase_template_scopes`"+` (counter, labels `+"`scope`"+`, and `+"`status`: `known` or `unknown`"+`): the share of unknown messages shows which program has changed its messages. The `+fmt.Sprint(maxScopeLabels)+` scopes with the most messages in the file have their own label. All others count as `+"`"+otherScopes+"`"+`
- `+"`deepcase_templates`"+` (gauge): templates in use
- `+"`deepcase_templates_changed`"+` (gauge): 1 if the file is not the one in use, so that a restart changes names`).
		Fields(
			service.NewInterpolatedStringField(fieldText).
				Description("The message. It is a text or a number; a list of one value counts as that value.").
				Default(`${! json("message") }`),
			service.NewInterpolatedStringField(fieldScope).
				Description("What kind of message it is, most often the program that wrote it. A message only has templates of its scope. It should be one of a few, and no text of the message. If some messages have none: `.or(\"\")`.").
				Example(`${! json("process.name").or("") }`).
				Default(""),
			service.NewStringField(fieldTemplates).
				Description("The file of templates.").
				Example("./templates.ndjson").
				LintRule(`root = if this == "" { "templates needs a file" }`),
			service.NewStringField(fieldUnknown).
				Description("The name of messages without a template, after their scope.").
				LintRule(`root = if this.trim() == "" { "unknown needs a name" }`).
				Default("unknown"),
			templateTargetField(),
			fieldLearn.Field().
				Description("If there is no file: the number of messages to learn from. 0 learns nothing, and waits for a file.").
				Default(0),
			service.NewStringListField(fieldKeep).
				Description("For learning: words that stay in names, such as users that are worth telling apart.").
				Example([]string{"root", "Administrator"}).
				Default([]string{}),
			fieldMinMessages.Field().
				Description("For learning: how many messages make a template. Rarer ones are `unknown`.").
				Default(3),
			fieldMaxShapes.Field().
				Description("For learning: the most kinds of messages to hold in memory. Above this, the rarest are forgotten, which is logged.").
				Advanced().
				Default(100_000),
			fieldMaxTemplates.Field().
				Description("For learning: the most templates to keep, those of the most messages.").
				Advanced().
				Default(10_000),
			fieldReload.Field().
				Description("How often to look at the file: whether it is there, and whether it has changed.").
				Advanced().
				Default("10s"),
		).
		Example("Names of raw lines", "Names events by templates that it learns from the first 100,000 messages. Until then, the name of the program has to do.", `
pipeline:
  threads: 1 # contexts depend on the order of events
  processors:
    - deepcase_template:
        text: ${! json("message") }
        scope: ${! json("process.name").or("") }
        templates: ./templates.ndjson
        learn: 100000
    - deepcase_sequence:
        machine: ${! json("host.name") }
        event: ${! json("template.name").or(json("process.name")) }
        timestamp: ${! json("@timestamp") }
`)
}

func templateTargetField() *service.ConfigField {
	return mapping.TargetField().
		Description("The path of the object in the document that holds `name` and `status`, with dots between its parts.").
		Default("template")
}

func init() {
	service.MustRegisterBatchProcessor("deepcase_template", templateSpec(),
		func(conf *service.ParsedConfig, mgr *service.Resources) (service.BatchProcessor, error) {
			return newTemplatesFromParsed(conf, mgr)
		})
}

func newTemplatesFromParsed(conf *service.ParsedConfig, mgr *service.Resources) (*templates, error) {
	t := &templates{
		messages: mgr.Metrics().NewCounter("deepcase_template_messages", "status"),
		scopes:   mgr.Metrics().NewCounter("deepcase_template_scopes", "scope", "status"),
		log:      mgr.Logger(),
	}
	t.messages.Incr(0, "error")
	t.messages.Incr(0, templateUnknown)
	var err error
	if t.text, err = mapping.NewText(conf, fieldText); err != nil {
		return nil, err
	}
	if t.scope, err = mapping.NewText(conf, fieldScope); err != nil {
		return nil, err
	}
	if t.target, err = mapping.ParseTarget(conf); err != nil {
		return nil, err
	}
	if t.unknown, err = parseUnknown(conf); err != nil {
		return nil, err
	}
	t.file, err = openTemplateFile(conf, mgr)
	return t, err
}

func parseUnknown(conf *service.ParsedConfig) (string, error) {
	name, err := conf.FieldString(fieldUnknown)
	if err == nil && strings.TrimSpace(name) == "" {
		err = fmt.Errorf("field '%s' is empty: need a name", fieldUnknown)
	}
	return name, err
}

type templates struct {
	text, scope mapping.Text
	target      annotation.Target
	unknown     string
	file        *templateFile

	messages, scopes *service.MetricCounter
	log              *service.Logger
	outcome          outcome
	complained       atomic.Bool // logged: a message without a text
}

func (t *templates) ProcessBatch(_ context.Context, batch service.MessageBatch) ([]service.MessageBatch, error) {
	defer t.outcome.count(batch)()
	texts, scopes := t.text.Over(batch), t.scope.Over(batch)
	given, byScope := map[string]int64{}, map[[2]string]int64{}
	for i, message := range batch {
		named, scope, err := t.name(message, texts, scopes, i)
		if err != nil {
			t.fail(message, err)
			continue
		}
		given[named.Status]++
		if scope != "" {
			byScope[[2]string{scope, named.Status}]++
		}
	}
	for status, n := range given {
		t.messages.Incr(n, status)
	}
	for of, n := range byScope {
		t.scopes.Incr(n, of[0], of[1])
	}
	return []service.MessageBatch{batch}, nil
}

// name names the event of a message, and writes that into it. label is the scope for metrics, "" if there are no templates.
func (t *templates) name(message *service.Message, texts, scopes mapping.TextReader, i int) (named annotation.Template, label string, err error) {
	if err := message.GetError(); err != nil { // a message that failed before keeps its error
		return named, "", err
	}
	document, err := mapping.Document(message)
	if err != nil {
		return named, "", err
	}
	if err := t.target.Check(document); err != nil {
		return named, "", err
	}
	text, err := texts.Text(i)
	if err != nil {
		return named, "", err
	}
	scope, err := scopes.Text(i)
	if errors.Is(err, field.ErrMissing) {
		err = fmt.Errorf(`%w; if some messages have none: .or("")`, err)
	}
	if err != nil {
		return named, "", err
	}
	inUse, status := t.file.ask(scope, text)
	named.Status = status
	if inUse != nil {
		named = t.match(inUse.set, scope, text)
		label = inUse.label(scope)
		message.MetaSetMut(mapping.MetaTemplates, inUse.checksum)
	}
	t.target.WriteTemplate(mapping.Mutable(message), named)
	return named, label, nil
}

func (t *templates) match(set *template.Set, scope, text string) annotation.Template {
	if name, ok := set.Match(scope, text); ok {
		return annotation.Template{Name: name, Status: templateKnown}
	}
	if scope != "" {
		return annotation.Template{Name: scope + ": " + t.unknown, Status: templateUnknown}
	}
	return annotation.Template{Name: t.unknown, Status: templateUnknown}
}

// fail flags a message. Why is logged once: if the mapping is wrong, all messages are refused, and the pipeline goes on all the same.
func (t *templates) fail(message *service.Message, err error) {
	t.messages.Incr(1, "error")
	if message.GetError() == nil && !t.complained.Swap(true) {
		t.log.Warnf("A message gets an error and no template: %v (further messages are only counted)", err)
	}
	message.SetError(err)
}

func (t *templates) Close(context.Context) error {
	t.outcome.report(t.log, "they got an error and no template")
	t.file.close()
	return nil
}
