package interop

import (
	_ "embed"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/leattest"
	"github.com/leatdev/leat/leattest/server"
	"github.com/leatdev/leat/schema"
)

var (
	//go:embed testdata/node/package.json
	nodeManifest []byte
	//go:embed testdata/node/package-lock.json
	nodeLock []byte
)

func startNode(t *testing.T, registry string) *peer {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Node.js: not in short runs")
	}
	node, dir, err := server.Node(t.Context(), "interop-node", nodeManifest, nodeLock)
	if err != nil {
		leattest.Missing(t, "node", err.Error())
	}
	return start(t, node, "testdata/node/peer.js", dir, registry)
}

// TestNode has @kafkajs/confluent-schema-registry on the other side, which knows the prefix form only.
func TestNode(t *testing.T) {
	t.Parallel()
	url := serve(t)
	p := startNode(t, url)
	t.Run("avro", func(t *testing.T) { structs(t, p, url, leat.Avro, "avro", false, nil) })
	t.Run("json", func(t *testing.T) { structs(t, p, url, leat.JSONSchema, "json", false, nil) })
	t.Run("protobuf", func(t *testing.T) {
		topic := carrying[*Placed]("placed")
		a := p.ask(t, question{
			Do: "read", Type: schema.Protobuf, Topic: topic.Name, Message: "interop.v1.Placed",
			record: write(t, codec(t, url), topic, aPlaced()),
		})
		want := document(t, `{"orderId": "o-1", "total": {"amount": "-1", "currency": "EUR"},
			"items": [{"sku": "tea", "quantity": 2}, {"quantity": -3}], "labels": {"a": "b"}, "state": "PAID",
			"cashCents": "1099511627776", "retries": 0, "signature": "AP8="}`)
		if diff := cmp.Diff(want, a.Value); diff != "" {
			t.Errorf("what leat wrote is read as (-want +got):\n%s", diff)
		}
	})
}

// It writes Protobuf without the index of the message, where every other client has it. Such a record
// can't be told from one of another message: it must be refused, and never be read as something else.
func TestProtobufWithoutAnIndexIsRefused(t *testing.T) {
	t.Parallel()
	url := serve(t)
	p := startNode(t, url)
	topic := carrying[*Money]("money")
	for _, currency := range []string{"", "E", "EUR", "\x00\x00", "\x02\x02\x02\x02\x02\x02"} {
		for _, amount := range []int64{0, 1, -1, 1 << 40} {
			if amount == 0 && currency == "" {
				continue
			}
			m := &Money{Amount: amount, Currency: currency}
			doc := map[string]any{} // the peer writes zeros that it is given
			if amount != 0 {
				doc["amount"] = amount
			}
			if currency != "" {
				doc["currency"] = currency
			}
			r := p.ask(t, question{
				Do: "write", Type: schema.Protobuf, Topic: topic.Name, Value: doc,
				Schema: "syntax = \"proto3\"; package interop.base.v1; message Money { int64 amount = 1; string currency = 2; }",
			}).record
			body, err := proto.Marshal(m)
			if err != nil {
				t.Fatal(err)
			}
			if len(r.Data) > 5+len(body) {
				t.Fatalf("%x has an index: the peer has learnt to write it, docs/reference/compatibility.md has to tell", r.Data)
			}
			if got, err := read[*Money](codec(t, url), topic, r); err == nil {
				t.Errorf("%v is read as %v", m, got)
			}
		}
	}
}
