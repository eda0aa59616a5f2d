package leat_test

import (
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat"
)

// fakeWire is a record in memory.
type fakeWire struct {
	attrs map[string]string
	key   []byte
	value []byte
}

func (w fakeWire) Position() leat.Position {
	return leat.Position{Topic: "t", Partition: 3, Offset: 42}
}
func (w fakeWire) Timestamp() time.Time { return time.UnixMilli(1000).UTC() }
func (w fakeWire) Key() []byte          { return w.key }
func (w fakeWire) Value() []byte        { return w.value }
func (w fakeWire) Attribute(name string) string {
	return w.attrs[name]
}
func (w fakeWire) Header(string) []byte               { return nil }
func (w fakeWire) Headers() iter.Seq2[string, []byte] { return func(func(string, []byte) bool) {} }

func encoder(t *testing.T) *leat.Encoder {
	t.Helper()
	c, err := leat.NewCatalog(leat.Topic{Name: "shop.orders", Carries: []any{created{}}})
	if err != nil {
		t.Fatal(err)
	}
	return &leat.Encoder{Catalog: c, Source: "order"}
}

func TestEncodeAddressesARootEvent(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("x", 3600))
	var got leat.Message
	if err := encoder(t).Encode(&got, created{OrderID: "o1", Cents: 7}, nil, "id-1", now); err != nil {
		t.Fatal(err)
	}
	want := leat.Message{
		ID: "id-1", Type: "shop.order.created.v1", Source: "order", Subject: "o1", Time: now.UTC(),
		Topic: "shop.orders", Key: []byte("o1"), ContentType: "application/json",
		Data: []byte(`{"order_id":"o1","cents":7}`), CorrelationID: "id-1",
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Fatal(d)
	}
	if got.Size() < len(got.Key)+len(got.Data)+100 {
		t.Fatalf("size %d leaves out the headers", got.Size())
	}
}

func TestEncodeInheritsFromTheCauseAndObeysWith(t *testing.T) {
	t.Parallel()
	cause := leat.NewEnvelope(fakeWire{attrs: map[string]string{"id": "cause", "correlationid": "root"}}, nil, nil, 1)
	var m leat.Message
	e := encoder(t)
	if err := e.Encode(&m, created{OrderID: "o1"}, cause, "id-2", time.Now()); err != nil {
		t.Fatal(err)
	}
	if m.CausationID != "cause" || m.CorrelationID != "root" {
		t.Fatalf("caused by %q, correlated to %q", m.CausationID, m.CorrelationID)
	}
	at := time.Unix(5, 0)
	out := leat.With(created{OrderID: "o1"}, leat.ID("mine"), leat.Subject("s"), leat.CorrelationID("c"), leat.At(at), leat.WithHeader("h", []byte("v")))
	if err := e.Encode(&m, out, cause, "id-3", time.Now()); err != nil {
		t.Fatal(err)
	}
	if m.ID != "mine" || m.Subject != "s" || m.CorrelationID != "c" || !m.Time.Equal(at) || len(m.Headers) != 1 {
		t.Fatalf("With was not obeyed: %+v", m)
	}
}

func TestEncodeWithoutAKeyHasNoKey(t *testing.T) {
	t.Parallel()
	var m leat.Message
	if err := encoder(t).Encode(&m, created{}, nil, "id", time.Now()); err != nil {
		t.Fatal(err)
	}
	if m.Key != nil {
		t.Fatalf("key %q is not nil: it would be hashed as a key", m.Key)
	}
}

func TestEncodeRefusesWhatNoTopicCarries(t *testing.T) {
	t.Parallel()
	var m leat.Message
	err := encoder(t).Encode(&m, cancelled{}, nil, "id", time.Now())
	if err == nil || !strings.Contains(err.Error(), "Owns") {
		t.Fatalf("err = %v", err)
	}
	if err := encoder(t).Encode(&m, nil, nil, "id", time.Now()); err == nil {
		t.Fatal("nil was encoded")
	}
}

func TestEnvelopeFallsBackWhereARecordIsForeign(t *testing.T) {
	t.Parallel()
	e := leat.NewEnvelope(fakeWire{value: []byte(`{"order_id":"o9"}`)}, &leat.Kind{Type: "foreign.v1"}, nil, 2)
	if source, id := e.Identity(); source != "" || id != "t/3@42" {
		t.Fatalf("identity %q %q", source, id)
	}
	if e.Type() != "foreign.v1" || !e.Time().Equal(time.UnixMilli(1000)) || e.Attempt() != 2 {
		t.Fatalf("type %q time %v attempt %d", e.Type(), e.Time(), e.Attempt())
	}
	ev, err := leat.DecodeEvent[created](e)
	if err != nil || ev.Data.OrderID != "o9" || ev.Position().Offset != 42 {
		t.Fatalf("%+v, %v", ev, err)
	}
	bad := leat.NewEnvelope(fakeWire{value: []byte(`{`)}, nil, nil, 1)
	if _, err := leat.DecodeEvent[created](bad); !leat.IsPermanent(err) || !strings.Contains(err.Error(), "t/3@42") {
		t.Fatalf("err = %v", err)
	}
}

func TestHandlerSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	topic := leat.Topic{Name: "shop.orders", Carries: []any{created{}}}
	if h := leat.NewHandler[cancelled](topic, nil); h.Validate() == nil || !strings.Contains(h.Validate().Error(), "does not carry") {
		t.Fatalf("%v", h.Validate())
	}
	h := leat.NewHandler[created](topic, []leat.HandlerOption{func(h *leat.Handler) { h.Parallel = 3 }})
	if h.Kind.Type != "shop.order.created.v1" || h.Parallel != 3 {
		t.Fatalf("%+v", h)
	}
	if err := h.Validate(); err == nil || !strings.Contains(err.Error(), "no function") {
		t.Fatalf("%v", err)
	}
	h.Bind = func(any) (leat.Handler, error) { return h, nil }
	if err := h.Validate(); err == nil || !strings.Contains(err.Error(), "not bound") {
		t.Fatalf("%v", err)
	}
}
