package processor

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"connect-deepcase/model"
)

// A model that was trained with other templates than those that name the events now says so once.
func TestPredictWarnsOfOtherTemplates(t *testing.T) {
	const trained, other = "00ff00ff00ff00ff", "ab12cd34ef560789"
	document := func(templates string) string {
		return strings.Replace(annotated(loginSample), `"event"`, fmt.Sprintf(`"templates":%q,"event"`, templates), 1)
	}
	for _, c := range []struct {
		model    []string
		events   []string
		warnings int
		others   int64
	}{
		{[]string{trained}, []string{document(trained), annotated(loginSample)}, 0, 0},
		{[]string{trained}, []string{document(other), document(other), document(trained)}, 1, 2},
		{[]string{trained, other}, []string{document(other), document(trained)}, 0, 0},
		{nil, []string{document(other)}, 0, 0}, // it is not known
	} {
		recorded.values = map[string]int64{}
		resources, log := withLogAndMetrics(t)
		dir := t.TempDir()
		m := *little(t, 1)
		m.Templates = c.model
		publish(t, dir, &m)
		p, err := newPredictFromParsed(parse(t, predictSpec(), "model: "+dir), resources)
		require.NoError(t, err)
		for _, document := range process(t, p, messages(c.events...)) {
			require.NotEqual(t, model.NoModel.String(), at(t, document)["status"])
		}
		require.NoError(t, p.Close(t.Context()))
		assert.Equal(t, c.warnings, strings.Count(log.String(), "Events are named by the templates "+other), log.String())
		assert.Equal(t, c.others, recorded.value("deepcase_other_templates"))
	}
	p := newPredict(t, "model: "+t.TempDir())
	out := process(t, p, messages(document("no checksum"), document(other)))
	assert.EqualError(t, out[0].GetError(), `document: deepcase.templates is the text "no checksum", need 16 hexadecimal digits in lower case`)
	assert.Equal(t, other, at(t, out[1])["templates"], "it stays in the document")
}
