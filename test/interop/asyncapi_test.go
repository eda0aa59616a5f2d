package interop

import (
	"bytes"
	_ "embed"
	"os"
	"path/filepath"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/leatdev/leat/internal/cli"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/shop"
)

var (
	//go:embed testdata/asyncapi/package.json
	asyncManifest []byte
	//go:embed testdata/asyncapi/package-lock.json
	asyncLock []byte
)

// TestAsyncAPI holds the documents of `leat schema asyncapi` to the JSON Schema that AsyncAPI publishes.
func TestAsyncAPI(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("fetches AsyncAPI's schema with npm: not in short runs")
	}
	_, dir, err := server.Node(t.Context(), "interop-asyncapi", asyncManifest, asyncLock)
	if err != nil {
		leattest.Missing(t, "node", err.Error())
	}
	text, err := os.ReadFile(filepath.Join(dir, "node_modules", "@asyncapi", "specs", "schemas", "3.0.0.json"))
	if err != nil {
		t.Fatal(err)
	}
	published, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	const name = "asyncapi.json"
	if err := c.AddResource(name, published); err != nil {
		t.Fatal(err)
	}
	valid, err := c.Compile(name)
	if err != nil {
		t.Fatal(err)
	}
	for name, args := range map[string][]string{
		"shop":      {"--brokers", "a:9092,b:9093", "--registry", "http://localhost:8081"},
		"languages": {"--file", "../../internal/cli/testdata/manifests.json"},
	} {
		t.Run(name, func(t *testing.T) {
			var out, talk bytes.Buffer
			code := cli.Run(t.Context(), cli.Config{
				Services: shop.Services(shop.Config{}), Args: append([]string{"schema", "asyncapi", "-o", "json"}, args...),
				Environ: []string{}, Stdout: &out, Stderr: &talk,
			})
			if code != 0 {
				t.Fatalf("status %d: %s", code, &talk)
			}
			doc, err := jsonschema.UnmarshalJSON(&out)
			if err != nil {
				t.Fatal(err)
			}
			if err := valid.Validate(doc); err != nil {
				t.Errorf("%#v", err)
			}
			delete(doc.(map[string]any), "info")
			if valid.Validate(doc) == nil {
				t.Error("a document without info is valid: the schema holds nothing")
			}
		})
	}
}
