package cli

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"

	"connect-deepcase/model/contextbuilder"
)

// progress shows on a terminal how far a long task is and when it will be done.
type progress struct{ w io.Writer } // nil if there is no terminal

// start begins a task.
func (p progress) start(what string) *bar { return &bar{w: p.w, what: what} }

// bar is the bar of one task. It appears with the first step.
type bar struct {
	w    io.Writer
	what string
	bar  *progressbar.ProgressBar
}

// to shows that done of total steps are done. A total of 0 is unknown: nothing is shown.
func (b *bar) to(done, total int64) {
	if b.w == nil || total <= 0 {
		return
	}
	if b.bar == nil {
		b.bar = progressbar.NewOptions64(total, progressbar.OptionSetWriter(b.w), progressbar.OptionSetDescription(b.what),
			progressbar.OptionSetWidth(30), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetPredictTime(true),
			progressbar.OptionClearOnFinish())
	}
	_ = b.bar.Set64(min(done, total)) // a terminal that went away is no reason to stop
}

// rows is to, for callbacks that count rows.
func (b *bar) rows(done, total int) { b.to(int64(done), int64(total)) }

// training also shows epoch and loss.
func (b *bar) training(p contextbuilder.Progress) {
	b.what = fmt.Sprintf("training, epoch %d of %d, loss %.4f", p.Epoch, p.Epochs, p.Loss)
	if b.bar != nil {
		b.bar.Describe(b.what)
	}
	b.to(int64(p.Epoch-1)*int64(p.Batches)+int64(p.Batch), int64(p.Epochs)*int64(p.Batches))
}

// end removes the bar from the screen.
func (b *bar) end() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}
