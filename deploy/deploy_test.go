// Package deploy_test checks that what is deployed fits the pipelines that it runs.
package deploy_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

const pipelines = "../config/kafka"

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	return string(text)
}

// uses says whether a pipeline reads a variable.
func uses(t *testing.T, pipeline, variable string) bool {
	t.Helper()
	return strings.Contains(read(t, pipeline), "${"+variable+":")
}

// requireUsed fails where no pipeline reads a variable: it was mistyped, or renamed in the pipelines.
func requireUsed(t *testing.T, variable string) {
	t.Helper()
	files, err := filepath.Glob(pipelines + "/*.yaml")
	require.NoError(t, err)
	for _, f := range files {
		if uses(t, f, variable) {
			return
		}
	}
	t.Errorf("no pipeline reads %s", variable)
}

type service struct {
	Image       string
	Command     any
	Environment map[string]string
	Volumes     []string
}

func TestCompose(t *testing.T) {
	var compose struct {
		Connect  service `yaml:"x-connect"`
		Services map[string]service
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "compose/compose.yaml")), &compose))
	for variable := range compose.Connect.Environment {
		requireUsed(t, variable)
	}
	pinned := regexp.MustCompile(`:v?\d+\.\d+`)
	for name, s := range compose.Services {
		for _, v := range s.Volumes {
			if source, _, _ := strings.Cut(v, ":"); strings.HasPrefix(source, ".") {
				_, err := os.Stat(filepath.Join("compose", source))
				require.NoError(t, err, name)
			}
		}
		if s.Image != compose.Connect.Image {
			require.Regexp(t, pinned, s.Image, name)
			continue
		}
		pipeline := strings.NewReplacer("/pipelines/", pipelines+"/", "/demo.yaml", "compose/demo.yaml").Replace(s.Command.([]any)[1].(string))
		require.FileExists(t, pipeline, name)
		for variable := range s.Environment {
			if _, shared := compose.Connect.Environment[variable]; !shared {
				require.True(t, uses(t, pipeline, variable), "%s: %s", name, variable)
			}
		}
	}
}

func TestKubernetes(t *testing.T) {
	var all struct {
		Resources          []string
		ConfigMapGenerator []struct{ Literals []string } `yaml:"configMapGenerator"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, "kubernetes/kustomization.yaml")), &all))
	for _, literal := range all.ConfigMapGenerator[0].Literals {
		variable, _, _ := strings.Cut(literal, "=")
		requireUsed(t, variable)
	}
	var given struct {
		ConfigMapGenerator []struct{ Files []string } `yaml:"configMapGenerator"`
	}
	require.NoError(t, yaml.Unmarshal([]byte(read(t, pipelines+"/kustomization.yml")), &given))

	deployments := 0
	for _, resource := range all.Resources {
		path := filepath.Join("kubernetes", resource)
		_, err := os.Stat(path)
		require.NoError(t, err)
		if !strings.HasSuffix(path, ".yaml") {
			continue
		}
		var object struct {
			Kind string
			Spec struct {
				Template struct {
					Spec struct {
						Containers []struct {
							Args []string
							Env  []struct{ Name string }
						}
					}
				}
			}
		}
		require.NoError(t, yaml.Unmarshal([]byte(read(t, path)), &object)) // the first of the file
		if object.Kind != "Deployment" {
			continue
		}
		deployments++
		c := object.Spec.Template.Spec.Containers[0]
		pipeline := strings.TrimPrefix(c.Args[1], "/pipelines/")
		require.Contains(t, given.ConfigMapGenerator[0].Files, pipeline)
		for _, variable := range c.Env {
			require.True(t, variable.Name == "GOMEMLIMIT" || uses(t, pipelines+"/"+pipeline, variable.Name), "%s: %s", resource, variable.Name)
		}
	}
	require.Equal(t, len(given.ConfigMapGenerator[0].Files), deployments)

	kubectl, err := exec.LookPath("kubectl")
	if err != nil {
		t.Skip("kubectl is missing: the manifests are not put together")
	}
	out, err := exec.Command(kubectl, "kustomize", "kubernetes").CombinedOutput()
	require.NoError(t, err, "%s", out)
}

// Nothing that is published listens beyond its machine unless a variable says so: whoever reaches a port can read metrics, or add events.
func TestListensOnLoopback(t *testing.T) {
	anywhere := regexp.MustCompile(`(?m)^\s*\w*address:\s*["']?(?:0\.0\.0\.0|\[::\]|:|\*).*$`)
	published := regexp.MustCompile(`(?m)^\s*- "?(?:\d+:)?\d+:\d+"?\s*$`) // a port of Compose without an address
	files := 0
	for _, folder := range []string{"../config", "."} {
		require.NoError(t, filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
			if err != nil || filepath.Ext(path) != ".yaml" {
				return err
			}
			files++
			require.Empty(t, anywhere.FindAllString(read(t, path), -1), path)
			require.Empty(t, published.FindAllString(read(t, path), -1), path)
			return nil
		}))
	}
	require.Greater(t, files, 30)
	// In a network of containers alone, or behind the service of a cluster.
	for _, file := range []string{"compose/compose.yaml", "kubernetes/kustomization.yaml"} {
		require.Contains(t, read(t, file), "LISTEN")
	}
}

func TestUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is missing: the units are not verified")
	}
	folder := t.TempDir()
	var files []string
	for source, name := range map[string]string{
		"connect-deepcase@.service": "connect-deepcase@score.service", "connect-deepcase-train.service": "connect-deepcase-train.service",
		"connect-deepcase-train.timer": "connect-deepcase-train.timer",
	} {
		unit := strings.ReplaceAll(read(t, "systemd/"+source), "/usr/local/bin/connect-deepcase", "/bin/true")
		files = append(files, filepath.Join(folder, name))
		require.NoError(t, os.WriteFile(files[len(files)-1], []byte(unit), 0o600))
	}
	verify := exec.Command(analyze, append([]string{"verify", "--man=no"}, files...)...)
	verify.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+folder+":") // the timer finds its service
	out, err := verify.CombinedOutput()
	require.NoError(t, err, "%s", out)
	require.Empty(t, string(out))
}

// Both units may do as little.
func TestUnitsAreHardenedAlike(t *testing.T) {
	hardened := func(unit string) string {
		text := read(t, "systemd/"+unit)
		return text[strings.Index(text, "StateDirectory="):strings.Index(text, "# For a GPU")]
	}
	require.Equal(t, hardened("connect-deepcase@.service"), hardened("connect-deepcase-train.service"))
}

func TestTheTimersUnitFailsWhereTheTrainingDid(t *testing.T) {
	unit := read(t, "systemd/connect-deepcase-train.service")
	post := regexp.MustCompile(`(?m)^ExecStartPost=/bin/sh -c '(.*)'$`).FindStringSubmatch(unit)
	require.NotNil(t, post)
	require.Contains(t, unit, "\nExecStartPre=/usr/bin/touch train-started\n")
	dir := t.TempDir()
	published := `{"status":"published","model":"x","events":7}` + "\n"
	failed := `{"status":"failed","error":"another model was \"published\" meanwhile","events":7}` + "\n"
	run := func() error {
		command := exec.Command("/bin/sh", "-c", strings.ReplaceAll(post[1], "$$", "$"))
		command.Dir = dir
		return command.Run()
	}
	started, now := filepath.Join(dir, "train-started"), time.Now()
	require.NoError(t, os.WriteFile(started, nil, 0o600))
	require.NoError(t, os.Chtimes(started, now, now))
	file := filepath.Join(dir, "trainings.ndjson")
	require.Error(t, run(), "there is no line at all")
	for _, c := range []struct {
		text string
		age  time.Duration
		ok   bool
	}{{failed + published, -time.Minute, true}, {published + failed, -time.Minute, false}, {published, time.Hour, false}} {
		require.NoError(t, os.WriteFile(file, []byte(c.text), 0o600))
		require.NoError(t, os.Chtimes(file, now, now.Add(-c.age)))
		if err := run(); c.ok {
			require.NoError(t, err, "%+v", c)
		} else {
			require.Error(t, err, "%+v", c)
		}
	}
}
