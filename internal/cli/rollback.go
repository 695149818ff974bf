package cli

import (
	"context"
	"fmt"

	ucli "github.com/urfave/cli/v2"
)

func rollbackCommand() *ucli.Command {
	return command(&ucli.Command{
		Name:  "rollback",
		Usage: "Make an earlier version of a model directory the current one",
		Description: `The version is checked first. Pipelines that use the directory pick it up like a new version. Newer versions stay, so that
"deepcase rollback --to VERSION" can make one of them current again. A network that waits to be clustered stays, too: to drop it, delete
its folder in versions/.`,
		Flags: []ucli.Flag{modelFlag(), &ucli.StringFlag{Name: "to", Usage: "`VERSION` to make current (default: the one before the current one)"}},
	}, func(ctx context.Context, s *session) error {
		st, err := s.store()
		if err != nil {
			return err
		}
		current, err := st.Rollback(ctx, s.flags.String("to"))
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(s.out, current)
		return err
	})
}
