package files

import (
	"context"
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/configfield"
	"connect-deepcase/internal/jsontext"
	"connect-deepcase/internal/redeliver"
	"connect-deepcase/internal/textfile"
)

const (
	fieldPaths     = "paths"
	fieldOrder     = "order"
	fieldFormat    = "format"
	fieldDelimiter = "delimiter"
	fieldEncoding  = "encoding"
	fieldEnvelopes = "envelopes"

	outcomeRead    = "read"
	outcomeFailed  = "failed"
	outcomeRefused = "refused"
)

var (
	fieldMaxLine   = configfield.IntBetween("max_line", 1, 1<<30)
	fieldBatchSize = configfield.IntBetween("batch_size", 1, 1_000_000)
)

func spec() *service.ConfigSpec {
	return service.NewConfigSpec().
		Stable().
		Version("0.2.0").
		Categories("DeepCASE", "Local").
		Summary("Reads files and pipes to their end: lines, JSON, csv or logs of Zeek, oldest file first.").
		Description(`
Compressed files (gzip, zstd, bzip2) are recognised by their first bytes, and decompressed as they are read. A byte order mark is skipped. Text is UTF-8, or what `+"`encoding`"+` says. The input ends when all files are read.

== Which files

Each of `+"`paths`"+` is a file, a pipe (`+"`/dev/stdin`"+`, a FIFO) or a pattern: `+"`*`, `?`, `[a-z]`, and `**`"+` for any folders. A path that exists exactly as written is not a pattern, whatever characters it has. If a path names no file, or a file that may not be read, the pipeline does not start: it does not wait for the file. If a file disappears after that, a message is flagged with an error.

With `+"`order: time`"+`, all files of all paths are sorted by the time of their events, as their names show it:

. files with a date in their names, or in the folders above (`+"`2026/Jan/ossec-alerts-02.json`"+`), oldest first: `+"`auth.log-20260102`, `alerts-2026-01-02.json`, `app-2026-01-02T13-30.log`, `auth.log-1767312000`"+`
. files that end in a number, as from logrotate, highest number first: `+"`auth.log.2.gz` before `auth.log.1`. In `eve.1.json`"+` the number counts only if `+"`eve.json`"+` is there, too. A number that begins with 0 (`+"`part.01`"+`) means a part, not a rotation; `+"`messages.0`"+` is one if `+"`messages`"+` is there
. all others, by name, with numbers in names compared by value: `+"`events-2` before `events-10`"+`

Files of the same date or number are sorted by name. The order of events within a file stays.

== Formats

- `+"`lines`"+`: each line is a message
- `+"`ndjson`"+`: each line is a message, too. A file that begins with other JSON is refused
- `+"`json`"+`: each document is a message. Documents follow each other, or are elements of an array, or of an array in an object (see `+"`envelopes`"+`). A document may have any number of lines; its message has one line. The file is read document by document and need not fit into memory
- `+"`csv`"+`: each row is a message, an object with the names of the header. All values are texts. Values in quotes may have line ends, and quotes if they are doubled. Line ends may be LF, CRLF or CR. A column that comes twice is an error for the whole file
- `+"`zeek`"+`: each row of a log that Zeek wrote in columns is a message, an object with the names of `+"`#fields`"+`, and `+"`_path`"+` with what `+"`#path`"+` says. All values are texts, and those of sets and vectors lists of texts; unset fields are null. The header may come again, with other columns
- `+"`auto`: `csv`"+` if the name says so (`+"`.csv`, `.csv.gz`), `json`"+` if the file begins with JSON that is not one document per line, `+"`zeek`"+` if it begins with `+"`#separator `, else `lines`"+`

Blank lines are skipped.

== What cannot be read

Nothing is dropped silently. Each of these becomes a message that is flagged with an error, which names file, line and reason; then reading continues:

- a line, row or document that is not UTF-8: the message has its bytes unchanged. With an `+"`encoding`"+`, one with bytes that are no characters of it: the message has the rest as UTF-8, and these bytes as `+"`\x81`"+`
- one that is longer than `+"`max_line`"+`: the message has its first 1000 bytes
- a row that has another number of columns than the header, or unmatched quotes: the message is the row, or its first line
- a row of a log of Zeek that has no header above it
- a document that is not JSON: the message is everything up to the next line that begins with `+"`{`"+`
- a file that ends in the middle, is damaged, begins with the byte order mark of another encoding, or has an unusable header: one message. Reading continues with the next file

Send such messages to a dead-letter output, by `+"`errored()`"+`. At the end, the log says how many there were, at level error if there was one. An empty file has no messages; the log warns of it.

== Guarantees

Messages come in the order of the files and lines. A batch that an output refuses is sent again, unless `+"`auto_replay_nacks`"+` is false. The input does not remember what was read: each run starts with the first file. So after a crash, events come again. With an `+"`id` in `deepcase_sequence`"+` they count once.

`+"`max_line`"+` limits the memory, whatever the files are: a batch has at most 16 MiB plus one message.

Messages from a pipe are passed on as they arrive: a batch is what can be read without waiting.

== Metadata

- `+"`path`"+`: the file, as `+"`paths`"+` names it
- `+"`line`"+`: the number of the line on which the message begins, from 1

== Metrics

- `+"`deepcase_files_files`"+` (counter, label `+"`outcome`: `read` or `failed`"+`)
- `+"`deepcase_files_messages`"+` (counter, label `+"`outcome`: `read`, or `refused`"+` for those that are flagged with an error)`).
		Fields(
			service.NewStringListField(fieldPaths).
				Description("The files, or patterns of files.").
				Example([]string{"/var/log/auth.log*"}).
				Example([]string{"/dev/stdin"}),
			service.NewStringAnnotatedEnumField(fieldOrder, map[string]string{
				orderTime:  "By the rotations and dates in their names, oldest first.",
				orderName:  "By name.",
				orderGiven: "As listed in `paths`, and by name if a pattern matches several.",
			}).Description("The order in which files are read.").Default(orderTime),
			service.NewStringAnnotatedEnumField(fieldFormat, map[string]string{
				formatAuto:   "Detected for each file.",
				formatLines:  "Lines of text.",
				formatNDJSON: "One JSON document per line.",
				formatJSON:   "JSON documents in an array, or one after another.",
				formatCSV:    "A header and rows.",
				formatZeek:   "A log of Zeek in columns, with its header.",
			}).Description("What the files hold.").Default(formatAuto),
			service.NewStringField(fieldEncoding).
				Description("How the text of the files is encoded. `utf-16` needs the byte order mark that Windows writes; without it, `utf-16le` or `utf-16be`. A code page has one of its usual names: `windows-1252` (or `cp1252`), `iso-8859-1`, `ibm437`, `ibm850`, `koi8-r`, `shift_jis`, `gbk`, `gb18030`, `big5`, `euc-kr` … Files are decoded to UTF-8, whatever their format. All files of one input have the same encoding.").
				Example("utf-16").
				Example("windows-1252").
				Default("utf-8"),
			service.NewStringField(fieldDelimiter).
				Description("What separates the columns of csv: one ASCII character.").
				Example(";").
				LintRule(`root = if this.length() != 1 || "\"\r\n".contains(this) { "delimiter needs to be one character, but no quote or line end" }`).
				Default(","),
			service.NewStringListField(fieldEnvelopes).
				Description("Shapes of objects around documents. `Records` is an object that has an array at this key, and nothing else: `{\"Records\":[ … ]}` of AWS CloudTrail. `took:hits.hits` is an object whose first key is `took`, and that has an array at the path `hits.hits`: the answer of a search. What else such an object has is left out. These shapes are found at the beginning of a file and between its documents.").
				Advanced().
				Default(defaultEnvelopes()),
			fieldMaxLine.Field().
				Description("Maximum size of a message in bytes, as UTF-8: of a line, a row or a JSON document.").
				Default(16<<20),
			fieldBatchSize.Field().
				Description("Messages in a batch, at most.").
				Default(1000),
			redeliver.Field(),
		).
		Example("A log and its rotated files", "Reads `auth.log.4.gz`, `auth.log.3.gz`, `auth.log.2.gz`, `auth.log.1` and then `auth.log`.", `
input:
  deepcase_files:
    paths: [ /var/log/auth.log* ]
    format: lines
`).
		Example("Exports of a spreadsheet", "Rows become JSON objects.", `
input:
  deepcase_files:
    paths: [ ./exports/*.csv ]
    delimiter: ;
`)
}

func defaultEnvelopes() []any {
	var list []any
	for _, shape := range jsontext.DefaultEnvelopes() {
		list = append(list, shape)
	}
	return list
}

func newFromParsed(conf *service.ParsedConfig, mgr *service.Resources) (*input, error) {
	paths, err := conf.FieldStringList(fieldPaths)
	if err != nil {
		return nil, err
	}
	order, err := conf.FieldString(fieldOrder)
	if err != nil {
		return nil, err
	}
	i := &input{
		log:      mgr.Logger(),
		files:    mgr.Metrics().NewCounter("deepcase_files_files", "outcome"),
		messages: mgr.Metrics().NewCounter("deepcase_files_messages", "outcome"),
	}
	if i.reading.format, err = conf.FieldString(fieldFormat); err != nil {
		return nil, err
	}
	encoding, err := conf.FieldString(fieldEncoding)
	if err != nil {
		return nil, err
	}
	if i.reading.encoding, err = textfile.ParseEncoding(encoding); err != nil {
		return nil, fmt.Errorf("field '%s': %w", fieldEncoding, err)
	}
	delimiter, err := conf.FieldString(fieldDelimiter)
	if err != nil {
		return nil, err
	}
	if len(delimiter) != 1 || delimiter[0] >= 0x80 || delimiter == `"` || delimiter == "\r" || delimiter == "\n" {
		return nil, fmt.Errorf("field '%s': %q, need one ASCII character that is no quote and no line end", fieldDelimiter, delimiter)
	}
	i.reading.comma = delimiter[0]
	envelopes, err := conf.FieldStringList(fieldEnvelopes)
	if err != nil {
		return nil, err
	}
	if i.reading.envelopes, err = jsontext.ParseEnvelopes(envelopes); err != nil {
		return nil, fmt.Errorf("field '%s': %w", fieldEnvelopes, err)
	}
	if i.reading.max, err = fieldMaxLine.Parse(conf); err != nil {
		return nil, err
	}
	if i.size, err = fieldBatchSize.Parse(conf); err != nil {
		return nil, err
	}
	found, err := find(mgr.FS(), paths)
	if err != nil {
		return nil, err
	}
	var warnings []string
	i.paths, warnings = sorted(found, order)
	for _, warning := range warnings {
		i.log.Warn(warning)
	}
	for _, outcome := range []string{outcomeRead, outcomeFailed} {
		i.files.Incr(0, outcome)
	}
	for _, outcome := range []string{outcomeRead, outcomeRefused} {
		i.messages.Incr(0, outcome)
	}
	i.closing, i.close = context.WithCancel(context.Background())
	return i, nil
}
