package search

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/cenkalti/backoff/v4"
	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/configfield"
	"connect-deepcase/internal/redeliver"
)

const (
	fieldURLs      = "urls"
	fieldIndex     = "index"
	fieldQuery     = "query"
	fieldSortField = "sort_field"
	fieldTiebreak  = "tiebreak"
	fieldMissing   = "missing"
	fieldMode      = "mode"
	fieldPIT       = "point_in_time"
	fieldCacheKey  = "cache_key"
	fieldBasicAuth = "basic_auth"
	fieldEnabled   = "enabled"
	fieldUsername  = "username"
	fieldPassword  = "password"
	fieldAPIKey    = "api_key"
	fieldBearer    = "bearer_token"
	fieldTLS       = "tls"
	fieldRetry     = "retry"

	modeOnce    = "once"
	modeFollow  = "follow"
	missingFail = "fail"
	missingSkip = "skip"

	maxBatchSize = 10_000 // the servers' default of index.max_result_window
	maxInFlight  = 10_000
	minMaxAnswer = 1 << 16
	maxMaxAnswer = 1<<31 - 1 // a document of Lucene is not longer
	maxSlices    = 1024      // the servers' default of index.max_slices_per_pit
)

var (
	fieldPoll      = configfield.DurationAbove0("poll_interval")
	fieldLag       = configfield.DurationFrom0("lag")
	fieldKeepAlive = configfield.DurationAbove0("keep_alive")
	fieldTimeout   = configfield.DurationAbove0("timeout")
	fieldSlices    = configfield.IntBetween("slices", 1, maxSlices)
	fieldBatchSize = configfield.IntBetween("batch_size", 1, maxBatchSize)
	fieldMaxAnswer = configfield.IntBetween("max_answer_bytes", minMaxAnswer, maxMaxAnswer)
	fieldInFlight  = configfield.IntBetween("max_in_flight", 1, maxInFlight)
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Stable().
		Version("0.1.0").
		Categories("DeepCASE", "Services").
		Summary("Reads documents from Elasticsearch (7.10 and newer) or OpenSearch (2.4 and newer), oldest first.").
		Description(`
A message is the `+"`_source`"+` of a document. Documents come in the order of `+"`sort_field`"+`. They are read from a point in time, so that writes meanwhile do no harm. The mode `+"`once`"+` reads what is there and stops; `+"`follow`"+` then keeps looking for newer documents.

== Guarantees

**Cursor.** With a `+"`cache`"+`, the cursor moves when a batch and all batches before it have been acknowledged. After a stop or a crash, the next run continues there: no document is lost, and only those of batches that were not acknowledged come again. The same holds if a point in time expires or a node disappears in the middle: reading continues in a new point in time. Without a cache, each run reads from the beginning.

**Late documents.** Each document comes once per run, unless it is written again with a later value of `+"`sort_field`"+`. In the mode `+"`follow`"+`, documents are read once their `+"`sort_field` is `lag`"+` in the past. A document that becomes searchable later than that is not read. So `+"`lag`"+` must be longer than the time from a document's `+"`sort_field`"+` until the document is searchable, including the refresh of the index. A field that is set on the way in, such as `+"`event.ingested`"+`, is better than the time of the event. To read what arrived too late, run the mode `+"`once`"+` from time to time, with a query for documents that are not annotated.

**Failures.** A failure that may pass is retried as `+"`retry`"+` says, at another of the `+"`urls`"+` if there are several. Such failures are: a node does not answer; an answer is 408, 429 or 5xx, or does not fit the request, or lacks shards or remote clusters. After that, and after other errors, the input reconnects after a pause, and reading continues where it was. A page must be complete, in order, and later than what was read before; anything else is an error. A page with fewer documents than requested ends the reading.

**Credentials.** Redirects are not followed: credentials and documents go only to the `+"`urls`"+`. Credentials do not reach the log, even if a server sends them back.

**Types.** Documents without `+"`sort_field`"+` have no place in the order: see `+"`missing`"+`. Types that cannot be sorted together are an error that names the indices. `+"`date` and `date_nanos`"+` can be sorted together, but then all values must lie between 1970 and 2262. The types are looked up whenever the input looks for newer documents. So an index of the other type may join, and reading stops only as long as there is an index that does not fit.

**Size of the cursor.** The cursor holds the last value of `+"`sort_field`"+`, and a key of 22 characters for each document with exactly this value. So a field with a fine resolution is better than days or hours. If more than 2,000,000 documents have the same value, reading does not get beyond them, and the log repeats the error.

== Metadata

- `+"`search_index`, `search_id`, and `search_routing`"+` if there is one
- `+"`search_seq_no`, `search_primary_term`"+`
- `+"`search_sort`"+`: the sort values, a JSON array

For a document in a data stream, `+"`search_index`"+` is the backing index, as updates need it.

== Servers without point in time

Elasticsearch before 7.10, its builds without X-Pack, and OpenSearch before 2.4 have no point in time. This is an error unless you set `+"`point_in_time: false`"+`. Pages are then read from the index as it is at that moment. A document that is written meanwhile with a lower value than that of the last page is missed, and a document whose `+"`sort_field`"+` changes may come twice. `+"`slices`"+` must be 1 then.

== Metrics

- `+"`deepcase_search_documents`"+` (counter)
- `+"`deepcase_search_passes`"+` (counter, label `+"`outcome`: `opened`"+`, and then `+"`finished`, `expired`, `failed` or `stopped`"+`): points in time
- `+"`deepcase_search_retries`"+` (counter, label `+"`reason`"+`: the status, `+"`connection`, `partial` or `answer`"+`)
- `+"`deepcase_search_latency_ns`"+` (timer): requests
- `+"`deepcase_search_cursor_failures`"+` (counter): failed writes of the cursor`).
		Fields(fields()...).
		Example("Alerts that nobody has looked at", "Follows the alerts of all days. The cursor survives a restart.", `
input:
  deepcase_search:
    urls: [ http://127.0.0.1:9200 ]
    index: alerts-*
    query:
      bool:
        must_not:
          exists: { field: deepcase.status }
    sort_field: event.ingested
    mode: follow
    cache: cursors

cache_resources:
  - label: cursors
    deepcase_file:
      directory: /var/lib/deepcase/cursors
`).
		Example("A month, as fast as possible", "Four slices are read in parallel. The order stays.", `
input:
  deepcase_search:
    urls: [ https://es-1:9200, https://es-2:9200 ]
    index: logs-alerts-default
    query:
      range:
        "@timestamp": { gte: "2026-01-01", lt: "2026-02-01" }
    slices: 4
    batch_size: 5000
    api_key: ${API_KEY}
`)
}

func fields() []*service.ConfigField {
	return []*service.ConfigField{
		service.NewURLListField(fieldURLs).
			Description("The nodes of a cluster. Requests go to them in turn; if one fails, to the next. An item with commas is several URLs.").
			Example([]string{"http://localhost:9200"}),
		service.NewStringField(fieldIndex).
			Description("What to read: an index, a data stream, an alias, a pattern, or several of these, separated by commas.").
			Example("alerts-*").
			LintRule(`root = if this == "" { "index needs a name" }`),
		service.NewAnyField(fieldQuery).
			Description("Which documents to read, as an object of the query DSL.").
			LintRule(`root = if this.type() != "object" { "query needs to be an object" }`).
			Default(map[string]any{"match_all": map[string]any{}}),
		service.NewStringField(fieldSortField).
			Description("The field by which documents are sorted and whose value the cursor holds, of type date, date_nanos, byte, short, integer, long or keyword.").
			Default("@timestamp"),
		service.NewStringField(fieldTiebreak).
			Description("A field that orders documents with the same `sort_field`. It needs doc values and another value in each document, such as a keyword with the id of the event. If it is empty: `_shard_doc` if the server has it (Elasticsearch 7.12 or newer, OpenSearch 3.3 or newer), else `_id`, which costs the server memory for each document.").
			Advanced().
			Default(""),
		service.NewStringAnnotatedEnumField(fieldMissing, map[string]string{
			missingFail: "They are an error when the input starts.", missingSkip: "They are skipped, with a warning.",
		}).Description("What to do about documents without `sort_field`.").Default(missingFail),
		service.NewStringAnnotatedEnumField(fieldMode, map[string]string{
			modeOnce: "Read what is there, then stop.", modeFollow: "Read what is there, then look for newer documents for ever.",
		}).Description("When reading ends.").Default(modeOnce),
		fieldPoll.Field().
			Description("How long to wait before looking for newer documents again, in the mode `follow`.").
			Default("5s"),
		fieldLag.Field().
			Description("How far a document's `sort_field` must be in the past before it is read, in the mode `follow`.").
			Default("30s"),
		fieldSlices.Field().
			Description("Parts that are read in parallel and merged into one order.").
			Default(1),
		fieldBatchSize.Field().
			Description("Documents in a batch, and in a page of a slice. Two pages per slice are held in memory. A batch is smaller if its documents have more bytes than `max_answer_bytes`.").
			Default(1000),
		fieldMaxAnswer.Field().
			Description("Maximum size of an answer in bytes, decompressed. If a page is larger, smaller pages are requested, with a warning. A single document that is larger is an error. The input holds at most about `max_in_flight` + 4 × `slices` times as much.").
			Default(64 << 20).
			Advanced(),
		fieldInFlight.Field().
			Description("Batches that may be in flight without an acknowledgement. With `batch_size` it limits what comes again after a crash. If `deepcase_sequence` follows, its `late` should be at least the product of both, so that an event that comes again finds its place.").
			Default(8),
		service.NewBoolField(fieldPIT).
			Description("Whether to read from a point in time.").
			Advanced().
			Default(true),
		fieldKeepAlive.Field().
			Description("How long the server keeps a point in time between two pages. If it expires because the output is slow, a new one is opened.").
			Default("5m").
			Advanced(),
		configfield.CacheField().
			Description("The label of a cache resource that keeps the cursor, such as `deepcase_file` or `redis`. Its entries must not expire."),
		service.NewStringField(fieldCacheKey).
			Description("The key of the cursor in the cache. Inputs that share a cache need different keys.").
			Default("deepcase_search"),
		service.NewObjectField(fieldBasicAuth,
			service.NewBoolField(fieldEnabled).Description("Whether to use basic authentication in requests.").Default(false),
			service.NewStringField(fieldUsername).Description("A username to authenticate as.").Default(""),
			service.NewStringField(fieldPassword).Description("A password to authenticate with.").Default("").Secret(),
		).Description("Basic authentication.").Advanced(),
		service.NewStringField(fieldAPIKey).
			Description("An API key, in base64 as the server gives it (`encoded`).").
			Default("").Secret(),
		service.NewStringField(fieldBearer).
			Description("A bearer token.").
			Advanced().
			Default("").Secret(),
		service.NewTLSToggledField(fieldTLS),
		fieldTimeout.Field().
			Description("How long a request may take.").
			Default("1m").Advanced(),
		service.NewBackOffField(fieldRetry, true, &backoff.ExponentialBackOff{
			InitialInterval: 500 * time.Millisecond, MaxInterval: 10 * time.Second, MaxElapsedTime: time.Minute,
		}).Advanced(),
		redeliver.Field(),
	}
}

// nodes reads the URLs, in Connect's manner: an item may hold several.
func nodes(conf *service.ParsedConfig) (found []node, err error) {
	items, err := conf.FieldStringList(fieldURLs)
	if err != nil {
		return nil, err
	}
	for _, item := range items {
		for u := range strings.SplitSeq(item, ",") {
			if u = strings.TrimSpace(u); u == "" {
				continue
			}
			parsed, err := url.Parse(u)
			if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" || strings.ContainsAny(u, "?#") {
				return nil, fmt.Errorf("field '%s': %q, need a URL such as http://localhost:9200", fieldURLs, withoutCredentials(item))
			}
			user := parsed.User
			parsed.User = nil
			found = append(found, node{url: strings.TrimRight(parsed.String(), "/"), user: user})
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("field '%s' is empty: need at least one URL", fieldURLs)
	}
	return found, nil
}

// authorization gives what adds credentials to a request, at most one of the three ways, and what of them is secret.
func authorization(conf *service.ParsedConfig) (add func(*http.Request), secret []string, err error) {
	basic, err := conf.FieldBool(fieldBasicAuth, fieldEnabled)
	if err != nil {
		return nil, nil, err
	}
	username, err := conf.FieldString(fieldBasicAuth, fieldUsername)
	if err != nil {
		return nil, nil, err
	}
	password, err := conf.FieldString(fieldBasicAuth, fieldPassword)
	if err != nil {
		return nil, nil, err
	}
	apiKey, err := conf.FieldString(fieldAPIKey)
	if err != nil {
		return nil, nil, err
	}
	bearer, err := conf.FieldString(fieldBearer)
	if err != nil {
		return nil, nil, err
	}
	set := 0
	for _, is := range []bool{basic, apiKey != "", bearer != ""} {
		if is {
			set++
		}
	}
	if set > 1 {
		return nil, nil, fmt.Errorf("fields '%s', '%s' and '%s': %d are set, need at most one", fieldBasicAuth, fieldAPIKey, fieldBearer, set)
	}
	switch {
	case basic:
		secret = ofUser(username, password)
	case apiKey != "":
		secret = ofKey(apiKey)
	case bearer != "":
		secret = []string{bearer}
	}
	return func(r *http.Request) {
		switch {
		case basic:
			r.SetBasicAuth(username, password)
		case apiKey != "":
			r.Header.Set("Authorization", "ApiKey "+apiKey)
		case bearer != "":
			r.Header.Set("Authorization", "Bearer "+bearer)
		}
	}, secret, nil
}
