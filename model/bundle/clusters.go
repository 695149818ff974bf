package bundle

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"connect-deepcase/model"
)

// encodeClusters writes a JSON array, one cluster per line, so that people can read the file.
func encodeClusters(w io.Writer, clusters []model.Cluster) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	between := "["
	for i, c := range clusters {
		if _, err := io.WriteString(w, between); err != nil {
			return err
		}
		if err := e.Encode(c); err != nil { // ends the line
			return fmt.Errorf("cluster %d: %w", i, err)
		}
		between = ","
	}
	if len(clusters) == 0 {
		_, err := io.WriteString(w, "[]\n")
		return err
	}
	_, err := io.WriteString(w, "]\n")
	return err
}

// decodeClusters reads up to most clusters.
func decodeClusters(content []byte, most int) ([]model.Cluster, error) {
	clusters, err := decodeList[model.Cluster](content, most, "clusters")
	if err == nil && clusters == nil {
		return nil, errors.New("is null, need an array of clusters")
	}
	return clusters, err
}

// checkClusters checks what model.Validate does not check, because predictions do not need it.
func checkClusters(m *model.Model) error {
	known := make(map[string]bool, len(m.Names))
	for _, name := range m.Names {
		known[name] = true
	}
	for i, c := range m.Clusters {
		if c.Size < 0 {
			return fmt.Errorf("cluster %d: size %d is below 0", i, c.Size)
		}
		for _, x := range c.Contexts {
			if len(x.Context) != m.Params.Length || len(x.Attention) != m.Params.Length {
				return fmt.Errorf("cluster %d: a context has %d events and %d shares of attention, need %d",
					i, len(x.Context), len(x.Attention), m.Params.Length)
			}
			if x.Count < 1 {
				return fmt.Errorf("cluster %d: a context has count %d, need at least 1", i, x.Count)
			}
			for _, name := range x.Context {
				if name != "" && !known[name] {
					return fmt.Errorf("cluster %d: event %q of a context is not in the vocabulary", i, name)
				}
			}
		}
	}
	return nil
}
