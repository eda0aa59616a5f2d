package cli

import (
	"os"
	"path/filepath"
	"testing"
)

// A file may hold the manifests of several services in each way that one comes to write them.
func TestNoManifestOfAFileIsPassedOver(t *testing.T) {
	t.Parallel()
	const a, b = `{"service":"a","owns":[{"topic":"t.a"}]}`, `{"service":"b","owns":[{"topic":"t.b"}]}`
	for name, text := range map[string]string{
		"a list":             "[" + a + "," + b + "]",
		"one after another":  a + "\n" + b,
		"lists":              "[" + a + "]\n[" + b + "]\n",
		"YAML documents":     "service: a\nowns: [{topic: t.a}]\n---\nservice: b\nowns: [{topic: t.b}]\n",
		"a list of YAML":     "- service: a\n  owns: [{topic: t.a}]\n- service: b\n  owns: [{topic: t.b}]\n",
		"JSON behind a mark": "---\n" + a + "\n---\n" + b,
	} {
		path := filepath.Join(t.TempDir(), "manifests")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		all, err := readManifests(path)
		if err != nil || len(all) != 2 || all[0].Service != "a" || all[1].Service != "b" {
			t.Errorf("%s: %+v, %v", name, all, err)
		}
	}
}
