package interop

import (
	"errors"
	"net/http"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/schema"
)

func startApicurio(t *testing.T) *server.Apicurio {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a JVM: not in short runs")
	}
	a, err := server.StartApicurio(t.Context(), server.ApicurioConfig{})
	if err != nil {
		leattest.Missing(t, "java", err.Error())
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	return a
}

// TestApicurio has Apicurio Registry for a second server, and for a second opinion on verdicts, and what
// there is for Java on the other side.
func TestApicurio(t *testing.T) {
	t.Parallel()
	a := startApicurio(t)
	t.Run("client", func(t *testing.T) { asksApicurio(t, a.URL()) })
	t.Run("codec", func(t *testing.T) { codes(t, a.URL()) })
	t.Run("java", func(t *testing.T) { speaksJava(t, a) })
	t.Run("verdicts", func(t *testing.T) { opinions(t, a.URL()) })
}

// asksApicurio goes through what leat asks a registry for.
func asksApicurio(t *testing.T, url string) {
	ctx, c, subject := t.Context(), client(t, url), "shop/orders-value"
	first := schema.Registered{Text: `{"type":"record","name":"Order","fields":[{"name":"id","type":"string"}]}`}
	got, err := c.Register(ctx, subject, first, false)
	if err != nil || got.ID == 0 || got.Version != 1 {
		t.Fatalf("registered as %+v: %v", got, err)
	}
	if again, err := c.Register(ctx, subject, first, false); err != nil || again.ID != got.ID {
		t.Errorf("registered again as %+v: %v", again, err)
	}
	if found, err := c.Lookup(ctx, subject, first, false); err != nil || found.ID != got.ID || found.Version != 1 {
		t.Errorf("looked up as %+v: %v", found, err)
	}
	if by, err := c.ByID(ctx, got.ID); err != nil || by.Text != first.Text || by.Type != schema.Avro {
		t.Errorf("by id: %+v %v", by, err)
	}
	if latest, err := c.Version(ctx, subject, -1); err != nil || latest.ID != got.ID || latest.Version != 1 {
		t.Errorf("the latest: %+v %v", latest, err)
	}
	if err := c.Do(ctx, "set the level", http.MethodPut, "/config/shop%2Forders-value", nil, map[string]string{"compatibility": "FULL"}, nil); err != nil {
		t.Fatal(err)
	}
	if rules, err := c.Rules(ctx, subject); err != nil || rules.Level != schema.Full {
		t.Errorf("rules: %+v %v", rules, err)
	}
	broken := schema.Registered{Text: `{"type":"record","name":"Order","fields":[{"name":"id","type":"int"}]}`}
	if _, err := c.Register(ctx, subject, broken, false); !errors.Is(err, schema.ErrIncompatible) {
		t.Errorf("a break: %v", err)
	}
	if _, err := c.Register(ctx, subject, schema.Registered{Text: "{"}, false); !errors.Is(err, schema.ErrRejected) {
		t.Errorf("no schema: %v", err)
	}
	_, noID := c.ByID(ctx, 1<<30)
	_, noSubject := c.Version(ctx, "nobody", -1)
	_, noText := c.Lookup(ctx, subject, broken, false)
	_, noGUID := c.ByGUID(ctx, schema.GUID{1})
	for what, err := range map[string]error{"id": noID, "subject": noSubject, "text": noText, "GUID": noGUID} {
		if !errors.Is(err, schema.ErrNotFound) {
			t.Errorf("an unknown %s: %v", what, err)
		}
	}
	if all, err := c.Subjects(ctx, ""); err != nil || !slices.Contains(all, subject) {
		t.Errorf("subjects: %v %v", all, err)
	}
	if gone, err := c.Delete(ctx, subject, 0, false); err != nil || !slices.Equal(gone, []int{1}) {
		t.Errorf("deleted %v: %v", gone, err)
	}
}

// codes writes with one service and reads with another that has only the registry in common with it.
func codes(t *testing.T, url string) {
	for _, e := range []leat.Encoding{leat.Avro, leat.JSONSchema} {
		topic := leat.Topic{Name: "codes-" + string(e), Encoding: e, Carries: []any{placed{}}}
		got, err := read[placed](codec(t, url), topic, write(t, codec(t, url), topic, anOrder()))
		if diff := cmp.Diff(anOrder(), got, cmp.Comparer(schema.Decimal.Equal)); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", e, err, diff)
		}
	}
	imports := carrying[*Placed]("codes-imports")
	strict := codec(t, url, func(cfg *schema.CodecConfig) { cfg.AutoRegister = false })
	r := write(t, codec(t, url), imports, aPlaced())
	if got, err := read[*Placed](codec(t, url), imports, r); err != nil || !proto.Equal(got, aPlaced()) {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(aPlaced(), got, protocmp.Transform()))
	}
	if again := write(t, strict, imports, aPlaced()); string(again.Data[:5]) != string(r.Data[:5]) {
		t.Errorf("written by schema %x, then, by one who may not register, by %x", r.Data[:5], again.Data[:5])
	}
}
