package attack

import (
	"maps"
	"slices"
	"strings"
)

// sources are the paths where sources name techniques. A part of a path leads into an object, or into each object of a list. Several parts may
// be one key with dots, as in kibana.alert.rule.threat.
var sources = map[string]func(text string, ids *[]string){
	// Wazuh. Its rule.mitre.technique and rule.mitre.tactic are names.
	"rule.mitre.id": readIDs,
	// Findings of Wazuh 5.
	"wazuh.rule.mitre.technique.id": readIDs,
	"wazuh.rule.tags":               readTag,
	// Elastic Common Schema, and the rules of Elastic Security: before 8.0, signal was in the place of kibana.alert.
	"threat.technique.id":                                           readIDs,
	"threat.technique.subtechnique.id":                              readIDs,
	"kibana.alert.rule.threat.technique.id":                         readIDs,
	"kibana.alert.rule.threat.technique.subtechnique.id":            readIDs,
	"kibana.alert.rule.parameters.threat.technique.id":              readIDs,
	"kibana.alert.rule.parameters.threat.technique.subtechnique.id": readIDs,
	"signal.rule.threat.technique.id":                               readIDs,
	"signal.rule.threat.technique.subtechnique.id":                  readIDs,
	// Tags of Sigma, which Chainsaw, Zircolite and others pass on, and those of Falco. Hayabusa has MitreTags.
	"tags":      readTag,
	"rule.tags": readTag,
	"MitreTags": readIDs,
	// OCSF, and its findings from 1.1 on.
	"attacks.technique.uid":                  readIDs,
	"attacks.sub_technique.uid":              readIDs,
	"finding_info.attacks.technique.uid":     readIDs,
	"finding_info.attacks.sub_technique.uid": readIDs,
	// Suricata, as it writes it and as Filebeat passes it on.
	"alert.metadata.mitre_technique_id":              readIDs,
	"suricata.eve.alert.metadata.mitre_technique_id": readIDs,
}

// root leads to all sources.
var root = newNode(sources)

// node is a place in documents: what can be read there, and the keys that lead on.
type node struct {
	text func(text string, ids *[]string) // nil if no path ends here
	keys []key                            // sorted, so that above Most the same techniques are left out each time
}

type key struct {
	name   string
	dotted bool // it is several parts of a path
	to     *node
}

func newNode(paths map[string]func(string, *[]string)) *node {
	n := &node{}
	next := map[string]map[string]func(string, *[]string){} // by the key that leads there
	for path, read := range paths {
		if path == "" {
			n.text = read
			continue
		}
		for end := range len(path) + 1 {
			if end < len(path) && path[end] != '.' || end == 0 {
				continue
			}
			name := path[:end]
			if next[name] == nil {
				next[name] = map[string]func(string, *[]string){}
			}
			next[name][strings.TrimPrefix(path[end:], ".")] = read
		}
	}
	for _, name := range slices.Sorted(maps.Keys(next)) {
		n.keys = append(n.keys, key{name, strings.Contains(name, "."), newNode(next[name])})
	}
	return n
}

// read reads a value that is at the node, or a list of these.
func (n *node) read(value any, ids *[]string) {
	if list, ok := value.([]any); ok {
		for _, element := range list {
			n.readOne(element, ids)
		}
		return
	}
	n.readOne(value, ids)
}

func (n *node) readOne(value any, ids *[]string) {
	switch value := value.(type) {
	case string:
		if n.text != nil {
			n.text(value, ids)
		}
	case map[string]any:
		dotted := anyDotted(value)
		for _, k := range n.keys {
			if k.dotted && !dotted {
				continue
			}
			if inside, there := value[k.name]; there {
				k.to.read(inside, ids)
			}
		}
	}
}

// anyDotted tells whether an object has keys with dots. Few have, and most paths need not be looked for in the others.
func anyDotted(object map[string]any) bool {
	for name := range object {
		if strings.IndexByte(name, '.') >= 0 {
			return true
		}
	}
	return false
}
