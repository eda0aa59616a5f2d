package interop

import (
	"context"
	"iter"
	"log/slog"
	"testing"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/schema/avro"
	"github.com/leatdev/leat/schema/jsonschema"
	"github.com/leatdev/leat/schema/protobuf"
	"github.com/leatdev/leat/schema/registry"
)

var formats = []schema.Format{avro.Format, jsonschema.New(jsonschema.Options{ValidateOnRead: true}), protobuf.Format}

// answerIn is how long a registry has to answer: a busy machine may stand still for many seconds.
const answerIn = time.Minute

// serve runs leat's registry with the test and returns where.
func serve(t *testing.T) string {
	t.Helper()
	cfg := registry.Config{Log: registry.NewMemory(), Logger: slog.New(slog.DiscardHandler)}
	for _, f := range formats {
		cfg.Languages = append(cfg.Languages, f)
	}
	s, err := registry.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }() // ends in the cleanup
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-s.Ready():
	case err := <-ended:
		t.Fatal(err)
	}
	return s.URL()
}

func client(t *testing.T, url string) *schema.Client {
	t.Helper()
	c, err := schema.NewClient(schema.ClientConfig{URLs: []string{url}, Timeout: answerIn})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// codec is a service's, as if it had just started.
func codec(t *testing.T, url string, change ...func(*schema.CodecConfig)) *schema.Codec {
	t.Helper()
	cfg := schema.CodecConfig{Registry: client(t, url), Formats: formats, AutoRegister: true, Wait: answerIn}
	for _, f := range change {
		f(&cfg)
	}
	c, err := schema.NewCodec(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func inHeader(cfg *schema.CodecConfig) { cfg.Header = true }

// write encodes an event as a publisher does.
func write(t *testing.T, c *schema.Codec, topic leat.Topic, event any) record {
	t.Helper()
	m := message(t, c, topic, event)
	r := record{Data: m.Data}
	for _, h := range m.Headers {
		if h.Key == schema.HeaderValueSchema {
			r.SchemaID = h.Value
		}
	}
	return r
}

func message(t *testing.T, c *schema.Codec, topic leat.Topic, event any) leat.Message {
	t.Helper()
	catalog, err := leat.NewCatalog(topic)
	if err != nil {
		t.Fatal(err)
	}
	var m leat.Message
	if err := (&leat.Encoder{Catalog: catalog, Codec: c, Source: "test"}).Encode(&m, event, nil, "id", time.Unix(0, 0)); err != nil {
		t.Fatal(err)
	}
	return m
}

// read decodes a record as a handler of the topic's only kind does.
func read[T any](c *schema.Codec, topic leat.Topic, r record) (v T, err error) {
	kinds, err := topic.Kinds()
	if err != nil {
		return v, err
	}
	return v, leat.NewEnvelope(wire{topic.Name, r}, &kinds[0], c, 1).Decode(&v)
}

// wire is a record as a consumer sees it.
type wire struct {
	topic string
	record
}

func (w wire) Position() leat.Position { return leat.Position{Topic: w.topic} }
func (w wire) Timestamp() time.Time    { return time.Unix(0, 0) }
func (w wire) Key() []byte             { return nil }
func (w wire) Value() []byte           { return w.Data }
func (w wire) Attribute(string) string { return "" }
func (w wire) Header(key string) []byte {
	if key == schema.HeaderValueSchema {
		return w.SchemaID
	}
	return nil
}
func (w wire) Headers() iter.Seq2[string, []byte] { return func(func(string, []byte) bool) {} }
