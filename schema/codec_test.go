package schema_test

import (
	"errors"
	"iter"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
)

type placed struct {
	ID string
}

func (placed) EventType() string  { return "shop.order.placed.v1" }
func (p placed) EventKey() string { return p.ID }

type paid struct {
	ID string
}

func (paid) EventType() string { return "shop.order.paid.v1" }

type broken struct {
	C chan int
}

func (broken) EventType() string { return "shop.order.broken.v1" }

// wire is a record of a message.
type wire struct {
	m leat.Message
}

func (w wire) Position() leat.Position { return leat.Position{Topic: w.m.Topic} }
func (w wire) Timestamp() time.Time    { return w.m.Time }
func (w wire) Key() []byte             { return w.m.Key }
func (w wire) Value() []byte           { return w.m.Data }
func (w wire) Attribute(name string) string {
	if name == "type" {
		return w.m.Type
	}
	return ""
}

func (w wire) Header(name string) (value []byte) {
	for _, h := range w.m.Headers {
		if h.Key == name {
			value = h.Value
		}
	}
	return value
}
func (w wire) Headers() iter.Seq2[string, []byte] { return func(func(string, []byte) bool) {} }

func encode(t *testing.T, c leat.Codec, topic leat.Topic, event any) leat.Message {
	t.Helper()
	m, err := tryEncode(c, topic, event)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func tryEncode(c leat.Codec, topic leat.Topic, event any) (m leat.Message, err error) {
	catalog, err := leat.NewCatalog(topic)
	if err != nil {
		return m, err
	}
	e := leat.Encoder{Catalog: catalog, Codec: c, Source: "test"}
	err = e.Encode(&m, event, nil, "id", time.Unix(0, 0))
	return m, err
}

func decode[T any](c leat.Codec, topic leat.Topic, m leat.Message) (v T, err error) {
	kinds, err := topic.Kinds()
	if err != nil {
		return v, err
	}
	for i := range kinds {
		if h := leat.NewHandler[T](topic, nil); h.Kind.Type == kinds[i].Type {
			return v, leat.NewEnvelope(wire{m}, &kinds[i], c, 1).Decode(&v)
		}
	}
	return v, errors.New("not carried")
}

func TestEventsGoRoundInBothForms(t *testing.T) {
	t.Parallel()
	for _, encoding := range []leat.Encoding{leat.Avro, leat.Protobuf} {
		for _, header := range []bool{false, true} {
			registry := &fakeRegistry{}
			c := codecOf(t, registry, func(cfg *schema.CodecConfig) { cfg.Header, cfg.URL = header, "http://registry:8081/" })
			topic := leat.Topic{Name: "orders", Carries: []any{placed{}}, Encoding: encoding}
			m := encode(t, c, topic, placed{ID: "o1"})
			if framed := m.Data[0] == 0; framed == header {
				t.Errorf("%s header %v: data is %q", encoding, header, m.Data)
			}
			if m.ContentType != "application/x-fake" || m.DataSchema != "http://registry:8081/subjects/orders-value/versions/1" {
				t.Errorf("%s header %v: content type %q, dataschema %q", encoding, header, m.ContentType, m.DataSchema)
			}
			got, err := decode[placed](codecOf(t, registry, nil), topic, m)
			if err != nil || got.ID != "o1" {
				t.Errorf("%s header %v: got %+v %v", encoding, header, got, err)
			}
		}
	}
}

func TestSubjectsFollowTheStrategy(t *testing.T) {
	t.Parallel()
	one := leat.Topic{Name: "orders", Carries: []any{placed{}}, Encoding: leat.Avro}
	two := leat.Topic{Name: "orders", Carries: []any{placed{}, paid{}}, Encoding: leat.Avro}
	record := two
	record.Subjects = leat.RecordName
	for _, c := range []struct {
		topic leat.Topic
		want  string
	}{
		{one, "orders-value"},
		{two, "orders-shop.order.placed.v1"}, // TopicName would take the second type for a break of the first
		{record, "shop.order.placed.v1"},
	} {
		registry := &fakeRegistry{}
		encode(t, codecOf(t, registry, nil), c.topic, placed{ID: "o1"})
		if got := registry.all[0].Subject; got != c.want {
			t.Errorf("%d types, %q: got %s, want %s", len(c.topic.Carries), c.topic.Subjects, got, c.want)
		}
	}
}

func TestPlainJSONIsReadFromATopicThatCameToItsEncodingLater(t *testing.T) {
	t.Parallel()
	topic := leat.Topic{Name: "orders", Carries: []any{placed{}}}
	before := encode(t, leat.JSON, topic, placed{ID: "o1"})
	topic.Encoding = leat.Avro
	got, err := decode[placed](codecOf(t, &fakeRegistry{}, nil), topic, before)
	if err != nil || got.ID != "o1" {
		t.Fatalf("got %+v %v", got, err)
	}
	// And the other way round: framed data on a topic that is plain JSON by the reader's word.
	registry := &fakeRegistry{}
	m := encode(t, codecOf(t, registry, nil), topic, placed{ID: "o2"})
	topic.Encoding = ""
	got, err = decode[placed](codecOf(t, registry, nil), topic, m)
	if err != nil || got.ID != "o2" {
		t.Fatalf("got %+v %v", got, err)
	}
}

func TestARegistryThatIsAwayStopsNobodyWhoKnows(t *testing.T) {
	t.Parallel()
	registry := &fakeRegistry{}
	c := codecOf(t, registry, nil)
	topic := leat.Topic{Name: "orders", Carries: []any{placed{}}, Encoding: leat.Avro}
	if err := c.Prepare(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
	m := encode(t, c, topic, placed{ID: "o1"})
	if _, err := decode[placed](c, topic, m); err != nil {
		t.Fatal(err)
	}
	registry.away = true
	asked := registry.asked
	for range 100 {
		if _, err := decode[placed](c, topic, encode(t, c, topic, placed{ID: "o2"})); err != nil {
			t.Fatal(err)
		}
	}
	if registry.asked != asked {
		t.Errorf("asked %d times for what was known", registry.asked-asked)
	}
}

func TestASchemaThatCantBeFetchedPutsTheEventOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		registry := &fakeRegistry{}
		topic := leat.Topic{Name: "orders", Carries: []any{placed{}}, Encoding: leat.Avro}
		m := encode(t, codecOf(t, registry, nil), topic, placed{ID: "o1"})
		registry.away = true
		c := codecOf(t, registry, nil)
		asked := registry.asked
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if _, err := decode[placed](c, topic, m); !leat.IsUnavailable(err) {
					t.Errorf("got %v, want an error that is nobody's event's fault", err)
				}
			})
		}
		wg.Wait()
		if got := registry.asked - asked; got != 1 {
			t.Errorf("50 events at once asked %d times, want once", got)
		}
		registry.away = false
		time.Sleep(2 * time.Second)
		if got, err := decode[placed](c, topic, m); err != nil || got.ID != "o1" {
			t.Errorf("after the registry came back: got %+v %v", got, err)
		}
	})
}

func TestAnUnknownSchemaIsTheEventsFault(t *testing.T) {
	t.Parallel()
	topic := leat.Topic{Name: "orders", Carries: []any{placed{}}, Encoding: leat.Avro}
	_, err := decode[placed](codecOf(t, &fakeRegistry{}, nil), topic, leat.Message{Data: schema.AppendPrefix(nil, 7)})
	if leat.IsUnavailable(err) || !leat.IsPermanent(err) || !errors.Is(err, schema.ErrNotFound) {
		t.Fatalf("got %v, want a permanent error that wraps ErrNotFound", err)
	}
}

func TestWithoutAutoRegisterTheSchemaMustBeThere(t *testing.T) {
	t.Parallel()
	registry := &fakeRegistry{}
	topic := leat.Topic{Name: "orders", Carries: []any{placed{}}, Encoding: leat.Avro}
	strict := func(cfg *schema.CodecConfig) { cfg.AutoRegister = false }
	err := codecOf(t, registry, strict).Prepare(t.Context(), topic)
	if !errors.Is(err, schema.ErrNotFound) || !strings.Contains(err.Error(), "leat schema register") {
		t.Fatalf("got %v, want ErrNotFound and what to do", err)
	}
	if err := codecOf(t, registry, nil).Prepare(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
	if err := codecOf(t, registry, strict).Prepare(t.Context(), topic); err != nil {
		t.Fatal(err)
	}
}

// A topic that gets a second type has other subjects. To the registry each is new, and takes
// everything: the first type is held to the versions that it had.
func TestASecondTypeDoesNotFreeTheFirst(t *testing.T) {
	t.Parallel()
	one := leat.Topic{Name: "orders", Carries: []any{placed{}}, Encoding: leat.Avro}
	type Broken struct{ Broken int }
	changed := leat.KindOf("shop.order.placed.v1", func(Broken) string { return "" })
	for _, c := range []struct {
		name, judged, err string
		then              leat.Topic
	}{
		{"unchanged", "orders-value", "", leat.Topic{Carries: []any{placed{}, paid{}}}},
		{"broken", "orders-value", "orders-value has the versions of this event until now", leat.Topic{Carries: []any{changed, paid{}}}},
		{"broken, by another name", "orders-value", "orders-value has the versions", leat.Topic{Carries: []any{changed}, Subjects: leat.RecordName}},
		{"another record", "", "", leat.Topic{Carries: []any{paid{}, leat.KindOf("shop.order.sent.v1", func(Broken) string { return "" })}}},
	} {
		registry := &fakeRegistry{}
		if err := codecOf(t, registry, nil).Prepare(t.Context(), one); err != nil {
			t.Fatal(err)
		}
		c.then.Name, c.then.Encoding = "orders", leat.Avro
		err := codecOf(t, registry, nil).Prepare(t.Context(), c.then)
		if c.err == "" && err != nil || c.err != "" && (!errors.Is(err, schema.ErrIncompatible) || leat.IsUnavailable(err) || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.err)
		}
		if registry.judged != c.judged {
			t.Errorf("%s: judged by %q, want %q", c.name, registry.judged, c.judged)
		}
		if err == nil && codecOf(t, registry, nil).Prepare(t.Context(), one) != nil {
			t.Errorf("%s: the release before does not start again", c.name)
		}
	}
}

func TestPrepareTellsEveryFault(t *testing.T) {
	t.Parallel()
	registry := &fakeRegistry{away: true}
	c := codecOf(t, registry, nil)
	topic := leat.Topic{Name: "orders", Carries: []any{placed{}, broken{}}, Encoding: leat.Avro}
	if err := c.Prepare(t.Context(), topic); !leat.IsUnavailable(err) {
		t.Fatalf("registry away: got %v, want unavailable", err)
	}
	registry.away = false
	err := c.Prepare(t.Context(), topic)
	if err == nil || leat.IsUnavailable(err) || !strings.Contains(err.Error(), "shop.order.broken.v1") || !strings.Contains(err.Error(), "broken.C: a channel has no schema") {
		t.Fatalf("got %v, want the one contract that can't be kept", err)
	}
	if len(registry.all) != 1 {
		t.Errorf("registered %d schemas, want the good one", len(registry.all))
	}
}

func TestEncodingsWithoutARegistryAreRefused(t *testing.T) {
	t.Parallel()
	topic := leat.Topic{Name: "orders", Carries: []any{placed{}}, Encoding: leat.Avro}
	c := codecOf(t, nil, nil)
	if err := c.Prepare(t.Context(), topic); err == nil || !strings.Contains(err.Error(), "--registry-url") {
		t.Errorf("prepare: got %v", err)
	}
	if _, err := decode[placed](c, topic, leat.Message{Data: schema.AppendPrefix(nil, 7)}); err == nil || !strings.Contains(err.Error(), "--registry-url") {
		t.Errorf("decode: got %v", err)
	}
}
