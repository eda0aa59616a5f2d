package interop

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
)

// visit is an event of plain JSON whose key is more.
type visit struct{ Page string }

func (visit) EventType() string  { return "shop.page.visited.v1" }
func (v visit) EventKey() string { return v.Page }

func visits(name string, e leat.Encoding) leat.Topic {
	return leat.Topic{Name: name, KeyEncoding: e, Carries: []any{visit{}}}
}

// keyed is the envelope of a record with this key.
func keyed(t *testing.T, c *schema.Codec, topic leat.Topic, key record) *leat.Envelope {
	t.Helper()
	kinds, err := topic.Kinds()
	if err != nil {
		t.Fatal(err)
	}
	return leat.NewEnvelope(keyWire{wire{topic.Name, record{Data: []byte(`{"Page":"x"}`)}}, key}, &kinds[0], c, 1)
}

// keyWire has a key beside its data.
type keyWire struct {
	wire
	key record
}

func (w keyWire) Key() []byte { return w.key.Data }

func (w keyWire) Header(name string) []byte {
	if name == schema.HeaderKeySchema {
		return w.key.SchemaID
	}
	return w.wire.Header(name)
}

// keyOf is the key that a publisher writes.
func keyOf(t *testing.T, c *schema.Codec, topic leat.Topic, key string) record {
	t.Helper()
	m := message(t, c, topic, visit{key})
	r := record{Data: m.Key}
	for _, h := range m.Headers {
		if h.Key == schema.HeaderKeySchema {
			r.SchemaID = h.Value
		}
	}
	if m.Subject != key {
		t.Errorf("subject %q, want the key as text: %q", m.Subject, key)
	}
	return r
}

// TestKeysGoRound writes and reads keys in every language and both forms.
func TestKeysGoRound(t *testing.T) {
	t.Parallel()
	url := serve(t)
	for _, e := range []leat.Encoding{leat.Avro, leat.JSONSchema, leat.Protobuf} {
		for form, change := range map[string][]func(*schema.CodecConfig){"prefix": nil, "header": {inHeader}} {
			topic := visits(fmt.Sprintf("visits-%s-%s", e, form), e)
			c := codec(t, url, change...)
			if err := c.Prepare(t.Context(), topic); err != nil {
				t.Fatal(err)
			}
			for _, key := range []string{"k", "o-17 \"x\" <\u00e9>", strings.Repeat("long", 100)} {
				r, again := keyOf(t, c, topic, key), keyOf(t, codec(t, url, change...), topic, key)
				if !bytes.Equal(r.Data, again.Data) {
					t.Errorf("%s %s: two services write %x and %x: two partitions", e, form, r.Data, again.Data)
				}
				envelope := keyed(t, codec(t, url), topic, r)
				if err := envelope.Decode(new(visit)); err != nil {
					t.Errorf("%s %s: %v", e, form, err)
				}
				if got := envelope.Key(); got != key {
					t.Errorf("%s %s: read %q, want %q", e, form, got, key)
				}
				named, err := c.KeyBytes(t.Context(), topic.Name, key)
				if err != nil || !bytes.Equal(named, r.Data) {
					t.Errorf("%s %s: a person's key is %x, want %x: %v", e, form, named, r.Data, err)
				}
			}
			if got := keyed(t, c, topic, record{Data: []byte("plain")}).Key(); got != "plain" {
				t.Errorf("%s %s: a key without a frame is read as %q", e, form, got)
			}
			if err := keyed(t, c, topic, record{Data: schema.AppendPrefix(nil, 99)}).Decode(new(visit)); !leat.IsPermanent(err) {
				t.Errorf("%s %s: the key of an unknown schema: got %v, want a permanent error", e, form, err)
			}
		}
	}
}

// TestKeysThatOnlyLookFramedAreLeftAlone has a topic whose keys are texts to leat, and numbers to its writer.
func TestKeysThatOnlyLookFramedAreLeftAlone(t *testing.T) {
	t.Parallel()
	number := []byte{0, 0, 0, 0, 0, 0, 0, 42}
	envelope := keyed(t, codec(t, serve(t)), visits("numbers", ""), record{Data: number})
	if err := envelope.Decode(new(visit)); err != nil || envelope.Key() != string(number) {
		t.Errorf("got %q, %v", envelope.Key(), err)
	}
}

// keysOf goes both ways with a peer.
func keysOf(t *testing.T, p *peer, url, form string, change []func(*schema.CodecConfig)) {
	const key = "order-17" // confluent-kafka for Python reads nothing shorter than six bytes in the header form
	theirText := wrapperspb.String(key).ProtoReflect().Descriptor()
	for _, one := range []struct {
		encoding leat.Encoding
		typ      schema.Type
		schema   string
	}{
		{leat.Avro, schema.Avro, `"string"`},
		{leat.JSONSchema, schema.JSONSchema, `{"$schema":"http://json-schema.org/draft-07/schema#","title":"Key","type":"string"}`},
		{leat.Protobuf, schema.Protobuf, ""},
	} {
		name := fmt.Sprintf("keys-%s-%s", one.encoding, form)
		q := question{Do: "write", Key: true, Type: one.typ, Topic: name + "-theirs", Header: form == "header", Value: key, Schema: one.schema}
		if one.typ == schema.Protobuf {
			q.Files, q.Message = files(t, theirText.ParentFile()), string(theirText.FullName())
		}
		theirs := visits(q.Topic, one.encoding)
		if got := keyed(t, codec(t, url), theirs, p.ask(t, q).record).Key(); got != key {
			t.Errorf("%s: leat reads their key as %q, want %q", one.typ, got, key)
		}

		ours := visits(name+"-ours", one.encoding)
		q = question{Do: "read", Key: true, Type: one.typ, Topic: ours.Name, record: keyOf(t, codec(t, url, change...), ours, key)}
		var want any = key
		if one.typ == schema.Protobuf {
			q.Files, q.Message, want = [][]byte{leatKey(t)}, "leat.Key", map[string]any{"value": key}
		}
		if diff := cmp.Diff(want, p.ask(t, q).Value); diff != "" {
			t.Errorf("%s: our key is read as (-want +got):\n%s", one.typ, diff)
		}
	}
}

// leatKey describes the message that leat writes Protobuf's keys as.
func leatKey(t *testing.T) []byte {
	t.Helper()
	file, err := proto.Marshal(&descriptorpb.FileDescriptorProto{
		Name: proto.String("key.proto"), Package: proto.String("leat"), Syntax: proto.String("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: proto.String("Key"), Field: []*descriptorpb.FieldDescriptorProto{{
			Name: proto.String("value"), Number: proto.Int32(1), JsonName: proto.String("value"),
			Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return file
}
