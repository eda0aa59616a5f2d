package interop

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/leatdev/leat/schema"
)

// pair is a case of one of the tables of verdicts that schema's rooms hold leat to: may next follow old?
type pair struct {
	name      string
	typ       schema.Type
	old, next string
	// what the Protobuf texts import as i.proto; "": nothing
	oldImport, nextImport string
	may                   bool
}

func table(t *testing.T, file string, into any) {
	t.Helper()
	data, err := os.ReadFile("../../schema/" + file + "/testdata/verdicts.json")
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// pairs are all of them. Of JSON Schema the policy is Strict: Apicurio has no other.
func pairs(t *testing.T) (all []pair) {
	t.Helper()
	var avros []struct {
		Name           string
		Reader, Writer json.RawMessage
		Want, Back     []string
	}
	table(t, "avro", &avros)
	for _, v := range avros {
		all = append(
			all,
			pair{name: v.Name, typ: schema.Avro, old: string(v.Writer), next: string(v.Reader), may: len(v.Want) == 0},
			pair{name: v.Name + ", the other way", typ: schema.Avro, old: string(v.Reader), next: string(v.Writer), may: len(v.Back) == 0},
		)
	}
	var jsons []struct {
		Name, Policy string
		Old, New     json.RawMessage
		Expected     bool
	}
	table(t, "jsonschema", &jsons)
	for _, v := range jsons {
		if schema.Policy(v.Policy) == schema.Strict {
			all = append(all, pair{name: v.Name, typ: schema.JSONSchema, old: drafted(v.Old), next: drafted(v.New), may: v.Expected})
		}
	}
	var protobufs []struct {
		Name, Old, New string
		OldImport      string `json:"old_import"`
		NewImport      string `json:"new_import"`
		Expected       []string
	}
	table(t, "protobuf", &protobufs)
	for _, v := range protobufs {
		all = append(all, pair{v.Name, schema.Protobuf, v.Old, v.New, v.OldImport, v.NewImport, len(v.Expected) == 0})
	}
	return all
}

// What a registry says of a pair.
const (
	yes     = "yes"
	no      = "no"
	refuses = "takes one of the two for no schema"
	fails   = "answers 500"
)

// opinion asks a registry whether a pair's next schema may follow the old one.
func opinion(ctx context.Context, c *schema.Client, subject string, p pair) (string, error) {
	imported := subject + "-import"
	register := func(text, of string, version int) (r schema.Registered, err error) {
		r = schema.Registered{Type: p.typ, Text: text}
		if of != "" {
			r.References = []schema.Reference{{Name: "i.proto", Subject: imported, Version: version}}
			_, err = c.Register(ctx, imported, schema.Registered{Type: p.typ, Text: of}, false)
		}
		return r, err
	}
	var answer struct {
		Fine bool `json:"is_compatible"`
	}
	old, err := register(p.old, p.oldImport, 1)
	if err == nil {
		_, err = c.Register(ctx, subject, old, false)
	}
	if err == nil {
		err = c.Do(ctx, "set the level", http.MethodPut, "/config/"+subject, nil, map[string]string{"compatibility": "BACKWARD"}, nil)
	}
	if err == nil {
		var next schema.Registered
		if next, err = register(p.next, p.nextImport, 2); err == nil {
			err = c.Do(ctx, "ask for a verdict", http.MethodPost, "/compatibility/subjects/"+subject+"/versions/latest", nil, next, &answer)
		}
	}
	broken, _ := errors.AsType[*schema.RegistryError](err)
	switch {
	case errors.Is(err, schema.ErrRejected):
		return refuses, nil
	case broken != nil && broken.Status == http.StatusInternalServerError:
		return fails, nil
	case err != nil:
		return "", err
	case answer.Fine:
		return yes, nil
	}
	return no, nil
}

// opinions holds leat's registry and another to the tables, the other with the list of differences: one
// that is not listed is as wrong as one that is and is none.
func opinions(t *testing.T, url string) {
	page, err := os.ReadFile("../../docs/reference/compatibility.md")
	if err != nil {
		t.Fatal(err)
	}
	says := map[string]string{} // by type and name of a case
	for _, d := range differences {
		if !strings.Contains(string(page), "| "+d.why+" |") {
			t.Errorf("docs/reference/compatibility.md does not tell: %s", d.why)
		}
		for _, name := range d.cases {
			says[string(d.typ)+" "+name] = d.says
		}
	}
	asked, ours, theirs := map[schema.Type]int{}, client(t, serve(t)), client(t, url)
	if err := ours.Do(t.Context(), "set the level", http.MethodPut, "/config", nil, map[string]string{"compatibility": "NONE"}, nil); err != nil {
		t.Fatal(err) // of what is imported; the other's level is this from the start
	}
	for i, p := range pairs(t) {
		want, id := no, string(p.typ)+" "+p.name
		if p.may {
			want = yes
		}
		subject := fmt.Sprintf("verdict-%d", i)
		if got, err := opinion(t.Context(), ours, subject, p); got != want || err != nil {
			t.Errorf("%s: leat says %q, want %q (%v)\nold %s\nnew %s", id, got, want, err, p.old, p.next)
		}
		if other, ok := says[id]; ok {
			want = other
			delete(says, id)
		}
		if got, err := opinion(t.Context(), theirs, subject, p); got != want || err != nil {
			t.Errorf("%s: the other says %q, want %q (%v)\nold %s\nnew %s", id, got, want, err, p.old, p.next)
		}
		asked[p.typ]++
	}
	for id := range says {
		t.Errorf("%s is listed as a difference, and there is no such case", id)
	}
	t.Logf("asked %v", asked)
}

// drafted says of a JSON Schema which draft it is, draft 7 unless it does: Apicurio has no default.
func drafted(text json.RawMessage) string {
	s := strings.TrimSpace(string(text))
	rest, object := strings.CutPrefix(s, "{")
	if !object || strings.Contains(s, `"$schema"`) {
		return s
	}
	if strings.TrimSpace(rest) != "}" {
		rest = ", " + rest
	}
	return `{"$schema": "http://json-schema.org/draft-07/schema#"` + rest
}
