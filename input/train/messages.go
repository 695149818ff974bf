package train

import (
	"encoding/json"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/clusterjson"
	"connect-deepcase/model"
	"connect-deepcase/model/store"
)

// outgoing is a batch to send, and the function that acknowledges it.
type outgoing struct {
	batch service.MessageBatch
	ack   service.AckFunc
}

// report is the message that says how a training went.
type report struct {
	Status    string        `json:"status"`          // published or failed
	Error     string        `json:"error,omitempty"` // why it failed
	Model     string        `json:"model,omitempty"` // the version
	Events    int           `json:"events"`          // learnt from, or in the spool where it failed
	Names     int           `json:"names,omitempty"`
	RareNames int           `json:"rare_names,omitempty"` // left out
	Repeated  int           `json:"repeated,omitempty"`   // events that were there before
	Damaged   int           `json:"damaged,omitempty"`    // events that could not be read
	Refused   int           `json:"refused_labels,omitempty"`
	Clusters  int           `json:"clusters,omitempty"`
	Clustered float64       `json:"clustered,omitempty"` // share of the events that are in a cluster
	Scores    *scoresReport `json:"scores,omitempty"`    // where there was a model before
}

// scoresReport says what became of the scores of the previous model.
type scoresReport struct {
	Before    string        `json:"before,omitempty"`   // its version
	Inherited int           `json:"inherited"`          // clusters that took over a score
	Answered  int           `json:"answered,omitempty"` // clusters that have a score by answers
	New       int           `json:"new"`                // clusters without a score
	Lost      []lostCluster `json:"lost"`               // scored clusters of which no cluster has a context now
	NotKept   string        `json:"not_kept,omitempty"` // why none could be inherited
}

type lostCluster struct {
	Cluster int     `json:"cluster"`
	Event   string  `json:"event"`
	Size    int     `json:"size"`
	Score   float64 `json:"score"`
}

func newScoresReport(done *store.Published) *scoresReport {
	if done.From == "" && done.NotKept == nil && done.Answered == 0 {
		return nil
	}
	s := &scoresReport{Before: done.From, Inherited: done.Inherited, Answered: done.Answered, New: done.New, Lost: []lostCluster{}}
	for _, c := range done.Lost {
		s.Lost = append(s.Lost, lostCluster{c.ID, c.Event, c.Size, c.Score})
	}
	if done.NotKept != nil {
		s.NotKept = done.NotKept.Error()
	}
	return s
}

func (r report) message() *service.Message {
	line, err := json.Marshal(r)
	m := service.NewMessage(line)
	m.SetError(err)
	return m
}

// clustered is the share of rows that have a cluster.
func clustered(rows *model.Assignment) float64 {
	return float64(rows.Clustered()) / float64(max(1, len(rows.Clusters)))
}

// clusterMessages describes clusters to an analyst.
func clusterMessages(m *model.Model, version string) (batch service.MessageBatch) {
	for _, c := range m.Clusters {
		batch = append(batch, clusterMessage(c, version))
	}
	return batch
}

// clusterMessage describes one cluster.
func clusterMessage(c model.Cluster, version string) *service.Message {
	line, err := clusterjson.New(c, version, len(c.Contexts)).JSON()
	m := service.NewMessage(line)
	m.SetError(err)
	return m
}
