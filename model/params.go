package model

import (
	"errors"
	"fmt"
	"time"

	"connect-deepcase/model/contextbuilder"
	"connect-deepcase/model/interpreter"
)

// Params are all settings that a model was learnt with.
type Params struct {
	Length      int
	Timeout     time.Duration
	Hidden      int
	LSTM        bool
	Training    contextbuilder.Training // its Progress is not kept in a Model
	Query       contextbuilder.Query
	Interpreter interpreter.Options
}

// DefaultParams are the settings of the original.
func DefaultParams() Params {
	return Params{Length: 10, Timeout: 24 * time.Hour, Hidden: 128, Training: contextbuilder.DefaultTraining(),
		Query: contextbuilder.DefaultQuery(), Interpreter: interpreter.DefaultOptions()}
}

// Validate returns an error that names every wrong setting.
func (p Params) Validate() error {
	var errs []error
	if p.Length < 1 {
		errs = append(errs, fmt.Errorf("length: %d is not at least 1", p.Length))
	}
	if p.Timeout < 0 {
		errs = append(errs, fmt.Errorf("timeout: %v is below 0", p.Timeout))
	}
	if p.Hidden < 1 {
		errs = append(errs, fmt.Errorf("hidden: %d is not at least 1", p.Hidden))
	}
	return errors.Join(append(errs, p.Training.Validate(), p.Query.Validate(), p.Interpreter.Validate())...)
}
