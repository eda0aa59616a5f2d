package service_test

import (
	"testing"

	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/schema"
	"github.com/leatdev/leat/service"
)

type lamp struct {
	ID string `json:"id"`
}

func (lamp) EventType() string { return "home.lamp.lit.v1" }

type knob struct {
	ID string `json:"id"`
}

func (knob) EventType() string { return "home.knob.turned.v1" }

type odd struct {
	Any chan int `json:"any"`
}

func (odd) EventType() string { return "home.odd.seen.v1" }

// Contracts are there without a registry, of plain JSON too.
func TestContractsNeedNoRegistry(t *testing.T) {
	t.Parallel()
	c := service.Config{Name: "home", Owns: []leat.Topic{
		{Name: "lamps", Encoding: leat.Avro, Carries: []any{lamp{}}},
		{Name: "knobs", Carries: []any{knob{}, odd{}}},
	}}
	all, err := c.Contracts("p.")
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 3 {
		t.Fatalf("%d contracts, want 3: %+v", len(all), all)
	}
	if k := all[0]; k.Event != "home.knob.turned.v1" || k.Encoding != leat.PlainJSON || k.Type != schema.JSONSchema || k.Subject != "p.knobs-home.knob.turned.v1" || k.Schema == "" || k.Fault != "" {
		t.Errorf("of plain JSON: %+v", k)
	}
	if k := all[1]; k.Fault == "" || k.Schema != "" {
		t.Errorf("of a type without a schema: %+v", k)
	}
	want := `{"type":"record","name":"v1","namespace":"home.lamp.lit","fields":[{"name":"id","type":"string"}]}`
	if k := all[2]; k.Encoding != leat.Avro || k.Type != schema.Avro || k.Subject != "p.lamps-value" || k.Schema != want {
		t.Errorf("of Avro: %+v", k)
	}
	c.Owns = []leat.Topic{{Name: "bills", Encoding: leat.Protobuf, Carries: []any{
		leat.KindOf("hotel.bill.drawn.v1", func(b *wrapperspb.StringValue) string { return b.GetValue() }),
	}}}
	all, err = c.Contracts("")
	if err != nil || len(all) != 1 || all[0].Message != "google.protobuf.StringValue" {
		t.Errorf("of Protobuf: %+v, %v", all, err)
	}
	c.Owns = []leat.Topic{{Name: "odd", Encoding: leat.Avro, Carries: []any{odd{}}}}
	if _, err := c.Contracts(""); err == nil {
		t.Error("an Avro event of a type without a schema is no fault")
	}
}
