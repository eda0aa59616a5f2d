package service_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/consumer"
	"github.com/leatdev/leat/kafka"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/broker"
	"github.com/leatdev/leat/outbox"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/service"
)

// bill describes a message with these fields, all of them texts, the second in its file.
func bill(t *testing.T, fields ...string) protoreflect.MessageDescriptor {
	t.Helper()
	m := &descriptorpb.DescriptorProto{Name: new("Bill")}
	for i, name := range fields {
		m.Field = append(m.Field, &descriptorpb.FieldDescriptorProto{
			Name: new(name), Number: new(int32(i + 1)),
			Type: descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(), Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
		})
	}
	fd, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name: new("hotel/bill.proto"), Package: new("hotel"), Syntax: new("proto3"),
		MessageType: []*descriptorpb.DescriptorProto{{Name: new("Guest")}, m},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return fd.Messages().ByName("Bill")
}

func dynamic(of protoreflect.MessageDescriptor, values map[string]string) *dynamicpb.Message {
	m := dynamicpb.NewMessage(of)
	for name, v := range values {
		m.Set(of.Fields().ByName(protoreflect.Name(name)), protoreflect.ValueOfString(v))
	}
	return m
}

// Dynamic messages are written by their own descriptors, or the latest version of the subject, and read
// by the schema of their writer, with the message that the frame names.
func TestDynamicMessagesThroughARegistry(t *testing.T) {
	t.Parallel()
	broker.Each(t, func(t *testing.T, b *broker.Broker) {
		for name, header := range map[string]bool{"prefix": false, "header": true} {
			t.Run(name, func(t *testing.T) { testDynamic(t, b, newContracts(t), header) })
		}
	})
}

func testDynamic(t *testing.T, b *broker.Broker, c *contracts, header bool) {
	prefix := b.Name("dynamic") + "."
	topic := leat.Topic{
		Name: "hotel.bills", Partitions: 1, Encoding: leat.Protobuf,
		Carries: []any{leat.KindOf("hotel.bill.drawn.v1", func(m *dynamicpb.Message) string {
			return m.Get(m.Descriptor().Fields().ByName("id")).String()
		})},
	}
	database := "sqlite:" + t.TempDir()
	host := func(schemas string, services ...service.Config) *service.Host {
		cfg := service.HostConfig{
			DatabaseURL: database, Prefix: prefix, Logger: quiet(), Services: services,
			Registry: c.config(func(r *service.RegistryConfig) { r.Header, r.Schemas = header, schemas }),
		}
		cfg.Kafka = kafka.Config{Brokers: b.Addrs}
		return hosting(t, cfg)
	}
	writers := map[string]*service.Service{}
	for _, schemas := range []string{service.SchemasCheck, service.SchemasRegister, service.SchemasLatest} {
		name := "writer-" + schemas
		writers[schemas] = host(schemas, service.Config{Name: name, Owns: []leat.Topic{topic}}).Service(name)
	}
	var got atomic.Value
	host(service.SchemasCheck, service.Config{Name: "reader", Handlers: []leat.Handler{
		consumer.On(topic, func(_ context.Context, e *leat.Event[*dynamicpb.Message]) error {
			var fields []string
			d := e.Data.Descriptor()
			for i := range d.Fields().Len() {
				f := d.Fields().Get(i)
				fields = append(fields, fmt.Sprintf("%s=%s", f.Name(), e.Data.Get(f)))
			}
			by := e.Header(kafka.HeaderDataSchema)
			got.Store(fmt.Sprintf("%s %s %s %s", e.Key(), d.FullName(), strings.Join(fields, " "), by[strings.LastIndexByte(by, '/')+1:]))
			return nil
		}),
	}})
	publish := func(schemas string, m *dynamicpb.Message, want string) {
		t.Helper()
		var err error
		leattest.Eventually(t, "the registry answers", func() error {
			err = writers[schemas].Tx(t.Context(), func(ctx context.Context, tx *outbox.Tx) error { return tx.Publish(ctx, m) })
			if leat.IsUnavailable(err) {
				return err
			}
			return nil
		})
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "leat schema register") {
				t.Errorf("%s: got %v, want that the schema is not registered", schemas, err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		leattest.Eventually(t, "the reader has "+want, func() error {
			if have := got.Load(); have != want {
				return fmt.Errorf("%v", have)
			}
			return nil
		})
	}
	short, long := bill(t, "id"), bill(t, "id", "note")
	publish(service.SchemasCheck, dynamic(short, map[string]string{"id": "b1"}), "")
	publish(service.SchemasRegister, dynamic(short, map[string]string{"id": "b2"}), "b2 hotel.Bill id=b2 1")
	publish(service.SchemasRegister, dynamic(long, map[string]string{"id": "b3", "note": "tea"}), "b3 hotel.Bill id=b3 note=tea 2")
	publish(service.SchemasCheck, dynamic(short, map[string]string{"id": "b4"}), "b4 hotel.Bill id=b4 1")
	publish(service.SchemasLatest, dynamic(short, map[string]string{"id": "b5"}), "b5 hotel.Bill id=b5 note= 2")
}

// A dynamic message goes by its descriptor, or by a schema by hand that has its fields. One without is refused
// where it is written, data without a frame where it is read. More descriptors than writers are kept do no harm.
func TestDynamicMessagesGoByTheirSchemas(t *testing.T) {
	t.Parallel()
	c := newContracts(t)
	client, err := c.config().Open()
	if err != nil {
		t.Fatal(err)
	}
	codec, err := c.config().Codec(client, "")
	if err != nil {
		t.Fatal(err)
	}
	kind := leat.KindOf[*dynamicpb.Message]("hotel.bill.drawn.v1", nil)
	kind.Topic, kind.Encoding = "hotel.bills", leat.Protobuf
	for name, v := range map[string]*dynamicpb.Message{"nil": nil, "zero": {}} {
		if _, err := codec.Append(nil, &kind, v); err == nil || !strings.Contains(err.Error(), "dynamicpb.NewMessage") {
			t.Errorf("%s: got %v, want what to do", name, err)
		}
	}
	var m *dynamicpb.Message
	if err := codec.Decode([]byte(`{"id":"b1"}`), &kind, &m); err == nil || !strings.Contains(err.Error(), "names no schema") || m != nil {
		t.Errorf("plain JSON: got %v, %v", m, err)
	}
	for range 600 { // each with a descriptor of its own, of one schema
		want := dynamic(bill(t, "id"), map[string]string{"id": "b1"})
		data, err := codec.Append(nil, &kind, want)
		if err == nil {
			err = codec.Decode(data, &kind, &m)
		}
		if err != nil || m.Get(m.Descriptor().Fields().ByName("id")).String() != "b1" || proto.Size(m) != proto.Size(want) {
			t.Fatalf("got %v, %v", m, err)
		}
	}
	described := kind.Described("syntax = \"proto3\"; package hotel; message Guest {} message Bill { string id = 1; string note = 2; }")
	own, err := codec.Contract(&described)
	if err != nil || own.Type != schema.Protobuf || own.Subject != "hotel.bills-value" {
		t.Errorf("the contract by hand: got %+v, %v", own, err)
	}
	if data, err := codec.Append(nil, &described, dynamic(bill(t, "id"), map[string]string{"id": "b1"})); err != nil || codec.Decode(data, &kind, &m) != nil ||
		m.Descriptor().Fields().Len() != 2 {
		t.Errorf("by a schema by hand: got %v, %v", m, err)
	}
	if _, err := codec.Append(nil, &described, dynamic(bill(t, "id", "note", "more"), nil)); err == nil || !strings.Contains(err.Error(), "hotel.Bill.more (3) is not in the schema") {
		t.Errorf("a field that the schema by hand lacks: got %v", err)
	}
}

// The manifest of a service that writes dynamic messages says that they have no contract before they are there.
func TestTheManifestTellsOfDynamicMessages(t *testing.T) {
	t.Parallel()
	topic := leat.Topic{Name: "hotel.bills", Encoding: leat.Protobuf, Carries: []any{leat.KindOf[*dynamicpb.Message]("hotel.bill.drawn.v1", nil)}}
	all, err := service.Config{Name: "hotel", Owns: []leat.Topic{topic}}.Contracts("")
	if err != nil || len(all) != 1 || all[0].Fault == "" || all[0].Schema != "" {
		t.Errorf("got %+v, %v", all, err)
	}
}
