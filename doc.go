// Package deepcase is the front page of the module; it has no code of its own.
//
// DeepCASE (van Ede et al., IEEE S&P 2022) helps a security operations centre: it looks at each security event together with the events
// before it on the same machine, groups events with similar contexts into clusters, and gives new events the scores that an analyst gave
// to their cluster. The packages are used in this order:
//
//   - [connect-deepcase/sequencer] reads events (csv, txt, JSON, ndjson, or a live stream) and gives each its context.
//   - [connect-deepcase/model/engine] opens what computes: the CPU, or a GPU in builds with the tag gotch.
//   - [connect-deepcase/model] learns which events of a context matter, clusters events, takes scores, and predicts.
//   - [connect-deepcase/model/store] keeps the versions of a model in a directory that several processes share.
//   - [connect-deepcase/model/decisions] keeps what analysts answer beside the versions, and applies it to verdicts.
//
// Below them:
//
//   - [connect-deepcase/model/contextbuilder] is the neural network, and [connect-deepcase/model/interpreter] the clustering.
//   - [connect-deepcase/model/original] reads networks that the Python original saved.
//   - [connect-deepcase/model/bundle] is the format of one version.
//
// The example shows all steps from two csv files to scores. docs/library.md says which class or function of the Python original is
// which here.
//
// The packages in processor, input and cache are the plugins for Redpanda Connect, and cmd/connect-deepcase is the program.
package deepcase
