package enginetest

import (
	"testing"
)

// The formulas are those of the reference implementation: all engines may be measured by them.
func TestReferenceMeetsTheGoldens(t *testing.T) {
	for _, name := range Names(t, "context_builder") {
		t.Run(name, func(t *testing.T) {
			g := Open(t, "context_builder/"+name)
			w := g.Weights("model.")
			s, steps, prefix := g.ids("X"), 1, ""
			if g.has("steps3_attention") {
				steps, prefix = 3, "steps3_"
			}
			var confidence, attention []float32
			for at := 0; at < len(s); at += w.Config.Length {
				c, a := Reference{Weights: w}.Forward(s[at:at+w.Config.Length], steps)
				for step := range steps {
					for _, x := range c[step] {
						confidence = append(confidence, float32(x))
					}
					for _, x := range a[step] {
						attention = append(attention, float32(x))
					}
				}
			}
			near(t, g.Floats(prefix+"log_confidence"), confidence, forwardTolerance, "log confidence")
			near(t, g.Floats(prefix+"attention"), attention, forwardTolerance, "attention")
		})
	}
}
