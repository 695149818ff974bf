package review

import (
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/configfield"
	"connect-deepcase/internal/mapping"
	"connect-deepcase/internal/review"
	"connect-deepcase/internal/review/gate"
)

const (
	fieldStore      = "store"
	fieldAddress    = "address"
	fieldHosts      = "hosts"
	fieldAuth       = "auth"
	fieldMode       = "mode"
	fieldBy         = "by"
	fieldTokensFile = "tokens_file"
	fieldUserHeader = "user_header"
	fieldRoleHeader = "role_header"
	fieldRole       = "role"
	fieldTrusted    = "trusted"
	fieldTLS        = "tls"
	fieldCertFile   = "cert_file"
	fieldKeyFile    = "key_file"
	fieldLevels     = "levels"
	fieldName       = "name"
	scoreName       = "score"
	fieldBatching   = "batching"
)

var (
	fieldScore         = configfield.FloatFrom0(scoreName)
	fieldKeep          = configfield.DurationAbove0("keep")
	fieldPublishAfter  = configfield.DurationAbove0("publish_after")
	fieldPublishAtMost = configfield.DurationAbove0("publish_at_most")
	fieldRate          = configfield.FloatAbove0("rate")
)

func spec() *service.ConfigSpec {
	var levels []any
	for _, l := range review.DefaultLevels {
		levels = append(levels, map[string]any{scoreName: l.Score, fieldName: l.Name})
	}
	return service.NewConfigSpec().
		Stable().
		Version("0.1.0").
		Categories("DeepCASE").
		Summary("Collects annotated alerts and serves the review page, where analysts decide what they are.").
		Description(`
Takes documents that `+"`deepcase_predict`"+` annotated, and `+"`deepcase_case`"+` if the pipeline has it. They become questions: a cluster of the model, or patterns that look alike and that no cluster explains. Analysts answer them in a browser, at `+"`address`"+`. The page docs/review.md says how.

Answers go to the decision journal of the model directory at once. They are in force when `+"`deepcase_predict`"+` next looks, as those of `+"`deepcase_label`"+` are. Scores of clusters go to the journal at once, too, and become a version of the model after `+"`publish_after`"+`.

Only one process may use a `+"`store`"+`. If several replicas annotate alerts, let them send to one pipeline with this output, through a topic or over HTTP.

== Guarantees

A batch is acknowledged when its alerts are in the store, on the disk: a process that is killed loses none. A power failure may lose the last alerts. It loses no decision.

An alert that is delivered again counts again. That changes counts, not questions or answers.

A message is refused if it is not JSON, has no annotation or no time, or if its annotation is damaged. A batch with refused messages fails for these messages alone, so that a `+"`fallback`"+` output gets them with the reason (see the example). Its reason begins with `+"`refused: `"+`. Without a `+"`fallback`"+`, or `+"`drop_on`"+`, Connect sends a refused message again and again. A message that is flagged with an error is refused with that error.

Set `+"`batching`"+` only if the input sends single messages, such as a socket. If messages come in batches and are batched again here, Connect takes all messages of such a batch for refused when one is (benthos v4.78.0).

If the store cannot be written, the batch is rejected as a whole and sent again.

The store has no decisions of its own: these are in the model directory. If a file of the store is damaged, the output says so, and does not start until the file is moved away. It then starts with an empty one.

== Memory and disk

Questions and counts are in memory: about 300 MB for a million alerts and 10,000 questions. Documents, and the log of all alerts, are in the store. Both are bounded by `+"`keep`"+`. Of each question the six newest documents are kept, at most 64 KiB of each.

== Security

Without `+"`auth`"+`, the page can be served on loopback only. Any other address is refused at the start. With `+"`auth.mode: token`"+`, use `+"`tls`"+` or a reverse proxy with TLS: tokens are secrets.

Requests are answered only if they name a host that this output knows: that of `+"`address`"+`, `+"`localhost`"+`, and `+"`hosts`"+`. So a name that an attacker points to this machine is of no use.

A person with the role `+"`read`"+` sees everything and decides nothing. The role `+"`score`"+` decides. The role `+"`publish`"+` can also publish at once and roll back.

== Metrics

- `+"`deepcase_review_alerts`"+` (counter, label `+"`outcome`"+`: `+"`taken`"+` or `+"`refused`"+`)
- `+"`deepcase_review_questions_open`"+`, `+"`deepcase_review_cases_open`"+` (gauges): what waits for a decision
- `+"`deepcase_review_unpublished`"+` (gauge): scores of clusters that are not in a version of the model yet
- `+"`deepcase_review_decisions`"+` (counter, label `+"`kind`"+`: `+"`score`"+`, `+"`withdraw`"+`, `+"`mute`"+`, `+"`snooze`"+`, `+"`close`"+` or `+"`undo`"+`): what was decided on this page, each item once
- `+"`deepcase_review_newest_alert_seconds`"+` (gauge): the time of the newest alert, in seconds since 1970
- `+"`deepcase_review_request_latency_ns`"+` (timer, labels `+"`route`"+`, such as `+"`GET /questions/{id}`"+`, and `+"`status`"+`: `+"`2xx`"+` to `+"`5xx`"+`)
- `+"`deepcase_review_problems`"+` (gauge): what the page says at its top, such as a model directory that cannot be written`).
		Fields(
			configfield.ModelField(),
			service.NewStringField(fieldStore).
				Description("The directory of the store, which is created if it is missing. It must be on a local disk, and belongs to one process.").
				Example("/var/lib/deepcase/review").
				LintRule(`root = if this == "" { "store needs a directory" }`),
		).
		Fields(mapping.TimestampFields()...).
		Fields(
			mapping.TargetField(),
			service.NewStringField(fieldAddress).
				Description("Where the page is served: a host and a port.").
				Example("0.0.0.0:4280").
				Default("127.0.0.1:4280"),
			service.NewStringListField(fieldHosts).
				Description("Names under which browsers reach the page, such as that of a reverse proxy. The host of `address` and `localhost` need not be listed.").
				Example([]any{"triage.example.org"}).
				Default([]any{}),
			authField(),
			service.NewObjectField(fieldTLS,
				service.NewStringField(fieldCertFile).Description("A PEM file with the certificate of the server.").Default(""),
				service.NewStringField(fieldKeyFile).Description("A PEM file with the private key of the certificate.").Default(""),
			).Description("If both are set, the page is served with TLS (1.2 or newer). The files are read at the start."),
			service.NewObjectListField(fieldLevels,
				fieldScore.Field().Description("The score, from 0 to 9. 0 means benign."),
				service.NewStringField(fieldName).Description("What it means, in a word."),
			).Description("The scores that have a button and a key, and their names.").
				Default(levels),
		).
		Fields(configfield.HoldFields()...).
		Fields(
			fieldKeep.Field().
				Description("How long alerts are kept, by their time. Decisions are kept for ever.").
				Default("2160h"),
			configfield.RetainField(),
			fieldPublishAfter.Field().
				Description("Scores of clusters become a version of the model when nobody has scored for this time.").
				Default("30s"),
			fieldPublishAtMost.Field().
				Description("The longest time that a score waits for its version.").
				Default("2m"),
			fieldRate.Field().
				Description("Requests per second that one person, or one address without a person, may make. Short bursts are allowed.").
				Advanced().
				Default(50.0),
			configfield.DeviceField("cpu"),
			service.NewOutputMaxInFlightField().
				Description("How many batches wait to be taken up at the same time; they are written together. If batches have 1,000 alerts, 8 are enough, and more take memory."),
			service.NewBatchPolicyField(fieldBatching),
		).
		Example("Annotate and review", "Alerts from a file that grows get their verdicts and cases, and are reviewed at http://127.0.0.1:4280. What has no verdict goes to a file of dead letters, with the reason.", `
input:
  deepcase_files:
    paths: [ ./alerts.ndjson ]

pipeline:
  threads: 1 # contexts and cases depend on the order of alerts
  processors:
    - deepcase_sequence:
        machine: ${! json("host.name") }
        event: ${! json("rule.name") }
        timestamp: ${! json("@timestamp") }
    - deepcase_predict:
        model: /var/lib/deepcase/model
    - deepcase_case:
        timestamp: ${! json("@timestamp") }

output:
  fallback:
    - deepcase_review:
        model: /var/lib/deepcase/model
        store: /var/lib/deepcase/review
        timestamp: ${! json("@timestamp") }
    - processors:
        - mapping: 'root = {"error": @fallback_error, "document": content().string()}'
      file:
        path: dead-letters.ndjson
        codec: lines
`).
		Example("For a team", "The page is behind a reverse proxy on the same machine, which asks for a password and says who it is.", `
output:
  deepcase_review:
    model: /var/lib/deepcase/model
    store: /var/lib/deepcase/review
    hosts: [ triage.example.org ]
    auth:
      mode: proxy
      user_header: X-Forwarded-User
      trusted: [ 127.0.0.1 ]
    levels:
      - { score: 0, name: Benign }
      - { score: 1, name: Policy }
      - { score: 2, name: Suspicious }
      - { score: 3, name: Incident }
`)
}

func authField() *service.ConfigField {
	return service.NewObjectField(fieldAuth,
		service.NewStringAnnotatedEnumField(fieldMode, map[string]string{
			"none":  "Whoever reaches the page may do everything, under the name `by`. On loopback only.",
			"token": "Each person has a token of `tokens_file` and signs in with it.",
			"proxy": "A reverse proxy says who it is, in `user_header`. It is believed only if the request comes from an address in `trusted`.",
		}).Description("How people prove who they are.").Default("none"),
		service.NewStringField(fieldBy).
			Description("The name on decisions with `none`.").
			Default("analyst"),
		service.NewStringField(fieldTokensFile).
			Description("The file of tokens: on each line a name, a role and a token, with spaces between. It is read again when it has changed. `openssl rand -hex 32` makes a token.").
			Default(""),
		service.NewStringField(fieldUserHeader).
			Description("The header with the name of the person.").
			Default("X-Forwarded-User"),
		service.NewStringField(fieldRoleHeader).
			Description("The header with the role of the person. If it is empty, everybody has `role`.").
			Default(""),
		service.NewStringEnumField(fieldRole, "read", "score", "publish").
			Description("The role of a person whom the proxy gives no role.").
			Default("score"),
		service.NewStringListField(fieldTrusted).
			Description("Addresses of reverse proxies, or networks such as `10.0.0.0/8`.").
			Default([]any{}),
	).Description("Who may use the page. What a person decides is kept under the person's name.")
}

func parseLevels(conf *service.ParsedConfig) (levels []review.Level, err error) {
	objects, err := conf.FieldObjectList(fieldLevels)
	if err != nil {
		return nil, err
	}
	seen := map[float64]bool{}
	for i, o := range objects {
		var l review.Level
		if l.Score, err = fieldScore.Parse(o); err == nil {
			l.Name, err = o.FieldString(fieldName)
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("field '%s[%d]': %w", fieldLevels, i, err)
		case l.Name == "":
			return nil, fmt.Errorf("field '%s[%d]': need a name for the score %v", fieldLevels, i, l.Score)
		case seen[l.Score]:
			return nil, fmt.Errorf("field '%s[%d]': the score %v is there twice, need it once", fieldLevels, i, l.Score)
		}
		seen[l.Score] = true
		levels = append(levels, l)
	}
	if !seen[0] || len(levels) < 2 {
		return nil, fmt.Errorf("field '%s': need the score 0 and at least one above it", fieldLevels)
	}
	return levels, nil
}

func parsePublish(conf *service.ParsedConfig) (after, most time.Duration, err error) {
	if after, err = fieldPublishAfter.Parse(conf); err != nil {
		return 0, 0, err
	}
	if most, err = fieldPublishAtMost.Parse(conf); err != nil {
		return 0, 0, err
	}
	if most < after {
		return 0, 0, fmt.Errorf("field '%s': %s, need at least %s, as long as '%s'", fieldPublishAtMost, most, after, fieldPublishAfter)
	}
	return after, most, nil
}

func parseGate(conf *service.ParsedConfig) (o gate.Options, err error) {
	for field, to := range map[string]*string{
		fieldMode: &o.Mode, fieldBy: &o.By, fieldTokensFile: &o.TokensFile, fieldUserHeader: &o.UserHeader, fieldRoleHeader: &o.RoleHeader, fieldRole: &o.Role,
	} {
		if *to, err = conf.FieldString(fieldAuth, field); err != nil {
			return o, err
		}
	}
	if o.Trusted, err = conf.FieldStringList(fieldAuth, fieldTrusted); err != nil {
		return o, err
	}
	if o.Hosts, err = conf.FieldStringList(fieldHosts); err != nil {
		return o, err
	}
	o.Rate, err = fieldRate.Parse(conf)
	return o, err
}
