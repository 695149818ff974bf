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
	Length        int
	Timeout       time.Duration
	Hidden        int
	LSTM          bool
	Layers        int
	Bidirectional bool
	Training      contextbuilder.Training // its Progress is not kept in a Model
	Query         contextbuilder.Query
	Interpreter   interpreter.Options
}

// Network is the shape of a network of p for so many events, NO_EVENT included.
func (p Params) Network(events int) contextbuilder.Config {
	return contextbuilder.Config{Events: events, Length: p.Length, Hidden: p.Hidden, LSTM: p.LSTM, Layers: p.Layers, Bidirectional: p.Bidirectional}
}

// DefaultParams are the settings of the original.
func DefaultParams() Params {
	return Params{Length: 10, Timeout: 24 * time.Hour, Hidden: 128, Layers: 1, Training: contextbuilder.DefaultTraining(),
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
	if p.Layers < 1 || p.Layers > contextbuilder.MaxLayers {
		errs = append(errs, fmt.Errorf("layers: %d is not in 1 to %d", p.Layers, contextbuilder.MaxLayers))
	}
	return errors.Join(append(errs, p.Training.Validate(), p.Query.Validate(), p.Interpreter.Validate())...)
}
