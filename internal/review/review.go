// Package review has what the review page shows and takes. internal/review/board collects it from alerts, internal/review/desk from the
// decisions of people and from models, and internal/review/page shows it.
package review

import (
	"encoding/json"
	"time"

	"connect-deepcase/model/decisions"
)

// Kind is what an item of the queue is.
type Kind string

// The kinds of items.
const (
	ClusterKind Kind = "cluster" // a cluster of the current model
	PatternKind Kind = "pattern" // patterns that look alike, which no model explains
	CaseKind    Kind = "case"    // alerts of one machine that a person opens together
)

// Level is a score and what it means to these people.
type Level struct {
	Score float64
	Name  string
}

// DefaultLevels are the scores that have a button if the configuration does not name others.
var DefaultLevels = []Level{{0, "Benign"}, {1, "Suspicious"}, {2, "Attack"}, {3, "Severe"}}

// Count is how often a name came.
type Count struct {
	Name string
	N    int
}

// Share is how much of the attention an event gets, 0 to 1.
type Share struct {
	Name  string // "" for NO_EVENT
	Share float64
}

// Context is a sequence of events before an event.
type Context struct {
	Count     int
	Events    []string  // oldest first, "" for NO_EVENT
	Attention []float64 // of each of them; nil if it is not known
}

// Near is a cluster of the same event, and how far its attention is: L1, 0 to 2.
type Near struct {
	ID       string // of its question
	Cluster  int
	Score    *float64
	After    []Share
	Distance float64
}

// Item is a question or a case in the queue.
type Item struct {
	ID         string
	Rev        string // what Decide compares, so that nobody decides on what he has not seen
	Kind       Kind
	Event      string // of a case: the event of its first alert
	Cluster    int    // −1 for none
	Why        string // the status that asks the question, or the kind of the case
	Urgent     string // why to look first, in words; "" if it can wait
	After      []Share
	Machines   []Count // at most 20, the busiest first
	Hosts      int     // how many machines
	Bins       []int   // alerts in two hours each, oldest first, up to Status.Now: 8 days
	First      time.Time
	Last       time.Time
	Alerts     int     // live ones
	Size       int     // samples in training, of clusters
	PerDay     float64 // live alerts a day that an answer settles
	Share      float64 // of the busiest item
	Sum        float64 // share of the waiting alerts that is settled up to here, in the order of work
	Near       *Near   // the nearest scored cluster within 0.5
	Score      *float64
	By         string    // who decided last
	At         time.Time // when
	Snoozed    int       // alerts still to come before it is asked again
	Patterns   int       // how many patterns it lists
	Undecided  int       // of these, without an answer in force
	Techniques []string  // of MITRE ATT&CK that its alerts name, the most frequent first, at most 12
}

// Views of the queue.
const (
	Open     = ""
	Clusters = "clusters"
	Unsure   = "unsure"
	Scored   = "scored"
	Snoozed  = "snoozed"
	Cases    = "cases"
	All      = "all"
)

// Query selects items of the queue.
type Query struct {
	Text  string // words, and event: machine: after: status: kind: score: cluster: case: by: technique: with a value that may be in quotes
	View  string
	Sort  string // "" by work, recent, new, machines, event
	Limit int
	From  int // how many to leave out
}

// Queue is what a query finds.
type Queue struct {
	First      []Item // look first; they are not in Items
	Items      []Item
	Matching   int
	Counts     map[string]int // items of each view
	Waiting    float64        // alerts a day that wait
	PerDay     float64        // alerts a day in all
	For80      int            // answers that decide 80 % of what waits
	Curve      []float64      // share decided by the first answers, at most 200 points
	Decided    int            // in the last 24 hours
	ByMe       int
	Spared     float64 // alerts a day that nobody needs to look at
	OverADay   int     // questions that have waited for more than a day
	Rare       int     // patterns that came too seldom to be asked, and their alerts
	RareAlerts int
}

// Document is an alert as it came.
type Document struct {
	At      time.Time
	Machine string
	Event   string
	Body    json.RawMessage // at most 64 KiB
	Cut     bool            // it was longer
}

// Pattern is an event after events on a machine, with what was decided about it.
type Pattern struct {
	Key       decisions.Key
	Event     string
	Machine   string
	Context   []string
	Attention []float64
	Status    string // of its last alert, without an answer
	Alerts    int
	First     time.Time
	Last      time.Time
	Answer    *Answer // nil if there is none
}

// Answer is the answer or mute that stands on a pattern.
type Answer struct {
	Number  uint64
	Kind    decisions.Kind
	Scope   decisions.Scope
	Score   float64
	By      string
	At      time.Time
	Until   time.Time
	Due     time.Time
	InForce bool
}

// Question is an item with all that an analyst needs to decide.
type Question struct {
	Item
	Version        string // the model that it is a question of
	Contexts       []Context
	Confidence     float64   // mean of live alerts, 0 if unknown
	Needed         float64   // the confidence that the model needs
	Listed         []Pattern // of patterns: at most 200, the newest first
	Documents      []Document
	Nearest        []Near // at most 5
	Agree, Of      int    // scored clusters within 0.5 that have the score of the nearest, and how many there are
	Mixed          []Labels
	History        []Entry
	Together       []Item // open items of the same event, at most 4
	Previous, Next string // IDs of the neighbours in the queue
	Rank, Ranks    int
	Suggested      *float64 // the score that Y gives
	Cases          []Item   // cases that it is in, the newest first, at most 5
}

// Labels are how many labelled samples of a cluster have a score.
type Labels struct {
	Score float64
	Count int
}

// CaseView is a case with its alerts.
type CaseView struct {
	Item
	Alerts         []CaseAlert // in time, at most 300: the first 100 and the newest
	Left           int         // alerts between these that are not listed
	Around         []CaseAlert // events of the machine from an hour before to an hour after, at most 300
	Questions      []Item      // the questions that its alerts belong to
	Patterns       []Pattern
	Documents      []Document
	History        []Entry
	Previous, Next string
	Rank, Ranks    int
}

// CaseAlert is a line of a case.
type CaseAlert struct {
	At      time.Time
	Machine string
	Event   string
	Status  string
	Score   *float64
	In      bool   // in the case
	ID      string // of its question, "" if it has none
}

// Decide is what an analyst decides about items: all of them, or none.
type Decide struct {
	By      string // who; the server says it
	Items   []Target
	Action  string // score, withdraw, mute, snooze, close
	Score   float64
	Scope   decisions.Scope // of patterns; "" is pattern_on_machine
	Why     string
	Expires string // a duration or a time, "" for none
	More    int    // snooze: how many alerts
	Confirm bool   // whoever decides has seen what it would settle
}

// Target is an item as the analyst saw it.
type Target struct {
	ID       string   `json:"id"`
	Rev      string   `json:"rev"`
	Patterns []string `json:"patterns,omitempty"` // the keys of those of its patterns that are meant; none for all
}

// Done is what Decide and Undo did.
type Done struct {
	Batch string // what Undo needs
	Seq   uint64 // what Changes needs
	Made  []Made
}

// Made is what was decided about one item.
type Made struct {
	ID     string   `json:"id"`
	Rev    string   `json:"rev"` // its revision now
	Event  string   `json:"event"`
	Action string   `json:"action"`
	Score  *float64 `json:"score"`
	By     string   `json:"by"`
}

// Effect is what a decision would have settled.
type Effect struct {
	Recent   int     `json:"recent"`  // alerts of the last 7 days
	Settled  int     `json:"settled"` // of these
	PerDay   float64 `json:"per_day"`
	Machines int     `json:"machines"`
	Attacks  int     `json:"attacks"` // of the settled, alerts in cases with a score above 0
	Sentence string  `json:"sentence"`
}

// Entry is a decision of the journal.
type Entry struct {
	decisions.Decision
	State  string // of answers and mutes: in_force, due, ended, replaced, undone; of clusters: published, to_publish, replaced; snoozes and closes have none
	Item   string // the question it is about, "" if there is none now
	Batch  string // what Undo needs, "" if it cannot be undone
	Action string // score, withdraw, mute, undo, snooze, close
}

// DecisionQuery selects decisions.
type DecisionQuery struct {
	Text   string // words of event, machine, person, reason, and by: event: machine: kind: state: score:
	Before uint64 // only those with a smaller number; 0 for all
	Limit  int
}

// Status is what each page shows at its top.
type Status struct {
	Now         time.Time // of the alerts: for finished files that of the last one
	Version     string    // "" if there is no model
	Unpublished int       // scores of clusters that are not in a version yet
	Open        int
	Seq         uint64
	Problems    []string // sentences: the directory is read-only, a version is damaged, no live data …
	ReadOnly    bool
}

// Changes are what others decided, for a page that is open.
type Changes struct {
	Seq    uint64
	Made   []Made
	Status Status
}
