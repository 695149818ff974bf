// Command connect-deepcase is a Redpanda Connect distribution with DeepCASE inside.
package main

import (
	"cmp"
	"context"
	"runtime/debug"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/cli"
)

// version and date can be set by a build without git: -ldflags "-X main.version=… -X main.date=…".
var version, date string

func main() {
	version, date := build()
	service.RunCLI(context.Background(),
		service.CLIOptSetBinaryName("connect-deepcase"),
		service.CLIOptSetProductName("Redpanda Connect with DeepCASE"),
		service.CLIOptSetDocumentationURL("https://docs.redpanda.com/redpanda-connect"),
		service.CLIOptSetVersion(version, date),
		service.CLIOptSetMainSchemaFrom(func() *service.ConfigSchema { return schema(version, date) }),
		service.CLIOptAddCommand(cli.Command()),
	)
}

// schema is that of Connect, with one other default: metrics and health are served to this machine only. Connect itself listens on all
// interfaces.
func schema(version, date string) *service.ConfigSchema {
	s := service.GlobalEnvironment().FullConfigSchema(version, date)
	s.SetFieldDefault("127.0.0.1:4195", "http", "address")
	return s
}

// build returns version and date: what the linker was told, or else the version of the module, or the hash and time of the commit.
func build() (string, string) {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	module := info.Main.Version
	if module == "(devel)" {
		module = ""
	}
	vcs := map[string]string{}
	for _, s := range info.Settings {
		vcs[s.Key] = s.Value
	}
	return cmp.Or(version, module, vcs["vcs.revision"], "unknown"), cmp.Or(date, vcs["vcs.time"], "unknown")
}
