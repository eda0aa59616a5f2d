package interop

import (
	_ "embed"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/schema"
)

//go:embed testdata/python/requirements.txt
var requirements []byte

func startPython(t *testing.T, registry string) *peer {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Python: not in short runs")
	}
	python, err := server.Python(t.Context(), "interop-python", requirements)
	if err != nil {
		leattest.Missing(t, "python", err.Error())
	}
	return start(t, python, "testdata/python/peer.py", registry)
}

// TestPython has confluent-kafka's serializers on the other side.
func TestPython(t *testing.T) {
	t.Parallel()
	url := serve(t)
	p := startPython(t, url)
	for _, form := range []string{"prefix", "header"} {
		t.Run(form, func(t *testing.T) {
			header := form == "header"
			var change []func(*schema.CodecConfig)
			if header {
				change = append(change, inHeader)
			}
			name := func(s string) string { return s + "-" + form }
			t.Run("avro", func(t *testing.T) { structs(t, p, url, leat.Avro, name("avro"), header, change) })
			t.Run("json", func(t *testing.T) { structs(t, p, url, leat.JSONSchema, name("json"), header, change) })
			t.Run("keys", func(t *testing.T) { keysOf(t, p, url, form, change) })
			t.Run("protobuf", func(t *testing.T) {
				messages(t, p, url, name("placed"), aPlaced(), header, change)
				messages(t, p, url, name("sent"), aSent(), header, change)
				messages(t, p, url, name("parcel"), aSent().Parcels[0], header, change)
			})
		})
	}
}

// structs goes both ways with the Go type placed.
func structs(t *testing.T, p *peer, url string, e leat.Encoding, name string, header bool, change []func(*schema.CodecConfig)) {
	typ, own, theirs, ours := schema.Avro, placedAvro, avroOrder, ourAvroOrder
	if e == leat.JSONSchema {
		typ, own, theirs, ours = schema.JSONSchema, placedJSON, jsonOrder, ourJSONOrder
	}
	topic := leat.Topic{Name: name + "-theirs", Encoding: e, Carries: []any{placed{}}}
	a := p.ask(t, question{Do: "write", Type: typ, Topic: topic.Name, Schema: own, Header: header, Value: document(t, theirs)})
	if framed := len(a.SchemaID) > 0; framed != header {
		t.Fatalf("a header %x, want one: %v", a.SchemaID, header)
	}
	got, err := read[placed](codec(t, url), topic, a.record)
	if diff := cmp.Diff(theirOrder(), got, cmp.Comparer(schema.Decimal.Equal)); diff != "" || err != nil {
		t.Errorf("leat reads %v (-want +got):\n%s", err, diff)
	}

	topic.Name = name + "-ours"
	r := write(t, codec(t, url, change...), topic, anOrder())
	a = p.ask(t, question{Do: "read", Type: typ, Topic: topic.Name, record: r})
	if diff := cmp.Diff(document(t, ours), a.Value); diff != "" {
		t.Errorf("what leat wrote is read as (-want +got):\n%s", diff)
	}
	got, err = read[placed](codec(t, url), topic, r)
	if diff := cmp.Diff(anOrder(), got, cmp.Comparer(schema.Decimal.Equal)); diff != "" || err != nil {
		t.Errorf("leat reads its own %v (-want +got):\n%s", err, diff)
	}
}

// messages goes both ways with a generated message.
func messages[T proto.Message](t *testing.T, p *peer, url, name string, m T, header bool, change []func(*schema.CodecConfig)) {
	t.Helper()
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	d := m.ProtoReflect().Descriptor()
	q := question{
		Do: "write", Type: schema.Protobuf, Topic: name + "-theirs", Header: header, Value: document(t, string(text)),
		Files: files(t, d.ParentFile()), Message: string(d.FullName()),
	}
	got, err := read[T](codec(t, url), carrying[T](q.Topic), p.ask(t, q).record)
	if diff := cmp.Diff(m, got, protocmp.Transform()); diff != "" || err != nil {
		t.Errorf("%s: leat reads %v (-want +got):\n%s", d.FullName(), err, diff)
	}
	q.Do, q.Topic, q.Value = "read", name+"-ours", nil
	q.record = write(t, codec(t, url, change...), carrying[T](q.Topic), m)
	if diff := cmp.Diff(document(t, string(text)), p.ask(t, q).Value); diff != "" {
		t.Errorf("%s: what leat wrote is read as (-want +got):\n%s", d.FullName(), diff)
	}

	if d.Parent() != d.ParentFile() {
		return // confluent-kafka finds nothing nested in the latest version: KeyError
	}
	topic := carrying[T](name + "-found")
	topic.Subjects = leat.TopicRecordName
	write(t, codec(t, url, change...), topic, m)
	q.Do, q.Topic, q.Value, q.Found, q.record = "write", topic.Name, document(t, string(text)), true, record{}
	got, err = read[T](codec(t, url), topic, p.ask(t, q).record)
	if diff := cmp.Diff(m, got, protocmp.Transform()); diff != "" || err != nil {
		t.Errorf("%s: written by the subject that leat registered, leat reads %v (-want +got):\n%s", d.FullName(), err, diff)
	}
}

// files are the descriptors of a file and its imports, each after those that it needs.
func files(t *testing.T, f protoreflect.FileDescriptor) (all [][]byte) {
	t.Helper()
	for i := range f.Imports().Len() {
		all = append(all, files(t, f.Imports().Get(i).FileDescriptor)...)
	}
	data, err := proto.Marshal(protodesc.ToFileDescriptorProto(f))
	if err != nil {
		t.Fatal(err)
	}
	return append(all, data)
}
