//go:build !slim

package main

// The connectors. `-tags slim` leaves them out for a quick build. To add one, import its package below
// github.com/redpanda-data/connect/v4/public/components. The package community there has all that are under the Apache licence.
import (
	_ "github.com/redpanda-data/benthos/v4/public/components/pure/extended"
	_ "github.com/redpanda-data/connect/v4/public/components/elasticsearch/v8"
	_ "github.com/redpanda-data/connect/v4/public/components/io"     // file outputs that check their paths
	_ "github.com/redpanda-data/connect/v4/public/components/jaeger" // tracing: the component for OTLP is under the enterprise licence
	_ "github.com/redpanda-data/connect/v4/public/components/kafka"
	_ "github.com/redpanda-data/connect/v4/public/components/opensearch"
	_ "github.com/redpanda-data/connect/v4/public/components/prometheus"
	_ "github.com/redpanda-data/connect/v4/public/components/redis"
)
