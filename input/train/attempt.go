package train

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"connect-deepcase/internal/disk"
)

// trainingFile is in the spool while a training runs. If it is there before a training begins, the process was killed during the last one,
// perhaps for lack of memory.
const trainingFile = "training"

// attempt is the content of trainingFile.
type attempt struct {
	Started  time.Time `json:"started"`
	Events   int       `json:"events"`
	Settings string    `json:"settings"` // all that decide how much memory a training takes
}

// begin writes trainingFile. If a training with the same settings was killed, that is an error: it would be killed again and again.
func (l *learner) begin(events int) error {
	path := filepath.Join(l.spoolDir, trainingFile)
	now := attempt{l.now().UTC(), events, fmt.Sprintf("%+v %d %d %+v", l.limits, l.maxNames, l.maxMemory, l.params)}
	var before attempt
	switch file, _, err := disk.Open(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	default:
		err = json.NewDecoder(io.LimitReader(file, 1<<20)).Decode(&before)
		if _ = file.Close(); err != nil || before.Settings == now.Settings {
			return fmt.Errorf("the process was killed in the middle of the last training (of %d events, started at %s), perhaps for lack of memory: "+
				"it is not tried again as it was. Set %s, %s or %s lower (or change another setting), or remove %s to try it again",
				before.Events, before.Started.Format(time.RFC3339), fieldMaxMemory, fieldMaxNames, fieldMaxEvents, path)
		}
	}
	content, err := json.Marshal(now)
	if err != nil {
		return err
	}
	return disk.WriteFile(path, disk.Options{Temporary: path + ".part"}, append(content, '\n'))
}

// finish removes trainingFile.
func (l *learner) finish() error {
	if err := os.Remove(filepath.Join(l.spoolDir, trainingFile)); err != nil {
		return err
	}
	return disk.SyncDir(l.spoolDir)
}
