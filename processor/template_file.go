package processor

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/disk"
	"connect-deepcase/sequencer/template"
)

// maxTemplateFile bounds what is read into memory: some 100,000 templates of the longest kind would have more, and no file that was learnt.
const maxTemplateFile = 256 << 20

// Scopes come from outside, and each label is a time series that stays: these many have their own.
const (
	maxScopeLabels = 50
	otherScopes    = "(other)"
)

// templatesInUse are templates that never change.
type templatesInUse struct {
	set      *template.Set
	checksum string            // the beginning of that of the set
	labels   map[string]string // of scopes in metrics
	content  [sha256.Size]byte // hash of the file's bytes
}

func (u *templatesInUse) label(scope string) string {
	if label, ok := u.labels[scope]; ok {
		return label
	}
	return otherScopes
}

// templateFile has the templates of a file, and learns them if there is no file.
type templateFile struct {
	path    string
	learn   int // messages; 0: nothing is learnt
	options template.Options
	log     *service.Logger
	gauge   *service.MetricGauge
	changed *service.MetricGauge

	inUse atomic.Pointer[templatesInUse] // nil: none yet

	mu      sync.Mutex // held while messages are learnt from
	learner *template.Learner
	learnt  int // messages

	// For look, which one goroutine calls.
	failed string            // what was last logged
	stamp  fs.FileInfo       // of the file when it was last read
	warned [sha256.Size]byte // hash of the content that was warned of; zero if the file vanished
	told   bool              // warned is set

	looking looking
}

// openTemplateFile loads the file if there is one, and from then on looks at it every so often.
func openTemplateFile(conf *service.ParsedConfig, mgr *service.Resources) (*templateFile, error) {
	f := &templateFile{
		log:     mgr.Logger(),
		gauge:   mgr.Metrics().NewGauge("deepcase_templates"),
		changed: mgr.Metrics().NewGauge("deepcase_templates_changed"),
	}
	var err error
	if f.path, err = conf.FieldString(fieldTemplates); err != nil {
		return nil, err
	}
	if f.path == "" {
		return nil, fmt.Errorf("field '%s' is empty: need a file", fieldTemplates)
	}
	if f.learn, err = fieldLearn.Parse(conf); err != nil {
		return nil, err
	}
	if f.options.Keep, err = conf.FieldStringList(fieldKeep); err != nil {
		return nil, err
	}
	if f.options.MinMessages, err = fieldMinMessages.Parse(conf); err != nil {
		return nil, err
	}
	if f.options.MaxShapes, err = fieldMaxShapes.Parse(conf); err != nil {
		return nil, err
	}
	if f.options.MaxTemplates, err = fieldMaxTemplates.Parse(conf); err != nil {
		return nil, err
	}
	every, err := fieldReload.Parse(conf)
	if err != nil {
		return nil, err
	}
	if err := f.start(); err != nil {
		return nil, fmt.Errorf("field '%s': %w", fieldTemplates, err)
	}
	f.looking = lookEvery(every, eachTick(f.look))
	return f, nil
}

// start loads the file. If there is none, it can be learnt and written.
func (f *templateFile) start() error {
	f.gauge.Set(0)
	f.changed.Set(0)
	err := f.load()
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if f.learn == 0 {
		f.log.With("templates", f.path).Warnf("No templates there yet, messages get the status %s until there are some: %v", templateNone, err)
		return nil
	}
	probe, err := os.CreateTemp(filepath.Dir(f.path), ".deepcase-")
	if err != nil {
		return fmt.Errorf("templates could not be written there: %w", err)
	}
	if err := errors.Join(probe.Close(), os.Remove(probe.Name())); err != nil {
		return fmt.Errorf("templates could not be written there: %w", err)
	}
	f.learner = template.NewLearner(f.options)
	f.log.With("templates", f.path).Infof("No templates there yet: learning from the first %d messages, which get the status %s", f.learn, templateLearning)
	return nil
}

// load takes the templates of the file into use.
func (f *templateFile) load() error {
	content, info, err := f.read()
	if err != nil {
		return err
	}
	set, err := template.Load(bytes.NewReader(content))
	if err != nil {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	f.stamp = info
	f.inUse.Store(newTemplatesInUse(set, content))
	f.gauge.Set(int64(set.Len()))
	f.log.With("templates", f.path, "number", set.Len(), "checksum", set.Checksum()).Info("Templates loaded")
	return nil
}

func newTemplatesInUse(set *template.Set, content []byte) *templatesInUse {
	u := &templatesInUse{set: set, checksum: set.Checksum()[:annotation.TemplatesLength], labels: map[string]string{}, content: sha256.Sum256(content)}
	messages := map[string]int{}
	for t := range set.All() {
		messages[t.Scope] += t.Messages
	}
	var scopes []string
	for scope := range messages {
		scopes = append(scopes, scope)
	}
	slices.SortFunc(scopes, func(a, b string) int {
		if messages[a] != messages[b] {
			return messages[b] - messages[a]
		}
		if a < b {
			return -1
		}
		return 1
	})
	for _, scope := range scopes[:min(len(scopes), maxScopeLabels)] {
		u.labels[scope] = scope
	}
	return u
}

func (f *templateFile) read() ([]byte, fs.FileInfo, error) {
	file, info, err := disk.Open(f.path)
	if err != nil {
		return nil, nil, err
	}
	defer file.Close()
	content, err := io.ReadAll(io.LimitReader(file, maxTemplateFile+1))
	if err == nil && len(content) > maxTemplateFile {
		err = fmt.Errorf("%s: more than %d bytes: want a file of templates", f.path, maxTemplateFile)
	}
	return content, info, err
}

// ask gives the templates in use, or the status that a message has without any. Then it may learn from the message.
func (f *templateFile) ask(scope, text string) (*templatesInUse, string) {
	if u := f.inUse.Load(); u != nil {
		return u, ""
	}
	if f.learn == 0 {
		return nil, templateNone
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if u := f.inUse.Load(); u != nil { // the last message was learnt from while this one waited
		return u, ""
	}
	if f.learnt < f.learn {
		f.learner.Add(scope, text)
		if f.learnt++; f.learnt == f.learn {
			f.finish()
		}
	}
	return nil, templateLearning
}

// finish writes what was learnt, and takes the file into use: its templates, or those of another process that was faster. If it cannot be
// written, it is tried again with the next look. f.mu must be held.
func (f *templateFile) finish() {
	set := f.learner.Learn()
	log := f.log.With("templates", f.path, "messages", f.learnt)
	if set.Len() == 0 {
		log.Errorf("Messages have no templates, learning begins anew: no kind of message came %d times (%s). Is %s the right field?",
			f.options.MinMessages, fieldMinMessages, fieldText)
		f.learner, f.learnt = template.NewLearner(f.options), 0
		return
	}
	forgotten := f.learner.Forgotten
	err := disk.Write(f.path, disk.Options{Temporary: f.path + ".part-" + rand.Text(), New: true}, set.Save)
	faster := errors.Is(err, fs.ErrExist)
	if err == nil || faster {
		err = f.load()
	}
	if err != nil {
		f.complain("Templates cannot be written, messages go on with the status %s and are not learnt from (this is tried again): %v", templateLearning, err)
		return
	}
	f.learner = nil
	switch {
	case faster:
		log.Info("Another process has written templates: they are used, not those that were learnt here")
	case forgotten > 0:
		log.With("number", set.Len(), "forgotten", forgotten).Warnf("Templates learnt; there was no room for those of %d messages: raise %s or %s, or learn with a better %s",
			forgotten, fieldMaxShapes, fieldMaxTemplates, fieldScope)
	default:
		log.With("number", set.Len()).Info("Templates learnt")
	}
}

// complain logs a failure, once while it stays the same.
func (f *templateFile) complain(format string, arguments ...any) {
	if text := fmt.Sprintf(format, arguments...); text != f.failed {
		f.failed = text
		f.log.With("templates", f.path).Errorf("%s", text)
	}
}

// look loads a file that has appeared. One that has changed since it was loaded is only warned of.
func (f *templateFile) look() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if u := f.inUse.Load(); u != nil {
		f.compare(u)
		return
	}
	err := f.load()
	switch {
	case err == nil:
		f.learner = nil
	case !errors.Is(err, fs.ErrNotExist):
		f.complain("The file cannot be used, messages get no names: %v", err)
	case f.learner != nil && f.learnt >= f.learn:
		f.finish()
	}
}

// compare warns if the file is no longer that of the templates in use.
func (f *templateFile) compare(u *templatesInUse) {
	info, err := os.Stat(f.path)
	if err == nil && f.stamp != nil && os.SameFile(info, f.stamp) && info.Size() == f.stamp.Size() && info.ModTime().Equal(f.stamp.ModTime()) {
		return
	}
	var now [sha256.Size]byte // zero if it cannot be read
	content, info, err := f.read()
	if err == nil {
		now, f.stamp = sha256.Sum256(content), info
	}
	if now == u.content {
		f.changed.Set(0)
		f.told = false
		return
	}
	f.changed.Set(1)
	if f.told && f.warned == now {
		return
	}
	f.warned, f.told = now, true
	log := f.log.With("templates", f.path, "in_use", u.checksum)
	if err != nil {
		log.Warnf("The file of the templates in use cannot be read any more; they stay in use until this process stops: %v", err)
		return
	}
	log.Warn("The file has changed. The templates that were loaded stay in use until this process stops, because names must not change under a model")
}

// close stops looking at the file. What was learnt from too few messages is lost, and says so.
func (f *templateFile) close() {
	f.looking.close()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.learner != nil && f.learnt > 0 {
		f.log.With("templates", f.path).Warnf("Stopped after %d of %d messages to learn from: no templates are written, and the next start begins anew. "+
			"For fewer messages set %s lower, or learn from files: connect-deepcase deepcase templates", f.learnt, f.learn, fieldLearn)
		f.learner, f.learnt = nil, 0
	}
}
