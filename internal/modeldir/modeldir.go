// Package modeldir holds the config fields that the plugins name a model directory with.
package modeldir

import (
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/model/store"
)

const (
	fieldModel  = "model"
	fieldRetain = "retain"
)

// Field names the directory; Path reads it.
func Field() *service.ConfigField {
	return service.NewStringField(fieldModel).
		Description("The model directory.").
		Example("/var/lib/deepcase").
		LintRule(`root = if this == "" { "model needs a directory" }`)
}

// Path is the directory that Field names.
func Path(conf *service.ParsedConfig) (string, error) {
	dir, err := conf.FieldString(fieldModel)
	if err == nil && dir == "" {
		err = fmt.Errorf("field '%s' is empty: need a directory", fieldModel)
	}
	return dir, err
}

// RetainField bounds the versions that a publisher keeps; Options reads it.
func RetainField() *service.ConfigField {
	return service.NewIntField(fieldRetain).
		Description("The newest versions of the model to keep, and with them the newest one of each of as many trainings, since scores are a version, too; the others go when a new one is published. 0 keeps all.").
		LintRule(`root = if this < 0 { "retain needs to be at least 0" }`).
		Default(0)
}

// Options are those of the store that RetainField asks for.
func Options(conf *service.ParsedConfig) ([]store.Option, error) {
	retain, err := conf.FieldInt(fieldRetain)
	if err != nil {
		return nil, err
	}
	switch {
	case retain < 0:
		return nil, fmt.Errorf("field '%s': %d, need at least 0", fieldRetain, retain)
	case retain == 0:
		return nil, nil
	}
	return []store.Option{store.Retain(retain)}, nil
}
