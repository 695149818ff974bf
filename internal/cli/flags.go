package cli

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
	ucli "github.com/urfave/cli/v2"

	"connect-deepcase/internal/textfile"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
	"connect-deepcase/sequencer"
)

// Categories of the help page, as the original has them.
const (
	categoryIO          = "Input/Output"
	categorySequencing  = "Sequencing"
	categoryBuilder     = "ContextBuilder"
	categoryInterpreter = "Interpreter"
	categoryTrain       = "Train"
	categoryOther       = "Other"
)

// paths is a flag that may be given several times, with one path each.
type paths []string

func (p *paths) Set(path string) error {
	if path == "" {
		return errors.New("an empty path")
	}
	if slices.ContainsFunc(*p, func(other string) bool { return filepath.Clean(other) == filepath.Clean(path) }) {
		return errors.New("the file is given twice: its events would count twice")
	}
	*p = append(*p, path)
	return nil
}

func (p *paths) String() string { return strings.Join(*p, " ") }

// seconds is a duration in seconds, as in the original's command line.
type seconds time.Duration

func (s *seconds) Set(text string) error {
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || !(x >= 0 && x*1e9 < math.MaxInt64) {
		return errors.New("need a number of seconds from 0 to 9223372036, such as 86400 for 24 hours")
	}
	*s = seconds(x * 1e9)
	return nil
}

func (s *seconds) String() string {
	return strconv.FormatFloat(time.Duration(*s).Seconds(), 'f', -1, 64)
}

func stringFlag(category, name, usage string) ucli.Flag {
	return &ucli.StringFlag{Category: category, Name: name, Usage: usage}
}

func boolFlag(category, name, usage string) ucli.Flag {
	return &ucli.BoolFlag{Category: category, Name: name, Usage: usage, DisableDefaultText: true}
}

// formats are the input formats and what the help page calls them.
var formats = []struct {
	format sequencer.Format
	name   string
}{{sequencer.CSV, "CSV"}, {sequencer.Text, "TXT"}, {sequencer.JSON, "JSON"}, {sequencer.NDJSON, "NDJSON"}}

// inputFlags name files of each format. prefix tells several groups of files apart.
func inputFlags(prefix, what string) []ucli.Flag {
	var flags []ucli.Flag
	for _, f := range formats {
		flags = append(flags, &ucli.GenericFlag{Category: categoryIO, Name: prefix + string(f.format), Value: &paths{},
			Usage: fmt.Sprintf("%s events `FILE` to %s; may be given several times", f.name, what)})
	}
	return flags
}

const benignUsage = "`TEXT` of the label that means benign: it is label 0, and any other text is label 1, unless it is a number (default: labels are numbers, true or false)"

func readingFlags() []ucli.Flag {
	return []ucli.Flag{
		stringFlag(categoryIO, "columns", "`NAMES` of columns, if they are not timestamp, machine, event and label: "+
			"timestamp=time,machine=host,event=name,label=class"),
		stringFlag(categoryIO, "benign", benignUsage),
		&ucli.StringFlag{Category: categoryIO, Name: "encoding", Value: "utf-8", Usage: "`ENCODING` of the files: utf-8, utf-16 (with its byte order mark), " +
			"utf-16le, utf-16be, or a code page such as windows-1252, iso-8859-1, ibm850, koi8-r, shift_jis or gbk"},
		&ucli.IntFlag{Category: categoryIO, Name: "max-record", Value: textfile.MaxRecord >> 20,
			Usage: "maximum size in `MIB` of a line, csv record or JSON object; a longer one is an error"},
		&ucli.StringFlag{Category: categoryIO, Name: "time-format", Value: "auto", Usage: "`FORMAT` of times: auto (RFC 3339 and its relatives, or the time since " +
			"1970 in seconds, milliseconds, microseconds or nanoseconds by its 10, 13, 16 or 19 digits), seconds, milliseconds, microseconds or nanoseconds " +
			"(since 1970, whatever the digits), filetime (Windows), excel (days since 1899-12-30), or a layout of strptime such as %d/%b/%Y:%H:%M:%S %z"},
		&ucli.StringFlag{Category: categoryIO, Name: "placeholders", DefaultText: "-, null, N/A, unknown and the like",
			Usage: "`TEXTS` that stand for an unknown machine, separated by commas; a single comma for none"},
		boolFlag(categoryIO, "normalize-machine", "machine names that differ only in upper and lower case, or by a dot at the end, are one machine"),
		boolFlag(categoryIO, "shared-machines", "a machine name means the same machine in all files (default: each file has its own machines)"),
	}
}

func limitFlags() []ucli.Flag {
	return []ucli.Flag{
		&ucli.IntFlag{Category: categoryIO, Name: "nrows", Usage: "read at most `N` rows (lines of txt); 0 for all"},
		&ucli.Float64Flag{Category: categoryIO, Name: "label", Usage: "`LABEL` of all events, whatever the files say", DefaultText: "what the files say"},
		&ucli.StringFlag{Category: categoryIO, Name: "events", Value: "auto",
			Usage: "`NUMBER` of distinct event names, including NO_EVENT (which fills short contexts); more in the input are an error"},
	}
}

func sequencingFlags() []ucli.Flag {
	d := sequencer.DefaultOptions()
	return []ucli.Flag{
		&ucli.IntFlag{Category: categorySequencing, Name: "length", Value: d.Length,
			Usage: "sequence `LENGTH`: events in a context; a loaded model brings its own"},
		&ucli.GenericFlag{Category: categorySequencing, Name: "timeout", Value: (*seconds)(&d.Timeout),
			Usage: "sequence `TIMEOUT` (seconds): older events are not part of a context; a loaded model brings its own"},
	}
}

func savedSequencesFlags() []ucli.Flag {
	return []ucli.Flag{
		stringFlag(categorySequencing, "save-sequences", "`FILE` to save sequences"),
		stringFlag(categorySequencing, "load-sequences", "`FILE` to load sequences"),
	}
}

func builderFlags() []ucli.Flag {
	t := contextbuilder.DefaultTraining()
	p := model.DefaultParams()
	return []ucli.Flag{
		&ucli.IntFlag{Category: categoryBuilder, Name: "hidden", Value: p.Hidden, Usage: "`HIDDEN` layers dimension"},
		&ucli.Float64Flag{Category: categoryBuilder, Name: "delta", Value: t.Delta, Usage: "label smoothing `DELTA`"},
		boolFlag(categoryBuilder, "lstm", "LSTM cells instead of GRU"),
		&ucli.IntFlag{Category: categoryBuilder, Name: "layers", Value: p.Layers, Usage: "number of recurrent `LAYERS`"},
		boolFlag(categoryBuilder, "bidirectional", "read contexts in both directions"),
		&ucli.IntFlag{Category: categoryTrain, Name: "epochs", Value: t.Epochs, Usage: "number of `EPOCHS` to train with"},
		&ucli.IntFlag{Category: categoryTrain, Name: "batch", Value: t.BatchSize, Usage: "`BATCH` size to train with"},
		&ucli.StringFlag{Category: categoryTrain, Name: "optimizer", Value: string(t.Optimizer), Usage: "`OPTIMIZER` to train with (sgd|adam|varadam)"},
		&ucli.Float64Flag{Category: categoryTrain, Name: "learning-rate", Value: t.LearningRate,
			Usage: "learning `RATE` to train with; varadam sets its own"},
		&ucli.Uint64Flag{Category: categoryTrain, Name: "seed", Value: t.Seed,
			Usage: "`SEED` of training: the same seed, input and device give the same model"},
		&ucli.IntFlag{Category: categoryTrain, Name: "max-names", Value: model.DefaultMaxNames,
			Usage: "number of event `NAMES` to learn, the most frequent ones; other events are not learnt and are left out of contexts"},
		&ucli.StringFlag{Category: categoryTrain, Name: "max-memory", Value: humanize.IBytes(model.DefaultMaxMemory),
			Usage: "`BYTES` of memory that training may take: it does not start if it is expected to take more"},
	}
}

func savedBuilderFlags() []ucli.Flag {
	return []ucli.Flag{
		stringFlag(categoryBuilder, "save-builder", "model `DIRECTORY` to save the ContextBuilder in, as a new version"),
		stringFlag(categoryBuilder, "load-builder", "model `DIRECTORY` to load the ContextBuilder from (the last version if it has no clusters yet, otherwise the current one), "+
			"or a file of the original's ContextBuilder.save"),
	}
}

func interpreterFlags() []ucli.Flag {
	o, q := interpreter.DefaultOptions(), contextbuilder.DefaultQuery()
	return []ucli.Flag{
		&ucli.Float64Flag{Category: categoryInterpreter, Name: "confidence", Value: o.Threshold, Usage: "minimum required `CONFIDENCE`"},
		&ucli.Float64Flag{Category: categoryInterpreter, Name: "epsilon", Value: o.Eps, Usage: "DBSCAN clustering `EPSILON`"},
		&ucli.IntFlag{Category: categoryInterpreter, Name: "min_samples", Value: o.MinSamples, Usage: "DBSCAN clustering `MIN_SAMPLES`"},
		&ucli.StringFlag{Category: categoryInterpreter, Name: "strategy", Value: string(interpreter.Max),
			Usage: "`STRATEGY` that makes a cluster's score from the scores of its events (max|min|avg), or nearest: max, but an event that the labels " +
				"dispute gets the score of those nearest to it"},
		&ucli.Float64Flag{Category: categoryInterpreter, Name: "guard", Value: o.Guard,
			Usage: "if labels disagree in a cluster, those within this `DISTANCE` of an event say whether its score is disputed"},
		&ucli.IntFlag{Category: categoryInterpreter, Name: "iterations", Value: q.Iterations, Usage: "`ITERATIONS` of the attention query"},
		&ucli.IntFlag{Category: categoryInterpreter, Name: "query-batch", Value: q.BatchSize, Usage: "batch `SIZE` of the attention query"},
	}
}

func savedInterpreterFlags() []ucli.Flag {
	return []ucli.Flag{
		stringFlag(categoryInterpreter, "save-interpreter", "model `DIRECTORY` to save the Interpreter in, as a new version"),
		stringFlag(categoryInterpreter, "load-interpreter", "model `DIRECTORY` to load the Interpreter from"),
		&ucli.BoolFlag{Category: categoryInterpreter, Name: "keep-scores", Value: true,
			Usage: "clusters without a score inherit one from the previous version when they are saved in a model directory"},
	}
}

func otherFlags() []ucli.Flag {
	return []ucli.Flag{
		&ucli.StringFlag{Category: categoryOther, Name: "device", Value: "auto", Usage: "`DEVICE` used for computation (cpu|cuda|cuda:N|libtorch|auto)"},
		boolFlag(categoryOther, "silent", "print results and errors only"),
	}
}

// modeFlags are the flags of the original's command line. Every mode takes all of them.
func modeFlags() []ucli.Flag {
	return slices.Concat(inputFlags("", "process"), readingFlags(), limitFlags(), sequencingFlags(), savedSequencesFlags(),
		builderFlags(), savedBuilderFlags(), eventsOrderFlags(), interpreterFlags(), savedInterpreterFlags(), []ucli.Flag{
			stringFlag(categoryInterpreter, "save-clusters", "csv `FILE` to save clusters: columns clusters and labels, one row per event"),
			stringFlag(categoryInterpreter, "load-clusters", "csv `FILE` to load labels of clusters from: one that --save-clusters wrote, or one with the "+
				"columns cluster and score"),
			stringFlag(categoryInterpreter, "save-prediction", "csv `FILE` to save the prediction: column labels, one row per event"),
		}, otherFlags())
}
