package cli

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"connect-deepcase/internal/field"
	"connect-deepcase/internal/textfile"
	"connect-deepcase/model"
	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

// params are the settings of a model that the flags of the command give.
func (s *session) params() (model.Params, error) {
	p := model.DefaultParams()
	p.Length, p.Timeout = s.flags.Int("length"), s.timeout()
	p.Hidden, p.LSTM = s.flags.Int("hidden"), s.flags.Bool("lstm")
	p.Layers, p.Bidirectional = s.flags.Int("layers"), s.flags.Bool("bidirectional")
	t := &p.Training
	t.Epochs, t.BatchSize, t.Delta = s.flags.Int("epochs"), s.flags.Int("batch"), s.flags.Float64("delta")
	t.Optimizer, t.LearningRate = contextbuilder.Optimizer(s.flags.String("optimizer")), s.flags.Float64("learning-rate")
	t.Seed = s.flags.Uint64("seed")
	if t.Optimizer == contextbuilder.VarAdam {
		if err := s.refuse("varadam has its own", "learning-rate"); err != nil {
			return p, err
		}
	}
	s.interpretation(&p, func(string) bool { return true })
	if err := p.Validate(); err != nil {
		return p, usagef("%s", byFlag(err))
	}
	return p, nil
}

// interpretation sets in p the Interpreter's flags for which take is true.
func (s *session) interpretation(p *model.Params, take func(flag string) bool) {
	if take("confidence") {
		p.Interpreter.Threshold = s.flags.Float64("confidence")
	}
	if take("epsilon") {
		p.Interpreter.Eps = s.flags.Float64("epsilon")
	}
	if take("guard") {
		p.Interpreter.Guard = s.flags.Float64("guard")
	}
	if take("min_samples") {
		p.Interpreter.MinSamples = s.flags.Int("min_samples")
	}
	if take("iterations") {
		p.Query.Iterations = s.flags.Int("iterations")
	}
	if take("query-batch") {
		p.Query.BatchSize = s.flags.Int("query-batch")
	}
}

func (s *session) timeout() time.Duration {
	return time.Duration(*s.flags.Generic("timeout").(*seconds))
}

func (s *session) strategy() (interpreter.Strategy, error) {
	x := interpreter.Strategy(s.flags.String("strategy"))
	if x.Validate() != nil {
		return "", usagef("--strategy: %q is not one of max, min, avg, nearest", x)
	}
	return x, nil
}

// eventLimit is the value of --events; 0 for auto.
func (s *session) eventLimit() (int, error) {
	text := s.flags.String("events")
	if text == "auto" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 3 {
		return 0, usagef("--events: %q is neither auto nor a whole number of at least 3", text)
	}
	return n, nil
}

// useless notes flags that change nothing, because they are settings of a step that this command does not do. This is no error: scripts
// give all commands the same settings.
func (s *session) useless(why string, flags ...string) {
	for _, flag := range flags {
		if s.flags.IsSet(flag) {
			s.note("--%s has no effect: %s", flag, why)
		}
	}
}

// refuse is an error if one of the flags was given. It would change nothing, so that the user must have meant something else.
func (s *session) refuse(why string, flags ...string) error {
	var given []string
	for _, flag := range flags {
		if s.flags.IsSet(flag) {
			given = append(given, "--"+flag)
		}
	}
	switch len(given) {
	case 0:
		return nil
	case 1:
		return usagef("%s has no effect: %s", given[0], why)
	}
	return usagef("%s have no effect: %s", strings.Join(given, ", "), why)
}

// settled refuses flags that differ from the settings with which the loaded model was made.
func (s *session) settled(what string, of model.Params, flags []string) error {
	p, err := s.params()
	if err != nil {
		return err
	}
	given, is := settings(p), settings(of)
	for _, flag := range flags {
		if _, kept := is[flag]; !kept { // a bound of training, not a setting of a model
			s.useless("the "+what+" is loaded", flag)
		}
		if s.flags.IsSet(flag) && given[flag] != is[flag] {
			return usagef("--%s %v has no effect: the %s was made with %v", flag, given[flag], what, is[flag])
		}
	}
	return nil
}

// settings are the settings of a model by flag.
func settings(p model.Params) map[string]any {
	t := p.Training
	return map[string]any{"hidden": p.Hidden, "lstm": p.LSTM, "layers": p.Layers, "bidirectional": p.Bidirectional,
		"delta": t.Delta, "epochs": t.Epochs, "batch": t.BatchSize, "optimizer": t.Optimizer, "learning-rate": t.LearningRate, "seed": t.Seed, "confidence": p.Interpreter.Threshold,
		"epsilon": p.Interpreter.Eps, "guard": p.Interpreter.Guard, "min_samples": p.Interpreter.MinSamples, "iterations": p.Query.Iterations, "query-batch": p.Query.BatchSize}
}

// Flags that change nothing if the builder or the interpreter is loaded: their values were fixed when it was made.
var (
	shapeSettings       = []string{"hidden", "lstm", "layers", "bidirectional"}
	interpreterSettings = []string{"confidence", "epsilon", "guard", "min_samples", "iterations", "query-batch"}
	originalSettings    = []string{"events-order", "events-mapping"}
	builderSettings     = append([]string{"delta", "epochs", "batch", "optimizer", "learning-rate", "seed", "max-names", "max-memory"}, shapeSettings...)
)

// flagOf has the flags of settings that have another name in errors.
var flagOf = map[string]string{"batch size": "batch", "learning rate": "learning-rate", "query batch size": "query-batch", "eps": "epsilon",
	"min samples": "min_samples", "threshold": "confidence"}

// byFlag is the text of an error about settings with the names of their flags: "--batch: 0 is not at least 1".
func byFlag(err error) string {
	lines := strings.Split(err.Error(), "\n")
	for i, line := range lines {
		if setting, wrong, ok := strings.Cut(line, ": "); ok {
			lines[i] = "--" + cmp.Or(flagOf[setting], setting) + ": " + wrong
		}
	}
	return strings.Join(lines, "; ")
}

// nameFlag adds to an error about a value the flag that says how to read it.
func nameFlag(err error) error {
	switch {
	case errors.Is(err, field.ErrBenign):
		return fmt.Errorf("%w (--benign)", err)
	case errors.Is(err, field.ErrTime):
		return fmt.Errorf("%w (--time-format)", err)
	case errors.As(err, new(*textfile.EncodingError)):
		return fmt.Errorf("%w (--encoding)", err)
	}
	return err
}

// readingSettings are the flags that say how events are read.
var readingSettings = []string{"columns", "benign", "encoding", "max-record", "time-format", "placeholders", "normalize-machine", "shared-machines"}
