package store

import "connect-deepcase/model/decisions"

// Decisions is the decision journal of the directory. Writers of decisions and of versions exclude each other.
func (s *Store) Decisions(hold decisions.Hold) *decisions.Journal {
	return decisions.New(s.dir, s.locked, hold)
}
