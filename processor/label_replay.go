package processor

import (
	"fmt"
	"time"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/disk"
	"connect-deepcase/internal/replay"
	"connect-deepcase/model/decisions"
)

// recentDocuments are those of recent_file, as it was when it was read.
type recentDocuments struct {
	alerts  *replay.Alerts
	changed time.Time
	size    int64
}

// replay replays answers and mutes on recent documents, and refuses those that need to be confirmed and are not.
func (l *label) replay(batch service.MessageBatch, requests, answers []*request) {
	recent, err := l.recentAlerts(len(answers) > 0)
	for i, r := range requests {
		if !r.recent || r.err != nil {
			continue
		}
		document, readErr := batch[i].AsBytes()
		if readErr == nil {
			readErr = recent.Add(l.target, document)
		}
		if readErr != nil {
			r.err = fmt.Errorf("%s: %w", fieldRecent, readErr)
		}
	}
	for _, r := range answers {
		if r.err == nil {
			r.err = err
		}
		if r.err == nil {
			r.err = r.answering.replay(recent)
		}
	}
}

// replay refuses a decision that is wide, or would have settled attacks, and is not confirmed.
func (a *answering) replay(recent *replay.Alerts) error {
	told := "there are no recent documents to replay it on"
	if recent.Len() > 0 {
		figures, err := recent.Replay(a.Decision)
		if err != nil {
			return err
		}
		a.figures, told = &figures, figures.String()
	}
	switch {
	case a.confirm:
	case a.Scope != decisions.PatternOnMachine:
		return fmt.Errorf("%s: %s is wider than %s: need `%s: true` (%s)", fieldScope, a.Scope, decisions.PatternOnMachine, fieldConfirm, told)
	case a.Kind == decisions.Answer && a.Score == 0 && a.figures != nil && a.figures.Attacks > 0:
		return fmt.Errorf("%s: 0 would have settled attacks: need `%s: true` (%s)", fieldScore, fieldConfirm, told)
	}
	return nil
}

// recentAlerts are those of recent_file if they are needed. They may be added to.
func (l *label) recentAlerts(needed bool) (*replay.Alerts, error) {
	if l.recentFile == "" || !needed {
		return &replay.Alerts{}, nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	f, info, err := disk.Open(l.recentFile)
	if err != nil {
		return &replay.Alerts{}, fmt.Errorf("%s: %w", fieldRecentFile, err)
	}
	defer f.Close()
	if r := &l.recent; r.alerts == nil || !info.ModTime().Equal(r.changed) || info.Size() != r.size {
		alerts := &replay.Alerts{}
		refused, why, err := alerts.Read(l.target, f)
		if err != nil {
			return &replay.Alerts{}, fmt.Errorf("%s: %s: %w", fieldRecentFile, l.recentFile, err)
		}
		if refused > 0 {
			l.log.Warnf("%d documents of %s are left out, they have no verdict. The first: %v", refused, l.recentFile, why)
		}
		*r = recentDocuments{alerts, info.ModTime(), info.Size()}
	}
	return l.recent.alerts.Clone(), nil
}
