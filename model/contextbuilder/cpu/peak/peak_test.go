package peak

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestMeasure(t *testing.T) {
	begin := time.Now()
	flops := Measure(60 * time.Millisecond)
	assert.GreaterOrEqual(t, time.Since(begin), 60*time.Millisecond, "every size gets its share of the time")
	// plain Go under the race detector on a busy machine, and more than any processor has
	assert.Greater(t, flops, 1e6)
	assert.Less(t, flops, 1e15)
}
