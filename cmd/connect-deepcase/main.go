// Command connect-deepcase is a Redpanda Connect distribution with DeepCASE inside.
package main

import (
	"context"
	"runtime/debug"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/cli"
)

func main() {
	version, date := build()
	service.RunCLI(context.Background(),
		service.CLIOptSetBinaryName("connect-deepcase"),
		service.CLIOptSetProductName("Redpanda Connect with DeepCASE"),
		service.CLIOptSetDocumentationURL("https://docs.redpanda.com/redpanda-connect"),
		service.CLIOptSetVersion(version, date),
		service.CLIOptAddCommand(cli.Command()),
	)
}

// build says what was built when: the module's version, or the commit's hash and time.
func build() (version, date string) {
	version, date = "unknown", "unknown"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return version, date
	}
	if v := info.Main.Version; v != "" && v != "(devel)" {
		version = v
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && version == "unknown":
			version = s.Value
		case s.Key == "vcs.time":
			date = s.Value
		}
	}
	return version, date
}
