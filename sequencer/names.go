package sequencer

import "strings"

// names numbers event names while something uses them, so that an endless stream of new names does not fill the memory.
type names struct {
	ids  map[string]uint32
	used []usedName // by id
	free []uint32   // ids to use again
	size int        // bytes of the names
}

type usedName struct {
	text string
	uses int
}

// use returns the id of a name and counts one more use.
func (n *names) use(text string) uint32 {
	id, ok := n.ids[text]
	if !ok {
		text = strings.Clone(text) // it may be a piece of a whole message
		if last := len(n.free) - 1; last >= 0 {
			id, n.free = n.free[last], n.free[:last]
			n.used[id].text = text
		} else {
			id = uint32(len(n.used))
			n.used = append(n.used, usedName{text: text})
		}
		n.ids[text] = id
		n.size += nameSize(text)
	}
	n.used[id].uses++
	return id
}

// release undoes one use.
func (n *names) release(id uint32) {
	u := &n.used[id]
	if u.uses--; u.uses == 0 {
		delete(n.ids, u.text)
		n.size -= nameSize(u.text)
		u.text = ""
		n.free = append(n.free, id)
	}
}

// nameSize is an upper bound of the memory of a name, including its places in the map and the list.
func nameSize(text string) int { return 96 + allocated(len(text)) }

// allocated is an upper bound of what Go allocates for n bytes: an eighth more, and a little for small ones.
func allocated(n int) int { return n + n/8 + 8 }

func (n *names) text(id uint32) string { return n.used[id].text }
