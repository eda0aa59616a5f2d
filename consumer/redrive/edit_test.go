package redrive_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/consumer/redrive"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
	"github.com/leatdev/leat/schema/jsonschema"
	"github.com/leatdev/leat/schema/protobuf"
)

func TestAPayloadIsPatchedOrRefused(t *testing.T) {
	t.Parallel()
	const old = `{"n":9007199254740993,"price":1.10,"x":"<&>","drop":1}`
	for name, tt := range map[string]struct{ value, patch, want string }{
		"merge":       {old, ` {"drop":null,"y":{"z":1}}`, `{"n":9007199254740993,"price":1.10,"x":"\u003c\u0026\u003e","y":{"z":1}}`},
		"patch":       {old, `[{"op":"test","path":"/x","value":"<&>"},{"op":"remove","path":"/drop"}]`, `{"n":9007199254740993,"price":1.10,"x":"\u003c\u0026\u003e"}`},
		"test fails":  {old, `[{"op":"test","path":"/x","value":1}]`, ""},
		"no path":     {old, `[{"op":"remove","path":"/none"}]`, ""},
		"not a patch": {old, `7`, ""},
		"not json":    {old, `{"a":`, ""},
		"empty":       {old, ``, ""},
	} {
		l := redrive.Letter{Value: []byte(tt.value)}
		edit, err := l.Edit(t.Context(), codecOf(t), []byte(tt.patch))
		if got := string(edit.Value); got != tt.want || (err != nil) != (tt.want == "") {
			t.Errorf("%s: payload is %s (%v), want %s", name, got, err, tt.want)
		}
	}
	for name, l := range map[string]redrive.Letter{
		"not JSON":  {Value: []byte("\x00\x00{}")},
		"tombstone": {},
		"elsewhere": {Value: []byte("{}"), Headers: []leat.Header{{Key: "ce_dataref", Value: []byte("a")}}},
	} {
		if _, err := l.Edit(t.Context(), codecOf(t), []byte(`{}`)); !errors.Is(err, redrive.ErrUneditable) {
			t.Errorf("%s: got %v, want ErrUneditable", name, err)
		}
	}
}

// Of a payload by a schema the JSON is patched; what goes back is by the same schema, in the same frame.
func TestAPayloadByASchemaIsPatchedAndStaysByIt(t *testing.T) {
	t.Parallel()
	schemas := []schema.Registered{
		{Type: schema.Avro, Text: `{"type":"record","name":"Bill","fields":[{"name":"n","type":"long"},{"name":"note","type":["null","string"],"default":null}]}`},
		{Type: schema.JSONSchema, Text: `{"type":"object","properties":{"n":{"type":"integer"},"note":{"type":"string"}},"required":["n"],"additionalProperties":false}`},
		{Type: schema.Protobuf, Text: `syntax = "proto3"; message Other {} message Bill { int64 n = 1; string note = 2; }`},
	}
	codec := codecOf(t, schemas...)
	prefix := func(id byte, body string) redrive.Letter {
		return redrive.Letter{Value: []byte("\x00\x00\x00\x00" + string(id) + body)}
	}
	header := func(id byte, index, body string) redrive.Letter {
		guid := "\x01" + string(id) + strings.Repeat("\x00", 15) + index
		return redrive.Letter{Value: []byte(body), Headers: []leat.Header{{Key: schema.HeaderValueSchema, Value: []byte(guid)}}}
	}
	for name, tt := range map[string]struct {
		letter         redrive.Letter
		patch          string
		value, old, to string
	}{
		"Avro":                 {prefix(1, "\x08\x02\x04hi"), `{"n":5}`, "\x00\x00\x00\x00\x01\x0a\x02\x04hi", `{"n":4,"note":"hi"}`, `{"n":5,"note":"hi"}`},
		"Avro, header":         {header(1, "", "\x08\x00"), `[{"op":"add","path":"/note","value":"a"}]`, "\x08\x02\x02a", `{"n":4,"note":null}`, `{"n":4,"note":"a"}`},
		"Avro, default":        {prefix(1, "\x08\x02\x04hi"), `{"note":null}`, "\x00\x00\x00\x00\x01\x08\x00", `{"n":4,"note":"hi"}`, `{"n":4,"note":null}`},
		"JSON Schema":          {prefix(2, `{"n":4}`), `{"n":9007199254740993}`, "\x00\x00\x00\x00\x02" + `{"n":9007199254740993}`, `{"n":4}`, `{"n":9007199254740993}`},
		"JSON Schema, header":  {header(2, "", `{"n":4}`), `{"n":5}`, `{"n":5}`, `{"n":4}`, `{"n":5}`},
		"Protobuf, 2nd":        {prefix(3, "\x02\x02\x08\x04"), `{"n":"5"}`, "\x00\x00\x00\x00\x03\x02\x02\x08\x05", `{"n":"4"}`, `{"n":"5"}`},
		"Protobuf, header":     {header(3, "\x02\x02", "\x08\x04"), `{"note":"a"}`, "\x08\x04\x12\x01a", `{"n":"4"}`, `{"n":"4","note":"a"}`},
		"Avro, no such field":  {letter: prefix(1, "\x08\x00"), patch: `{"m":5}`},
		"Avro, wrong type":     {letter: prefix(1, "\x08\x00"), patch: `{"n":"five"}`},
		"Avro, gone":           {letter: prefix(1, "\x08\x00"), patch: `{"n":null}`},
		"JSON Schema, no such": {letter: prefix(2, `{"n":4}`), patch: `{"m":5}`},
		"JSON Schema, wrong":   {letter: prefix(2, `{"n":4}`), patch: `{"n":"five"}`},
		"Protobuf, no such":    {letter: prefix(3, "\x02\x02\x08\x04"), patch: `{"m":5}`},
		"Protobuf, wrong":      {letter: header(3, "\x02\x02", "\x08\x04"), patch: `{"n":"five"}`},
	} {
		before := string(tt.letter.Value)
		edit, err := tt.letter.Edit(t.Context(), codec, []byte(tt.patch))
		if tt.value == "" {
			if err == nil || !strings.Contains(err.Error(), "encode the patched payload: the data is not of schema ") || errors.Is(err, redrive.ErrUneditable) {
				t.Errorf("%s: got %q, %v, want that it does not fit", name, edit.Value, err)
			}
			continue
		}
		if got := string(edit.Value); got != tt.value || err != nil {
			t.Errorf("%s: payload is %q (%v), want %q", name, got, err, tt.value)
		}
		if string(edit.Old) != tt.old || string(edit.New) != tt.to || string(tt.letter.Value) != before {
			t.Errorf("%s: told as %s, then %s, of the letter %q, want %s, then %s", name, edit.Old, edit.New, tt.letter.Value, tt.old, tt.to)
		}
	}
	for name, letter := range map[string]redrive.Letter{
		"a field that the schema lacks": prefix(3, "\x02\x02\x08\x04\x18\x07"),
		"a string that is none":         prefix(1, "\x08\x02\x02\xff"),
		"another schema's data":         prefix(1, "\x08\x04"),
		"an unknown schema":             prefix(4, "\x08\x04"),
	} {
		if edit, err := letter.Edit(t.Context(), codec, []byte(`{"n":5}`)); !errors.Is(err, redrive.ErrUneditable) {
			t.Errorf("%s: got %q, %v, want ErrUneditable", name, edit.Value, err)
		}
	}
	letter := prefix(1, "\x08\x00")
	without, err := schema.NewCodec(schema.CodecConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := letter.Edit(t.Context(), without, []byte(`{}`)); err == nil || !strings.Contains(err.Error(), "--registry") {
		t.Errorf("without a registry: got %v, want what to set", err)
	}
}

// codecOf is a codec whose registry knows the schemas, by the ids 1, 2 and so on, and GUIDs that begin
// with them.
func codecOf(t *testing.T, all ...schema.Registered) *schema.Codec {
	t.Helper()
	c, err := schema.NewCodec(schema.CodecConfig{
		Registry: someSchemas{all: all}, Formats: []schema.Format{avro.Format, jsonschema.Format, protobuf.Format},
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

type someSchemas struct {
	schema.Registry // panics where it is asked for more
	all             []schema.Registered
}

func (s someSchemas) ByID(_ context.Context, id int32) (schema.Registered, error) {
	if int(id) > len(s.all) {
		return schema.Registered{}, schema.ErrNotFound
	}
	return s.all[id-1], nil
}

func (s someSchemas) ByGUID(ctx context.Context, g schema.GUID) (schema.Registered, error) {
	return s.ByID(ctx, int32(g[0]))
}

func TestAnEditedLetterGoesBackAndSaysSo(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		r := newRig(t, b, consumer.Park(leat.Parking{Tiers: []time.Duration{}}))
		r.letters(t, 3)
		r.effects(t, 3, 4)
		edited := func(n int64) (*redrive.Letter, redrive.Job) {
			story, err := redrive.Read(t.Context(), r.client, r.group, r.topic.Name)
			if err != nil {
				t.Fatal(err)
			}
			j := r.job(redrive.Redriven)
			for _, l := range story.Letters() {
				if l.Source.Offset == n {
					j.Filter.Source = &l.Source
					return l, j
				}
			}
			t.Fatalf("no letter of offset %d", n)
			return nil, j
		}
		letter, j := edited(1)
		edit, err := letter.Edit(t.Context(), codecOf(t), []byte(`{"N":7}`))
		if err != nil {
			t.Fatal(err)
		}
		j.Edit = &edit
		if n, err := j.Run(t.Context()); n.Done != 1 || err != nil {
			t.Fatalf("redriven %d letters (%v), want 1", n.Done, err)
		}
		r.effects(t, 3, 4, 7)
		r.letters(t, 2)
		if _, err := j.Run(t.Context()); !errors.Is(err, redrive.ErrChanged) {
			t.Errorf("again: got %v, want ErrChanged", err)
		}
		if after, _ := edited(1); string(after.Value) != string(letter.Value) || len(after.Notes) != 1 || !strings.HasPrefix(after.Notes[0].Edited, "sha256:") {
			t.Errorf("the letter is %q with notes %+v, want it as it was and one note with a digest", after.Value, after.Notes)
		}
		if got := headerOf(t, r.client, leat.ParkTopic(r.topic.Name, r.group), redrive.HeaderEdited); got != letter.At.String() {
			t.Errorf("%s is %q, want %s", redrive.HeaderEdited, got, letter.At)
		}
	})
}

// headerOf is the last value of a header in partition 0.
func headerOf(t *testing.T, client *kafka.Client, topic, name string) (value string) {
	t.Helper()
	err := client.ReadPartition(context.Background(), topic, 0, 0, func(w leat.Wire) error {
		for k, v := range w.Headers() {
			if k == name {
				value = string(v)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}
