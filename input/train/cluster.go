package train

import (
	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/clusterjson"
	"connect-deepcase/model"
)

// clusterMessage tells an analyst what a cluster is.
func clusterMessage(c model.Cluster, version string) *service.Message {
	line, err := clusterjson.New(c, version, len(c.Contexts)).JSON()
	m := service.NewMessage(line)
	m.SetError(err)
	return m
}
