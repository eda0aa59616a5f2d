package order_test

import (
	"fmt"
	"testing"

	"github.com/leatdev/leat/shop/contract"
	"github.com/leatdev/leat/shop/order"
)

var inputs = []any{
	order.CancelRequest{},
	contract.PaymentFailed{OrderID: "o1", Reason: "declined"},
	contract.InventoryRejected{OrderID: "o1", Missing: []string{"tea"}},
	contract.ShipmentDispatched{OrderID: "o1"},
	contract.ShipmentCancelled{OrderID: "o1"},
}

// end is how each input ends an order that is still open; a wish to cancel ends nothing.
var end = map[string]struct {
	state  order.State
	reason string
}{
	"contract.PaymentFailed":      {order.Cancelled, order.ReasonPayment},
	"contract.InventoryRejected":  {order.Cancelled, order.ReasonStock},
	"contract.ShipmentDispatched": {order.Completed, ""},
	"contract.ShipmentCancelled":  {order.Cancelled, order.ReasonCustomer},
}

// sequences calls f with every sequence of up to n inputs, repeats included.
func sequences(n int, f func([]any)) {
	var grow func(seq []any)
	grow = func(seq []any) {
		f(seq)
		if len(seq) == n {
			return
		}
		for _, in := range inputs {
			grow(append(seq[:len(seq):len(seq)], in))
		}
	}
	grow(nil)
}

func TestEveryOrderOfArrivalEndsOnceWithTheFirstEnd(t *testing.T) {
	t.Parallel()
	count := 0
	sequences(5, func(seq []any) {
		count++
		o := order.Order{ID: "o1", CustomerID: "c1", State: order.Placed}
		want, reason, requests, ends := order.Placed, "", 0, 0
		for _, in := range seq {
			var out []any
			o, out = o.Next(in)
			for _, e := range out {
				switch e.(type) {
				case contract.OrderCancelRequested:
					requests++
				case contract.OrderCompleted, contract.OrderCancelled:
					ends++
				}
			}
			if _, asks := in.(order.CancelRequest); asks && want == order.Placed {
				want = order.Cancelling
			} else if e, ok := end[fmt.Sprintf("%T", in)]; ok && !want.Ended() {
				want, reason = e.state, e.reason
			}
			if o.State != want || o.Reason != reason {
				t.Fatalf("%T: %s %q, want %s %q", seq, o.State, o.Reason, want, reason)
			}
		}
		if ended := want.Ended(); ended != (ends == 1) || !ended && ends != 0 || requests > 1 {
			t.Fatalf("%T: %d ends and %d cancel requests were published", seq, ends, requests)
		}
	})
	if count != 1+5+25+125+625+3125 {
		t.Errorf("%d sequences were tried", count)
	}
}

func ExampleOrder_Next() {
	o := order.Order{ID: "o1", State: order.Placed}
	o, _ = o.Next(order.CancelRequest{})
	o, _ = o.Next(contract.ShipmentDispatched{OrderID: "o1"}) // the goods were faster
	fmt.Println(o.State)
	// Output: completed
}
