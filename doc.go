// Package deepcase is the front page of the module. DeepCASE (van Ede et al., IEEE S&P 2022) scores security events by the events before
// them on the same machine:
//
//   - [connect-deepcase/sequencer] reads events and gives each its context, the events before it.
//   - [connect-deepcase/model] learns from sequences which events of a context matter, clusters them, and scores new ones.
//   - [connect-deepcase/model/store] keeps the versions of a model in a directory that several processes share.
//   - processor, input and cache are plugins of Redpanda Connect; cmd/connect-deepcase is the program.
package deepcase
