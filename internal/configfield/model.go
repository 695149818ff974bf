package configfield

import (
	"fmt"

	"github.com/redpanda-data/benthos/v4/public/service"
)

const (
	fieldModel  = "model"
	fieldDevice = "device"
)

// ModelField names the model directory; ParseModel reads it.
func ModelField() *service.ConfigField {
	return service.NewStringField(fieldModel).
		Description("The model directory.").
		Example("/var/lib/deepcase").
		LintRule(`root = if this == "" { "model needs a directory" }`)
}

// ParseModel is the directory that ModelField names.
func ParseModel(conf *service.ParsedConfig) (string, error) {
	dir, err := conf.FieldString(fieldModel)
	if err == nil && dir == "" {
		err = fmt.Errorf("field '%s' is empty: need a directory", fieldModel)
	}
	return dir, err
}

var retain = IntAtLeast("retain", 0)

// RetainField bounds the versions that a publisher keeps; ParseRetain reads it.
func RetainField() *service.ConfigField {
	return retain.Field().
		Description("How many of the newest versions of the model to keep. New scores make a version, too, so the last version of each of the last `retain` trainings is also kept. Other versions are removed when a new one is published. 0 keeps all.").
		Default(0)
}

// ParseRetain is how many versions RetainField keeps, 0 for all.
func ParseRetain(conf *service.ParsedConfig) (int, error) { return retain.Parse(conf) }

// DeviceField says what computes; ParseDevice reads it. A component that asks for few samples at a time is faster with cpu.
func DeviceField(defaultDevice string) *service.ConfigField {
	return service.NewStringField(fieldDevice).
		Description("What computes:\n\n- `cpu`: the processor\n- `cuda`: a GPU through libtorch; `cuda:1` is the second GPU. If the build or the machine cannot use it, that is an error at the start\n" +
			"- `auto`: `cuda` if the build and the machine can use it, else `cpu`\n- `libtorch`: the processor through libtorch").
		Default(defaultDevice).Example("cuda").Example("cuda:1").Advanced().
		LintRule(`root = if !this.re_match("^(auto|cpu|cuda(:[0-9]+)?|libtorch)$") { "value " + this + " is not a valid option for this field" }`)
}

// ParseDevice is the name of the device, for engine.Open, which refuses what is none.
func ParseDevice(conf *service.ParsedConfig) (string, error) { return conf.FieldString(fieldDevice) }
