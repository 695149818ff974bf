package main

// Every build has DeepCASE and the core components of Benthos.
import (
	_ "connect-deepcase/cache"
	_ "connect-deepcase/input/files"
	_ "connect-deepcase/input/search"
	_ "connect-deepcase/input/syslog"
	_ "connect-deepcase/input/train"
	_ "connect-deepcase/output/review"
	_ "connect-deepcase/processor"

	_ "github.com/redpanda-data/benthos/v4/public/components/io"
	_ "github.com/redpanda-data/benthos/v4/public/components/pure"
)
