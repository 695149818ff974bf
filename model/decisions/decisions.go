// Package decisions keeps what people decided about events in a journal that all processes of a model directory share: answers to questions,
// mutes of alarms, and the scores of clusters. A journal belongs to the people, not to a model: its answers hold over retraining, rollback
// and another vocabulary (docs/model-format.md).
//
// [Journal.Append] writes decisions, all of those that belong together or none. [Journal.Refresh] takes up what others wrote, [Journal.Read]
// looks up what is in force, [Look.Settle] applies it to a verdict, and [Journal.Each] gives the history. A [Fold] does the same without a file.
//
// Guarantees: a decision that was acknowledged is on the disk, however a process ends. Damage of one line leaves the others in force. The
// order of the journal decides, not the clocks of its writers.
package decisions

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"time"
)

// Scope is what an answer covers, from narrow to wide. The narrowest one that matches an event wins.
type Scope string

// The scopes, from narrow to wide.
const (
	PatternOnMachine Scope = "pattern_on_machine" // an event after these events, in any order, on this machine
	Pattern          Scope = "pattern"            // the same on all machines
	EventOnMachine   Scope = "event_on_machine"   // an event after any events, on this machine
	Event            Scope = "event"              // the same on all machines
)

// Scopes are all scopes, from narrow to wide.
var Scopes = []Scope{PatternOnMachine, Pattern, EventOnMachine, Event}

// ParseScope reads the name of a scope.
func ParseScope(text string) (Scope, error) {
	if s := Scope(text); slices.Contains(Scopes, s) {
		return s, nil
	}
	return "", fmt.Errorf("scope %q: need one of %s, %s, %s, %s", text, PatternOnMachine, Pattern, EventOnMachine, Event)
}

// Subject is what is decided about: an event after other events on a machine.
type Subject struct {
	Event   string
	Context []string // in any order; "" for NO_EVENT
	Machine string
}

// Key stands for the part of a subject that a scope looks at. It depends on the names alone, so it is the same in every process and for
// every model.
type Key [16]byte

// Keys are the keys of a subject by scope, in the order of Scopes.
//
// A key is the first half of a SHA-256: nobody finds two subjects with one key, so that a benign answer to one would cover the other. What is
// hashed is the name of the scope and then the parts, each after its length (docs/model-format.md).
func (s Subject) Keys() [4]Key {
	var names [16]string // on the stack, like the buffer: a pipeline asks for the keys of each event
	var buffer [1024]byte
	sorted := append(names[:0], s.Context...)
	slices.Sort(sorted)
	text := appendText(buffer[:0], string(Pattern))
	for _, name := range sorted {
		text = appendText(text, name)
	}
	pattern := hash(appendText(text, s.Event))
	return s.KeysLike([4]Key{1: pattern, 3: hash(appendText(appendText(text[:0], string(Event)), s.Event))})
}

// KeysLike gives s.Keys() from the keys of a subject with the same event and context on another machine, in less time.
func (s Subject) KeysLike(other [4]Key) [4]Key {
	var buffer [512]byte
	pattern := other[1]
	onMachine := append(append(appendText(buffer[:0], string(PatternOnMachine)), byte(len(pattern))), pattern[:]...)
	other[0] = hash(appendText(onMachine, s.Machine))
	other[2] = hash(appendText(appendText(appendText(buffer[:0], string(EventOnMachine)), s.Event), s.Machine))
	return other
}

// Key is the key of a subject in a scope. A scope that is none has the zero key, which Validate refuses.
func (s Subject) Key(scope Scope) Key {
	if i := slices.Index(Scopes, scope); i >= 0 {
		return s.Keys()[i]
	}
	return Key{}
}

// appendText appends a text after its length, so that two lists of texts never look the same.
func appendText(to []byte, text string) []byte {
	return append(binary.AppendUvarint(to, uint64(len(text))), text...)
}

func hash(text []byte) Key {
	sum := sha256.Sum256(text)
	return Key(sum[:len(Key{})])
}

func (k Key) String() string { return hex.EncodeToString(k[:]) }

// MarshalText gives the text of String, such as for JSON.
func (k Key) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, k[:]), nil }

// UnmarshalText reads what MarshalText gives.
func (k *Key) UnmarshalText(text []byte) (err error) {
	*k, err = ParseKey(string(text))
	return err
}

// ParseKey reads what String gives.
func ParseKey(text string) (k Key, err error) {
	if !readHex(k[:], []byte(text)) {
		return Key{}, fmt.Errorf("pattern %q: need %d hexadecimal digits", text, 2*len(k))
	}
	return k, nil
}

// readHex fills to with what hexadecimal digits stand for, if they are as many as it needs.
func readHex(to, text []byte) bool {
	if len(text) != hex.EncodedLen(len(to)) {
		return false
	}
	_, err := hex.Decode(to, text)
	return err == nil
}

// Kind is what was decided.
type Kind string

// The kinds of decisions.
const (
	Answer  Kind = "answer"  // the score of events that the model is not sure of
	Mute    Kind = "mute"    // events of clusters with a score above 0 are let pass, until Until
	Cluster Kind = "cluster" // the score of a cluster of a version
	Undo    Kind = "undo"    // takes an earlier decision back
)

// Decision is an entry of a journal.
type Decision struct {
	Number uint64    // its place in the order of decisions, from 1; Append gives it
	At     time.Time // by the clock of the writer, to the microsecond; Append gives it. The order of decisions is that of the journal
	Kind   Kind
	By     string // who decided
	Reason string

	// Of answers and mutes.
	Scope   Scope
	Key     Key
	Subject Subject   // what the scope looks at, for people
	Score   float64   // of answers and clusters; interpreter.NoScore withdraws
	Until   time.Time // zero if it has no end

	// Of clusters.
	Cluster int
	Version string   // the version whose cluster was scored; the one that has the score comes after it
	Old     *float64 // the score before; nil if there was none

	// Of undos.
	Undoes uint64
}
