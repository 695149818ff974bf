// Package elastic_test checks the pipelines, and the saved objects for Kibana and OpenSearch Dashboards: that they are whole, and use fields that
// the templates have.
package elastic_test

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// saved is a saved object, or the summary in the last line of an export.
type saved struct {
	ID, Type         string
	Attributes       map[string]any
	References       []reference
	MigrationVersion map[string]string
	Core             string `json:"coreMigrationVersion"`
	Kind             string `json:"typeMigrationVersion"`

	Exported          *int `json:"exportedCount"`
	MissingRefCount   *int
	MissingReferences []any
}

type reference struct{ ID, Name, Type string }

// files are the exports, with the attributes that their servers know: Kibana refuses an import with others.
var files = map[string]struct {
	versions   map[string]string
	attributes map[string][]string
}{
	"kibana.ndjson": {
		versions: map[string]string{"index-pattern": "8.0.0", "visualization": "8.5.0", "search": "8.0.0", "dashboard": "8.9.0"},
		attributes: map[string][]string{
			"index-pattern": {"title", "name", "timeFieldName", "fields", "fieldAttrs", "fieldFormatMap", "runtimeFieldMap", "sourceFilters",
				"typeMeta", "allowHidden"},
			"visualization": {"title", "description", "visState", "uiStateJSON", "version", "kibanaSavedObjectMeta"},
			"search": {"title", "description", "columns", "sort", "grid", "hideChart", "isTextBasedQuery", "timeRestore",
				"kibanaSavedObjectMeta"},
			"dashboard": {"title", "description", "panelsJSON", "optionsJSON", "timeRestore", "timeFrom", "timeTo", "refreshInterval",
				"version", "kibanaSavedObjectMeta"},
		},
	},
	"opensearch_dashboards.ndjson": {
		versions: map[string]string{"index-pattern": "7.6.0", "visualization": "7.10.0", "search": "7.9.3", "dashboard": "7.9.3"},
		attributes: map[string][]string{
			"index-pattern": {"title", "timeFieldName"},
			"visualization": {"title", "description", "visState", "uiStateJSON", "version", "kibanaSavedObjectMeta"},
			"search":        {"title", "description", "columns", "sort", "hits", "version", "kibanaSavedObjectMeta"},
			"dashboard": {"title", "description", "panelsJSON", "optionsJSON", "timeRestore", "timeFrom", "timeTo", "refreshInterval", "hits",
				"version", "kibanaSavedObjectMeta"},
		},
	},
}

// read gives an export's objects by id. Its summary must be right.
func read(t *testing.T, file string) map[string]saved {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	objects := map[string]saved{}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	for _, line := range lines[:len(lines)-1] {
		var o saved
		require.NoError(t, json.Unmarshal([]byte(line), &o), line)
		require.NotContains(t, objects, o.ID, "twice")
		objects[o.ID] = o
	}
	var summary saved
	require.NoError(t, json.Unmarshal([]byte(lines[len(lines)-1]), &summary))
	require.Equal(t, len(objects), *summary.Exported)
	require.Zero(t, *summary.MissingRefCount)
	require.Empty(t, summary.MissingReferences)
	return objects
}

// within decodes what is JSON in a text of JSON.
func within[T any](t *testing.T, text any) (found T) {
	t.Helper()
	require.NoError(t, json.Unmarshal([]byte(text.(string)), &found), text)
	return found
}

// fields are those of the templates, with their parents' names.
func fields(t *testing.T) map[string]bool {
	t.Helper()
	known := map[string]bool{}
	var walk func(prefix string, properties map[string]any)
	walk = func(prefix string, properties map[string]any) {
		for name, v := range properties {
			if inner, ok := v.(map[string]any)["properties"]; ok {
				walk(prefix+name+".", inner.(map[string]any))
			} else {
				known[prefix+name] = true
			}
		}
	}
	for _, file := range []string{"component_template.json", "index_template.json"} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		var template struct {
			Template struct {
				Mappings struct{ Properties map[string]any }
			}
		}
		require.NoError(t, json.Unmarshal(text, &template))
		walk("", template.Template.Mappings.Properties)
	}
	require.True(t, known["deepcase.status"] && known["@timestamp"])
	return known
}

// source is a query with the reference of its index.
type source struct {
	Query        struct{ Query, Language string }
	Filter       []any
	IndexRefName string
}

type visualization struct {
	Title, Type string
	Aggs        []struct {
		ID, Type, Schema string
		Params           struct {
			Field, OrderBy string
			Filters        []struct {
				Input struct{ Query, Language string }
				Label string
			}
		}
	}
}

type panel struct {
	PanelIndex, PanelRefName, Type string
	GridData                       struct {
		X, Y, W, H int
		I          string
	}
}

// queried finds the fields of a query in the Kibana Query Language.
var queried = regexp.MustCompile(`([@\w.]+) *(?::|<=|>=|<|>)`)

func TestSavedObjects(t *testing.T) {
	known := fields(t)
	for file, want := range files {
		t.Run(file, func(t *testing.T) {
			kibana := file == "kibana.ndjson"
			objects := read(t, file)
			for id, o := range objects {
				if kibana {
					require.Equal(t, "8.8.0", o.Core, id)
					require.Equal(t, want.versions[o.Type], o.Kind, id)
				} else {
					require.Equal(t, map[string]string{o.Type: want.versions[o.Type]}, o.MigrationVersion, id)
				}
				for name := range o.Attributes {
					require.Contains(t, want.attributes[o.Type], name, id)
				}
				for _, r := range o.References {
					require.Contains(t, objects, r.ID, id)
					require.Equal(t, r.Type, objects[r.ID].Type, id)
				}

				var used []string
				use := func(query string) {
					for _, m := range queried.FindAllStringSubmatch(query, -1) {
						used = append(used, m[1])
					}
				}
				if meta, ok := o.Attributes["kibanaSavedObjectMeta"]; ok {
					s := within[source](t, meta.(map[string]any)["searchSourceJSON"])
					require.Equal(t, "kuery", s.Query.Language, id)
					use(s.Query.Query)
					if o.Type != "dashboard" {
						require.Equal(t, []reference{{ID: "deepcase-alerts", Name: s.IndexRefName, Type: "index-pattern"}}, o.References, id)
					}
				}
				switch o.Type {
				case "index-pattern":
					require.Equal(t, "@timestamp", o.Attributes["timeFieldName"])
				case "search":
					for _, column := range o.Attributes["columns"].([]any) {
						used = append(used, column.(string))
					}
					for _, sort := range o.Attributes["sort"].([]any) {
						used = append(used, sort.([]any)[0].(string))
					}
				case "visualization":
					v := within[visualization](t, o.Attributes["visState"])
					within[map[string]any](t, o.Attributes["uiStateJSON"])
					require.Equal(t, o.Attributes["title"], v.Title)
					ids := map[string]bool{}
					for _, a := range v.Aggs {
						require.False(t, ids[a.ID], "%s: aggregation %s twice", id, a.ID)
						ids[a.ID] = true
						if a.Params.OrderBy != "" {
							require.True(t, ids[a.Params.OrderBy], id)
						}
						if a.Params.Field != "" {
							used = append(used, a.Params.Field)
						}
						for _, f := range a.Params.Filters {
							require.Equal(t, "kuery", f.Input.Language)
							use(f.Input.Query)
						}
					}
				case "dashboard":
					checkPanels(t, o, kibana)
					require.Len(t, o.References, len(objects)-2, "something is on no dashboard")
				default:
					t.Errorf("%s: %s", id, o.Type)
				}
				for _, field := range used {
					require.Contains(t, known, field, id)
				}
			}
		})
	}
}

// checkPanels fails where a panel's object is not found, or where two panels lie on one another.
func checkPanels(t *testing.T, dashboard saved, kibana bool) {
	t.Helper()
	within[map[string]any](t, dashboard.Attributes["optionsJSON"])
	named := map[string]reference{}
	for _, r := range dashboard.References {
		named[r.Name] = r
	}
	taken := map[[2]int]string{}
	for _, p := range within[[]panel](t, dashboard.Attributes["panelsJSON"]) {
		name := p.PanelRefName
		if kibana {
			name = p.PanelIndex + ":" + name
			require.Equal(t, p.Type, named[name].Type)
		}
		require.Contains(t, named, name)
		delete(named, name)
		require.Equal(t, p.PanelIndex, p.GridData.I)
		require.LessOrEqual(t, p.GridData.X+p.GridData.W, 48)
		for x := range p.GridData.W {
			for y := range p.GridData.H {
				cell := [2]int{p.GridData.X + x, p.GridData.Y + y}
				require.Empty(t, taken[cell], "%s lies there", p.PanelIndex)
				taken[cell] = p.PanelIndex
			}
		}
	}
	require.Empty(t, named, "references of no panel")
}
