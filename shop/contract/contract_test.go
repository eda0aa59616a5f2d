package contract_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat"
	"github.com/leatdev/leat/shop/contract"
)

var update = flag.Bool("update", false, "write testdata")

var (
	lines = []contract.Line{{SKU: "tea", Quantity: 2}}
	eur   = contract.Money{Amount: 1998, Currency: "EUR"}
	every = []contract.Event{
		contract.OrderCreated{OrderID: "o1", CustomerID: "c1", Items: []contract.Item{{SKU: "tea", Quantity: 2, UnitPrice: 999}}, Total: eur},
		contract.OrderCancelRequested{OrderID: "o1", CustomerID: "c1"},
		contract.OrderCompleted{OrderID: "o1", CustomerID: "c1", Total: eur},
		contract.OrderCancelled{OrderID: "o1", CustomerID: "c1", Reason: "customer"},
		contract.PaymentSucceeded{OrderID: "o1", CustomerID: "c1", Amount: eur, Lines: lines, Reference: "g1"},
		contract.PaymentFailed{OrderID: "o1", Reason: "declined"},
		contract.PaymentRefunded{OrderID: "o1", CustomerID: "c1", Amount: eur},
		contract.InventoryReserved{OrderID: "o1", CustomerID: "c1", Lines: lines},
		contract.InventoryRejected{OrderID: "o1", Missing: []string{"tea"}},
		contract.InventoryReleased{OrderID: "o1", Lines: lines},
		contract.ShipmentDispatched{OrderID: "o1", CustomerID: "c1", Lines: lines, Tracking: "t1"},
		contract.ShipmentCancelled{OrderID: "o1"},
		contract.NotificationSent{OrderID: "o1", CustomerID: "c1", Reason: "completed", Channel: "smtp"},
	}
)

func TestWireFormIsPinned(t *testing.T) {
	t.Parallel()
	catalog, err := leat.NewCatalog(contract.Topics()...)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range every {
		k, err := catalog.Of(e)
		if err != nil {
			t.Fatal(err)
		}
		key, ok := k.Key(e)
		if !ok || key != "o1" {
			t.Errorf("%s: key is %q", k.Type, key)
		}
		data, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "%s %s %s\n", k.Topic, k.Type, data)
	}
	const file = "testdata/events.golden"
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("the wire form changed (-want +got):\n%s", d)
	}
}

func TestEveryTypeOnATopicIsPinned(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, e := range every {
		seen[e.EventType()] = true
	}
	for _, topic := range contract.Topics() {
		kinds, err := topic.Kinds()
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range kinds {
			if !seen[k.Type] {
				t.Errorf("%s has no example in this test", k.Type)
			}
			if !strings.HasPrefix(k.Type, "shop.") || !strings.HasSuffix(k.Type, ".v1") {
				t.Errorf("%s is not shop.<noun>.<verb>.v1", k.Type)
			}
		}
	}
}

func TestValidateTakesGoodAndRefusesEmptyPayloads(t *testing.T) {
	t.Parallel()
	for _, e := range every {
		if err := e.Validate(); err != nil {
			t.Errorf("%s: %v", e.EventType(), err)
		}
	}
	for _, e := range []contract.Event{
		contract.OrderCreated{},
		contract.OrderCancelRequested{},
		contract.OrderCompleted{},
		contract.OrderCancelled{},
		contract.PaymentSucceeded{},
		contract.PaymentFailed{},
		contract.PaymentRefunded{},
		contract.InventoryReserved{},
		contract.InventoryRejected{},
		contract.InventoryReleased{},
		contract.ShipmentDispatched{},
		contract.ShipmentCancelled{},
		contract.NotificationSent{},
		contract.PaymentRefunded{OrderID: "o1", Amount: contract.Money{Amount: -1, Currency: "EUR"}},
		contract.PaymentRefunded{OrderID: "o1", Amount: contract.Money{Amount: 1, Currency: "eur"}},
		contract.InventoryReserved{OrderID: "o1", Lines: []contract.Line{{SKU: "tea", Quantity: -1}}},
		contract.InventoryReserved{OrderID: "o1", Lines: []contract.Line{{SKU: "t ea", Quantity: 1}}},
		contract.ShipmentCancelled{OrderID: strings.Repeat("x", 129)},
		contract.ShipmentCancelled{OrderID: "o\x001"},
		contract.OrderCancelled{OrderID: "o1", Reason: "a\nb"},
	} {
		if e.Validate() == nil {
			t.Errorf("%s takes %+v", e.EventType(), e)
		}
	}
}

func TestTotal(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		items []contract.Item
		want  int64
		ok    bool
	}{
		"nothing":  {nil, 0, true},
		"sum":      {[]contract.Item{{Quantity: 2, UnitPrice: 999}, {Quantity: 1, UnitPrice: 1}}, 1999, true},
		"free":     {[]contract.Item{{Quantity: 5}}, 0, true},
		"negative": {[]contract.Item{{Quantity: -1, UnitPrice: 5}}, 0, false},
		"product":  {[]contract.Item{{Quantity: 2, UnitPrice: math.MaxInt64}}, 0, false},
		"sum over": {[]contract.Item{{Quantity: 1, UnitPrice: math.MaxInt64}, {Quantity: 1, UnitPrice: 1}}, 0, false},
	} {
		got, ok := contract.Total(c.items, "EUR")
		if ok != c.ok || got.Amount != c.want {
			t.Errorf("%s: got %v %v, want %d %v", name, got, ok, c.want, c.ok)
		}
	}
}

func TestLinesJoinsRepeatedArticles(t *testing.T) {
	t.Parallel()
	got := contract.Lines([]contract.Item{{SKU: "b", Quantity: 1}, {SKU: "a", Quantity: 2}, {SKU: "b", Quantity: 3}})
	want := []contract.Line{{SKU: "b", Quantity: 4}, {SKU: "a", Quantity: 2}}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func ExampleTotal() {
	total, _ := contract.Total([]contract.Item{{SKU: "tea", Quantity: 2, UnitPrice: 999}}, "EUR")
	fmt.Println(total)
	// Output: 19.98 EUR
}

func TestMoneyReadsLikeItsCurrency(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]contract.Money{
		"19.98 EUR": {Amount: 1998, Currency: "EUR"},
		"0.05 USD":  {Amount: 5, Currency: "USD"},
		"-1.50 EUR": {Amount: -150, Currency: "EUR"},
		"500 JPY":   {Amount: 500, Currency: "JPY"},
		"1.005 KWD": {Amount: 1005, Currency: "KWD"},
	} {
		if got := m.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
