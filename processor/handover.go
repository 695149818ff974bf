package processor

import (
	"slices"
	"sync"
	"weak"

	"github.com/redpanda-data/benthos/v4/public/service"

	"connect-deepcase/internal/annotation"
	"connect-deepcase/internal/mapping"
)

// handed has what the processors of this process know about the documents that they have just written. Benthos gives a message's context back as it was
// before a processor, and metadata would show up at outputs.
var handed handover

// handover passes the documents of a batch from one processor to the next, which need not go through them again. A document is recognised by its place
// in memory: if anybody has replaced it meanwhile, it is read like any other. Nothing is kept in memory for it: what the garbage collector takes before
// it is asked for is read again, too.
type handover struct {
	mu      sync.Mutex
	batches [8]weak.Pointer[handedBatch] // several, since batches may overtake each other
	next    int
}

type handedBatch struct {
	target annotation.Target
	raws   []annotation.Raw
}

// over hands over the documents of a batch, as they are in its messages; those that are not OK are not handed over.
func (h *handover) over(target annotation.Target, raws []annotation.Raw) {
	batch := weak.Make(&handedBatch{target, raws})
	h.mu.Lock()
	defer h.mu.Unlock()
	h.batches[h.next] = batch
	h.next = (h.next + 1) % len(h.batches)
}

// take gives the documents of the messages of a batch that were handed over. The others are not OK.
func (h *handover) take(target annotation.Target, batch service.MessageBatch) []annotation.Raw {
	raws := make([]annotation.Raw, len(batch))
	held := h.held(target)
	var places map[*byte]*annotation.Raw
	for i, message := range batch {
		content, ok := mapping.Bytes(message)
		if !ok || len(content) == 0 || len(held) == 0 {
			continue
		}
		if at := slices.IndexFunc(held, func(b *handedBatch) bool { return i < len(b.raws) && b.raws[i].Is(content) }); at >= 0 {
			raws[i] = held[at].raws[i]
			continue
		}
		if places == nil { // the batch was filtered, or put together of others
			places = placesOf(held)
		}
		if raw := places[&content[0]]; raw != nil && raw.Is(content) {
			raws[i] = *raw
		}
	}
	return raws
}

// held are the batches that are still in memory.
func (h *handover) held(target annotation.Target) (held []*handedBatch) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for i := range h.batches {
		if b := h.batches[i].Value(); b != nil && slices.Equal(b.target, target) {
			held = append(held, b)
		}
	}
	return held
}

func placesOf(held []*handedBatch) map[*byte]*annotation.Raw {
	places := map[*byte]*annotation.Raw{}
	for _, b := range held {
		for i := range b.raws {
			if raw := &b.raws[i]; raw.OK() {
				places[&raw.Text()[0]] = raw
			}
		}
	}
	return places
}
