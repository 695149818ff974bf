package cli

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	ucli "github.com/urfave/cli/v2"
)

// The help page of the original's command line, deepcase 1.0.1: each flag with its default.
var originalFlags = map[string]string{
	"csv": "", "txt": "", "events": `"auto"`,
	"length": "10", "timeout": "86400", "save-sequences": "", "load-sequences": "",
	"hidden": "128", "delta": "0.1", "save-builder": "", "load-builder": "",
	"confidence": "0.2", "epsilon": "0.1", "min_samples": "5", "save-interpreter": "", "load-interpreter": "",
	"save-clusters": "", "load-clusters": "", "save-prediction": "",
	"epochs": "10", "batch": "128", "device": `"auto"`, "silent": "",
}

func TestModesHaveTheOriginalsFlags(t *testing.T) {
	for _, mode := range []string{"sequence", "train", "cluster", "manual", "automatic"} {
		command := Command().Command(mode)
		require.NotNil(t, command, mode)
		got := map[string]string{}
		for _, f := range command.Flags {
			documented, ok := f.(ucli.DocGenerationFlag)
			require.True(t, ok)
			got[f.Names()[0]] = documented.GetDefaultText()
			require.NotEmpty(t, documented.GetUsage(), f.Names())
		}
		for name, want := range originalFlags {
			text, there := got[name]
			assert.True(t, there, "%s has no --%s", mode, name)
			if name != "silent" { // whose default is not shown
				assert.Equal(t, want, text, "%s --%s", mode, name)
			}
		}
	}
}
