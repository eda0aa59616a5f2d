package protobuf_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/schema/protobuf"
)

func TestFieldsAreThoseOfTheFirstMessage(t *testing.T) {
	t.Parallel()
	s, err := protobuf.Format.Parse(`syntax = "proto2";
package shop;
import "google/protobuf/timestamp.proto";
message Order {
  required string id = 1;
  optional google.protobuf.Timestamp at = 2;
  repeated Item items = 3;
  map<string, Item> by_sku = 4;
  oneof paid { string card = 5; int64 cash = 6; }
  optional Order before = 7;
}
message Item { optional State state = 1; }
enum State { NEW = 0; }
`, nil)
	if err != nil {
		t.Fatal(err)
	}
	want := []protobuf.Field{
		{"id", "string", "required"},
		{"at", "google.protobuf.Timestamp", "optional"},
		{"items[]", "shop.Item", ""},
		{"items[].state", "shop.State", "optional"},
		{"by_sku{}", "map<string, shop.Item>", ""},
		{"by_sku{}.state", "shop.State", "optional"},
		{"card", "string", "one of paid"},
		{"cash", "int64", "one of paid"},
		{"before", "shop.Order", "optional"},
	}
	if diff := cmp.Diff(want, protobuf.Fields(s, "", 100)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := protobuf.Fields(s, "", 4); len(got) != 4 {
		t.Errorf("%d fields, want the limit", len(got))
	}
}
