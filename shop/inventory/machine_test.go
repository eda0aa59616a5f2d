package inventory_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/inventory"
)

var (
	paid      = contract.PaymentSucceeded{OrderID: "o1", CustomerID: "c1", Lines: []contract.Line{{SKU: "tea", Quantity: 2}, {SKU: "pot", Quantity: 1}}}
	cancelled = contract.OrderCancelled{OrderID: "o1"}
)

// Every sequence of the two events, repeats included, on stock that suffices and on stock that does
// not: stock never goes below zero, what is taken is what a reservation holds, and nothing stays
// taken once the order is cancelled.
func TestEveryOrderOfArrivalKeepsStock(t *testing.T) {
	t.Parallel()
	for name, stock := range map[string]map[string]int64{
		"enough":      {"tea": 2, "pot": 1},
		"one short":   {"tea": 2, "pot": 0},
		"never there": {},
	} {
		var walk func(r inventory.Reservation, left map[string]int64, path []string, published int, wasCancelled bool)
		walk = func(r inventory.Reservation, left map[string]int64, path []string, published int, wasCancelled bool) {
			taken := stock["tea"] - left["tea"] + stock["pot"] - left["pot"]
			if left["tea"] < 0 || left["pot"] < 0 || (r.State == inventory.Reserved) != (taken == 3) || taken != 0 && taken != 3 {
				t.Fatalf("%s: %v: %s with stock %v", name, path, r.State, left)
			}
			if wasCancelled && r.State == inventory.Reserved || published > 2 {
				t.Fatalf("%s: %v: %s, %d published", name, path, r.State, published)
			}
			if len(path) == 5 {
				return
			}
			for _, in := range []any{paid, cancelled} {
				next, moves, events := r.Next(in, left)
				after := map[string]int64{"tea": left["tea"], "pot": left["pot"]}
				for _, m := range moves {
					after[m.SKU] += m.Delta
				}
				_, is := in.(contract.OrderCancelled)
				walk(next, after, append(path[:len(path):len(path)], fmt.Sprintf("%T", in)), published+len(events), wasCancelled || is)
			}
		}
		walk(inventory.Reservation{}, stock, nil, 0, false)
	}
}

func TestNextSaysWhatIsShort(t *testing.T) {
	t.Parallel()
	r, moves, events := inventory.Reservation{}.Next(paid, map[string]int64{"tea": 1, "pot": 1})
	if r.State != inventory.Rejected || moves != nil {
		t.Errorf("%s %v", r.State, moves)
	}
	if d := cmp.Diff([]any{contract.InventoryRejected{OrderID: "o1", Missing: []string{"tea"}}}, events); d != "" {
		t.Error(d)
	}
}

func TestTombstoneKeepsALatePaymentFromTaking(t *testing.T) {
	t.Parallel()
	r, _, events := inventory.Reservation{}.Next(cancelled, nil)
	if r.State != inventory.Voided || events != nil {
		t.Fatalf("%s %v", r.State, events)
	}
	if r, moves, events := r.Next(paid, map[string]int64{"tea": 9, "pot": 9}); r.State != inventory.Voided || moves != nil || events != nil {
		t.Errorf("%s %v %v", r.State, moves, events)
	}
}

func ExampleReservation_Next() {
	order := contract.PaymentSucceeded{OrderID: "o1", Lines: []contract.Line{{SKU: "tea", Quantity: 2}}}
	r, moves, _ := inventory.Reservation{}.Next(order, map[string]int64{"tea": 5})
	fmt.Println(r.State, moves)
	// Output: reserved [{tea -2}]
}
