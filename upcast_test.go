package leat_test

import (
	"errors"
	"iter"
	"strings"
	"testing"
	"time"

	"github.com/leatdev/leat"
)

type (
	priceV1 struct{ Euros int64 }
	priceV2 struct{ Cents int64 }
	priceV3 struct {
		Cents    int64
		Currency string
	}
)

func (priceV1) EventType() string { return "shop.price.set.v1" }
func (priceV2) EventType() string { return "shop.price.set.v2" }
func (priceV3) EventType() string { return "shop.price.set.v3" }

var prices = leat.Topic{
	Name:    "prices",
	Carries: []any{priceV3{}, priceV2{}, priceV1{}},
	Upcasts: []leat.Upcast{
		leat.UpcastBy(func(p priceV1) (priceV2, error) {
			if p.Euros < 0 {
				return priceV2{}, errors.New("a price below zero")
			}
			return priceV2{Cents: 100 * p.Euros}, nil
		}),
		leat.UpcastBy(func(p priceV2) (priceV3, error) { return priceV3{Cents: p.Cents, Currency: "EUR"}, nil }),
	},
}

type typedWire struct {
	typ  string
	data []byte
}

func (w typedWire) Position() leat.Position            { return leat.Position{} }
func (w typedWire) Timestamp() time.Time               { return time.Time{} }
func (w typedWire) Key() []byte                        { return nil }
func (w typedWire) Value() []byte                      { return w.data }
func (w typedWire) Header(string) []byte               { return nil }
func (w typedWire) Headers() iter.Seq2[string, []byte] { return func(func(string, []byte) bool) {} }
func (w typedWire) Attribute(name string) string {
	if name == "type" {
		return w.typ
	}
	return ""
}

func TestOlderEventsAreReadAsTheNewestType(t *testing.T) {
	t.Parallel()
	h := leat.NewHandler[priceV3](prices, nil)
	if h.Err != nil {
		t.Fatal(h.Err)
	}
	if got := strings.Join(h.Kind.Older(), " "); got != "shop.price.set.v2 shop.price.set.v1" {
		t.Errorf("older types: %s", got)
	}
	want := priceV3{Cents: 700, Currency: "EUR"}
	for typ, data := range map[string]string{
		"shop.price.set.v1": `{"Euros":7}`,
		"shop.price.set.v2": `{"Cents":700}`,
		"shop.price.set.v3": `{"Cents":700,"Currency":"EUR"}`,
	} {
		var got priceV3
		if err := leat.NewEnvelope(typedWire{typ, []byte(data)}, &h.Kind, nil, 1).Decode(&got); err != nil || got != want {
			t.Errorf("%s: got %+v %v, want %+v", typ, got, err, want)
		}
	}
	var got priceV3
	err := leat.NewEnvelope(typedWire{"shop.price.set.v1", []byte(`{"Euros":-1}`)}, &h.Kind, nil, 1).Decode(&got)
	if !leat.IsPermanent(err) || !strings.Contains(err.Error(), "upcast shop.price.set.v1: a price below zero") {
		t.Errorf("got %v, want an undecodable event", err)
	}
}

func TestUpcastsThatLeadNowhereAreRefused(t *testing.T) {
	t.Parallel()
	back := leat.UpcastBy(func(p priceV2) (priceV1, error) { return priceV1{}, nil })
	for want, change := range map[string]func(*leat.Topic){
		"which it does not carry": func(t *leat.Topic) { t.Carries = t.Carries[:2] },
		"round in a circle":       func(t *leat.Topic) { t.Upcasts = append([]leat.Upcast{back}, t.Upcasts...) },
		"two upcasts to":          func(t *leat.Topic) { t.Upcasts = append([]leat.Upcast{t.Upcasts[0]}, t.Upcasts...) },
		"an empty Upcast":         func(t *leat.Topic) { t.Upcasts = []leat.Upcast{{}} },
	} {
		topic := prices
		change(&topic)
		if err := topic.Validate(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
