package interop

import (
	"testing"

	"github.com/leatdev/leat/schema"
)

// What a message's file imports is registered before it, each file under its own path, and found again
// by who may not register.
func TestImportsAreRegistered(t *testing.T) {
	t.Parallel()
	url := serve(t)
	topic := carrying[*Placed]("placed")
	r := write(t, codec(t, url), topic, aPlaced())
	got, err := client(t, url).Version(t.Context(), "placed-value", -1)
	want := schema.Reference{Name: "interop/money.proto", Subject: "interop/money.proto", Version: 1}
	if err != nil || len(got.References) != 1 || got.References[0] != want {
		t.Errorf("got %+v %v, want one reference, %+v", got.References, err, want)
	}
	strict := codec(t, url, func(cfg *schema.CodecConfig) { cfg.AutoRegister = false })
	if again := write(t, strict, topic, aPlaced()); string(again.Data[:5]) != string(r.Data[:5]) {
		t.Errorf("written by schema %x, then by %x", r.Data[:5], again.Data[:5])
	}
}
