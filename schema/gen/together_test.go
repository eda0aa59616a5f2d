package gen_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
	"github.com/leatdev/leat/schema/gen"
	"github.com/leatdev/leat/schema/jsonschema"
)

const (
	address = `{"type": "record", "name": "common.Address", "aliases": ["Place"], "fields": [
		{"name": "city", "type": "string"}, {"name": "kind", "type": {"type": "enum", "name": "common.Kind", "symbols": ["HOME", "WORK"]}}]}`
	placed    = `{"type": "record", "name": "shop.Placed", "fields": [{"name": "id", "type": "string"}, {"name": "to", "type": ` + address + `}]}`
	delivered = `{"type": "record", "name": "shop.Delivered", "fields": [{"name": "id", "type": "string"},
		{"name": "at", "type": ["null", ` + address + `], "default": null}, {"name": "order", "type": {"type": "record", "name": "shop.Placed",
		"fields": [{"name": "id", "type": "string"}, {"name": "to", "type": "common.Address"}]}}]}`
)

// Events of one package share their types, one event may stand in another, and the contract of each is
// its own schema. In which order they are named is all the same.
func TestEventsOfAPackageShareTheirTypes(t *testing.T) {
	t.Parallel()
	a, b := parse(t, avro.Language, placed), parse(t, avro.Language, delivered)
	r := rand.New(rand.NewPCG(1, 2))
	var subjects []subject
	for _, order := range [][]schema.Schema{{a, b}, {b, a}} {
		code, err := gen.Together(gen.Options{Key: "id"}, order...)
		if err != nil {
			t.Fatal(err)
		}
		for _, once := range []string{"type Address struct", "type Kind string", "type Placed struct", "type Delivered struct"} {
			if n := strings.Count(string(code), once); n != 1 {
				t.Errorf("%s is there %d times:\n%s", once, n, code)
			}
		}
		for event, s := range map[string]schema.Schema{"Placed": a, "Delivered": b} {
			sub := subject{name: event, s: s, code: code, event: event, task: task{Encoding: leat.Avro}}
			for range 5 {
				sub.Data = append(sub.Data, randomData(r, s.Canonical()))
			}
			subjects = append(subjects, sub)
		}
	}
	for i, got := range compiled(t, subjects) {
		s := subjects[i]
		if got.Err != "" || got.Text != s.s.Canonical() {
			t.Errorf("%s: %s\nschema   %s\ncontract %s\n%s", s.name, got.Err, s.s.Canonical(), got.Text, s.code)
			continue
		}
		for j := range s.Data {
			if string(got.Data[j]) != string(s.Data[j]) {
				t.Errorf("%s: % x comes back as % x", s.name, s.Data[j], got.Data[j])
			}
		}
	}
}

func TestTypesThatDifferCantShareAName(t *testing.T) {
	t.Parallel()
	const other = `{"type": "record", "name": "shop.Sent", "fields": [{"name": "to", "type":
		{"type": "record", "name": "shop.Address", "fields": [{"name": "street", "type": "string"}]}}]}`
	ordered := `{"type": "object", "title": "shop.Placed", "required": ["id"], "properties": {"id": {"type": "string"}}}`
	for name, c := range map[string]struct {
		o    gen.Options
		all  []schema.Schema
		want string
	}{
		"types":  {all: []schema.Schema{parse(t, avro.Language, placed), parse(t, avro.Language, other)}, want: "shop.Sent: Address is another type in it"},
		"events": {all: []schema.Schema{parse(t, avro.Language, placed), parse(t, jsonschema.Format, ordered)}, want: "another of the events is called Placed"},
		"type":   {o: gen.Options{EventType: "x"}, all: []schema.Schema{parse(t, avro.Language, placed), parse(t, avro.Language, other)}, want: "2 events can't all be of type x"},
		"key":    {o: gen.Options{Key: "id"}, all: []schema.Schema{parse(t, avro.Language, placed), parse(t, avro.Language, other)}, want: `"id" is no string field of shop.Sent`},
	} {
		if code, err := gen.Together(c.o, c.all...); err == nil || !strings.Contains(err.Error(), c.want) || code != nil {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}
