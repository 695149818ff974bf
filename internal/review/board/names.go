package board

// names has one copy of each name. The same few come in most contexts.
type names map[string]string

const maxNames = 200_000

func (n names) one(name string) string {
	if same, known := n[name]; known {
		return same
	}
	if len(n) >= maxNames {
		clear(n) // what is in use stays where it is
	}
	n[name] = name
	return name
}

func (n names) all(list []string) {
	for i, name := range list {
		list[i] = n.one(name)
	}
}
