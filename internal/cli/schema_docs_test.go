package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/service"
)

const docsManifests = "testdata/manifests.json"

// prints runs a command and gives what it prints.
func prints(t *testing.T, args ...string) string {
	t.Helper()
	var out, talk bytes.Buffer
	if code := Run(t.Context(), Config{Args: args, Environ: []string{}, Stdout: &out, Stderr: &talk}); code != exitDone {
		t.Fatalf("leat %s leaves with %d: %s", strings.Join(args, " "), code, &talk)
	}
	return out.String()
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got); if it is meant: go test ./internal/cli -update\n%s", path, diff)
	}
}

// backwards is the file of manifests with everything in it the other way round.
func backwards(t *testing.T) string {
	t.Helper()
	all, err := readManifests(docsManifests)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(all)
	for _, m := range all {
		slices.Reverse(m.Consumes)
		slices.Reverse(m.Produces)
		slices.Reverse(m.Contracts)
		for _, c := range m.Consumes {
			slices.Reverse(c.Types)
		}
	}
	text, err := json.Marshal(all)
	if err != nil {
		t.Fatal(err)
	}
	name := t.TempDir() + "/backwards.json"
	if err := os.WriteFile(name, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestAsyncAPIIsTheSameInAnyOrderAndForm(t *testing.T) {
	t.Parallel()
	args := []string{"schema", "asyncapi", "--brokers", "a:9093,b", "-X", "security.protocol=SSL", "--registry", "http://registry:8081", "--file"}
	text := prints(t, append(args, docsManifests)...)
	golden(t, "testdata/asyncapi.yaml", text)
	if diff := cmp.Diff(text, prints(t, append(args, backwards(t))...)); diff != "" {
		t.Errorf("the order of the manifest shows (-want +got):\n%s", diff)
	}
	var fromYAML, fromJSON any
	if err := yaml.Unmarshal([]byte(text), &fromYAML); err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal([]byte(prints(t, append(args, docsManifests, "-o", "json")...)), &fromJSON); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromJSON, fromYAML); diff != "" {
		t.Errorf("JSON and YAML differ (-json +yaml):\n%s", diff)
	}
}

// A reference within a schema is one from the document's root once the schema is a part of it.
func TestAsyncAPIReferencesLeadSomewhere(t *testing.T) {
	t.Parallel()
	var doc any
	text := prints(t, "schema", "asyncapi", "-o", "json", "--file", docsManifests)
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	refs := regexp.MustCompile(`"\$ref": "#([^"]*)"`).FindAllStringSubmatch(text, -1)
	if len(refs) < 10 {
		t.Fatalf("%d references, want those of operations, headers and schemas", len(refs))
	}
	for _, ref := range refs {
		plain, err := url.PathUnescape(ref[1])
		if err != nil {
			t.Fatal(err)
		}
		at := doc
		for _, part := range strings.Split(plain, "/")[1:] {
			object, _ := at.(map[string]any)
			at = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
		}
		if at == nil || ref[1] == "" {
			t.Errorf("the reference #%s leads nowhere", ref[1])
		}
	}
}

// Whoever reads records by the document looks for the schema's id where the services put it.
func TestAsyncAPITellsWhereTheSchemaIsNamed(t *testing.T) {
	t.Parallel()
	all, err := readManifests(docsManifests)
	if err != nil {
		t.Fatal(err)
	}
	for header, want := range map[bool][2]string{false: {"payload", "confluent"}, true: {"header", ""}} {
		doc, err := asyncOf(all, service.HostConfig{Registry: service.RegistryConfig{Header: header}}, asyncInfo{})
		if err != nil {
			t.Fatal(err)
		}
		for event, strategy := range map[string]string{"bill.issued.v1": "TopicRecordNameStrategy", "bill.paid.v1": "TopicNameStrategy", "bill.noted.v1": "RecordNameStrategy"} {
			got := doc.Channels["billing.bills"].Messages[event].Bindings["kafka"]
			if got.IDLocation != want[0] || got.IDEncoding != want[1] || got.LookupStrategy != strategy {
				t.Errorf("%s, header %v: %+v", event, header, got)
			}
		}
	}
}

func TestAsyncAPIKeepsCredentialsOut(t *testing.T) {
	t.Parallel()
	if got := withoutUser("http://user:secret@registry:8081/x"); got != "http://registry:8081/x" {
		t.Errorf("got %s", got)
	}
}

// What schemas and manifests say is text on the page, and the page needs nothing beside it.
func TestCatalogIsOnePageAndEscapes(t *testing.T) {
	t.Parallel()
	page := prints(t, "schema", "catalog", "--out", "-", "--title", "<i>Bills</i>", "--file", docsManifests)
	golden(t, "testdata/catalog.html", page)
	for _, bad := range []string{"<script", "<b>", "<i>", "<no>", "<link", "src=", "@import", "url("} {
		if strings.Contains(page, bad) {
			t.Errorf("%s is on the page", bad)
		}
	}
}

// Schemas that use each other twice at each level unfold into more than there is room for.
func TestFieldsHaveAnEnd(t *testing.T) {
	t.Parallel()
	var avro, proto, json strings.Builder
	proto.WriteString("syntax = \"proto3\";\n")
	json.WriteString(`{"anyOf":[{"$ref":"#/definitions/d0"}],"properties":{"a":{"$ref":"#/definitions/d0"}},"definitions":{"d40":{}`)
	const level = `{"type":"record","name":"R%d","fields":[{"name":"a","type":`
	for i := range 40 {
		fmt.Fprintf(&avro, level, i)
		fmt.Fprintf(&proto, "message M%d { M%d a = 1; M%d b = 2; }\n", i, i+1, i+1)
		fmt.Fprintf(&json, `,"d%d":{"anyOf":[{"$ref":"#/definitions/d%d"},{"$ref":"#/definitions/d%d"}]}`, i, i+1, i+1)
	}
	avro.WriteString(`"int"`)
	for i := range 40 {
		other := `"int"`
		if i > 0 {
			other = fmt.Sprintf(`"R%d"`, 40-i)
		}
		avro.WriteString(`},{"name":"b","type":` + other + `}]}`)
	}
	proto.WriteString("message M40 {}\n")
	json.WriteString("}}")
	for typ, text := range map[schema.Type]string{schema.Avro: avro.String(), schema.Protobuf: proto.String(), schema.JSONSchema: json.String()} {
		fields, err := fieldDocs(service.Contract{Type: typ, Schema: text})
		if err != nil || len(fields) == 0 || len(fields) > maxFields+50 {
			t.Errorf("%s: %d fields, %v", typ, len(fields), err)
		}
	}
}
