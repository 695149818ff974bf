package template_test

import (
	"fmt"
	"strings"

	"connect-deepcase/sequencer/template"
)

// Templates are learnt from many messages, kept in a file, and give each message its name.
func Example() {
	learner := template.NewLearner(template.Options{Keep: []string{"root"}})
	for _, user := range []string{"alice", "bob", "carol", "dave", "erin", "root"} {
		learner.Add("sshd", "Failed password for "+user+" from 10.0.0.1 port 4711")
		learner.Add("sshd", "Accepted password for "+user+" from 10.0.0.1 port 4711")
	}
	set := learner.Learn()
	for t := range set.All() {
		fmt.Println(t.Messages, t.Text)
	}

	var file strings.Builder
	if err := set.Save(&file); err != nil {
		fmt.Println(err)
		return
	}
	loaded, err := template.Load(strings.NewReader(file.String()))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(loaded.Len(), "templates, the same:", loaded.Checksum() == set.Checksum())
	fmt.Println(loaded.Match("sshd", "Failed password for mallory from 10.9.9.9 port 1"))
	fmt.Println(loaded.Match("sshd", "Connection closed"))
	// Output:
	// 5 sshd: Accepted password for <*> from <*> port <*>
	// 1 sshd: Accepted password for root from <*> port <*>
	// 5 sshd: Failed password for <*> from <*> port <*>
	// 1 sshd: Failed password for root from <*> port <*>
	// 4 templates, the same: true
	// sshd: Failed password for <*> from <*> port <*> true
	//  false
}

// New messages get templates of their own. What was known keeps its name.
func ExampleSet_Extend() {
	learner := template.NewLearner(template.Options{})
	learner.Add("cron", "job 17 started")
	learner = learner.Learn().Extend(template.Options{MinMessages: 2})
	for i := range 2 {
		learner.Add("cron", fmt.Sprintf("job %d started", i))
		learner.Add("cron", fmt.Sprintf("job %d ended", i))
	}
	learner.Add("cron", "job 3 crashed")
	set := learner.Learn()
	for _, message := range []string{"job 4 started", "job 4 ended", "job 4 crashed"} {
		name, ok := set.Match("cron", message)
		fmt.Printf("%q %t\n", strings.ReplaceAll(name, template.Wildcard, "…"), ok)
	}
	fmt.Println(learner.Forgotten, "messages forgotten")
	// Output:
	// "cron: job … started" true
	// "cron: job … ended" true
	// "" false
	// 0 messages forgotten
}
